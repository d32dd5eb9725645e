"""Grow beside the neurons that the gradient presses hardest."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from foam_cli.growth.context import GrowthContext, NeuronMasks


@dataclass(frozen=True, kw_only=True)
class TopPressure:
    """Chooses the neurons of highest pressure as sources.

    Attributes:
        scope: `block`: the limit holds in every block; `global`: one ranking over all blocks shares it.

    Source: the growth rule of Neural Foam, which copies the neurons of largest running gradient norm.
    Differs: the ranking may run over all blocks.
    """

    reads_pressure: ClassVar[bool] = True

    scope: Literal["block", "global"]

    def choose_neurons(
        self, context: GrowthContext, eligible: NeuronMasks, limit: int
    ) -> dict[int, tuple[int, ...]]:
        """Choose sources.

        Args:
            context: What is known.
            eligible: The neurons that may be sources.
            limit: At most so many, per block or in all.

        Returns:
            For each block that grows its sources, hardest pressed first.
        """
        scores = [
            signals.pressure_N.masked_fill(~mask, -torch.inf)
            for signals, mask in zip(context.signals, eligible, strict=True)
        ]
        if self.scope == "block":
            ranked = [(block, index) for block, score in enumerate(scores) for index in _top(score, limit)]
        else:
            starts = torch.tensor([0, *(len(score) for score in scores)]).cumsum(0).tolist()
            blocks = [block for block, score in enumerate(scores) for _ in range(len(score))]
            ranked = [(blocks[at], at - starts[blocks[at]]) for at in _top(torch.cat(scores), limit)]
        chosen: dict[int, tuple[int, ...]] = {}
        for block, index in ranked:
            chosen[block] = (*chosen.get(block, ()), index)
        return chosen


def _top(score: torch.Tensor, limit: int) -> list[int]:
    # A stable sort, unlike topk, gives the same order on every machine where pressures are equal.
    order = score.argsort(descending=True, stable=True)[:limit]
    return order[score[order] > -torch.inf].tolist()
