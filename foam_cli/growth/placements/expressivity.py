"""Grow in the FFNs whose neurons can follow the least of the gradient."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from foam_cli.core.seeds import torch_generator
from foam_cli.growth.context import GrowthContext, NeuronMasks
from foam_cli.growth.expressivity import present_and_grown


@dataclass(frozen=True, kw_only=True)
class ExpressivityGain:
    """Shares the newborn out by how much new neurons would raise each FFN's natural-gradient score.

    The limit holds over all blocks. Sources are drawn at random within a block.

    Attributes:
        damping_frac: Damping of the second moments, as a fraction of their mean eigenvalue.

    Source: R. Mitchell, R. Menzenbach, K. Kersting, M. Mundt, "Self-Expanding Neural Networks", 2023,
        arXiv 2307.04526 (where to grow).
    Differs: all FFNs share an event in proportion to their gain, instead of the best one taking it.
    """

    scope: ClassVar[str] = "global"

    damping_frac: float

    def __post_init__(self) -> None:
        if self.damping_frac <= 0:
            raise ValueError(f"damping_frac={self.damping_frac}: must be positive.")

    def choose_neurons(
        self, context: GrowthContext, eligible: NeuronMasks, limit: int
    ) -> dict[int, tuple[int, ...]]:
        """Choose sources.

        Args:
            context: What is known; one pass over new data is measured.
            eligible: The neurons that may be sources.
            limit: At most so many in all.

        Returns:
            For each block that grows its sources, lowest first.
        """
        samples = context.measure.ffn_samples("new")
        scores = [
            present_and_grown(ffn, sample, self.damping_frac)
            for ffn, sample in zip(context.ffns, samples, strict=True)
        ]
        gains = [
            max(0.0, grown - present) if bool(mask.any()) else 0.0
            for (present, grown), mask in zip(scores, eligible, strict=True)
        ]
        chosen: dict[int, tuple[int, ...]] = {}
        for block, (mask, num) in enumerate(zip(eligible, shares(gains, limit), strict=True)):
            candidates = mask.nonzero().flatten().cpu()
            generator = torch_generator(context.seed, "expressivity", context.step, block)
            drawn = candidates[torch.randperm(len(candidates), generator=generator)[:num]]
            if len(drawn):
                chosen[block] = tuple(drawn.sort().values.tolist())
        return chosen


def shares(gains: list[float], limit: int) -> list[int]:
    """Divide a number in proportion to gains, the largest remainders rounded up.

    Args:
        gains: Not negative.
        limit: The number.

    Returns:
        Whole numbers that add up to it, or zeros where nothing is gained.
    """
    total = sum(gains)
    if total == 0:
        return [0] * len(gains)
    exact = [limit * gain / total for gain in gains]
    parts = [int(part) for part in exact]
    by_remainder = sorted(range(len(gains)), key=lambda index: (parts[index] - exact[index], index))
    for index in by_remainder[: limit - sum(parts)]:
        parts[index] += 1
    return parts
