"""Grow everywhere alike."""

from dataclasses import dataclass

import torch

from foam_cli.core.seeds import torch_generator
from foam_cli.growth.context import GrowthContext, NeuronMasks


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """Gives every block the same number of newborns, whose sources are drawn at random.

    The limit holds in every block. It needs no measurements, so it can place before the first step.
    """

    def choose_neurons(
        self, context: GrowthContext, eligible: NeuronMasks, limit: int
    ) -> dict[int, tuple[int, ...]]:
        """Choose sources.

        Args:
            context: What is known; the draw depends on its seed and step.
            eligible: The neurons that may be sources.
            limit: At most so many per block.

        Returns:
            For each block its sources, lowest first.
        """
        chosen: dict[int, tuple[int, ...]] = {}
        for block, mask in enumerate(eligible):
            candidates = mask.nonzero().flatten().cpu()
            generator = torch_generator(context.seed, "uniform", context.step, block)
            drawn = candidates[torch.randperm(len(candidates), generator=generator)[:limit]]
            if len(drawn):
                chosen[block] = tuple(drawn.sort().values.tolist())
        return chosen
