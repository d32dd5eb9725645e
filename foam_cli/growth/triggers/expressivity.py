"""Grow when the FFNs can no longer follow the gradient, and new neurons could."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from foam_cli.core.errors import GrowthError
from foam_cli.growth.context import Firing, GrowthContext
from foam_cli.growth.expressivity import present_and_grown


@dataclass(frozen=True, kw_only=True)
class Expressivity:
    """Fires when in some FFN new neurons would raise the natural-gradient score by a ratio and by a floor.

    It can say no: where the neurons that are there can follow all of the gradient, nothing is gained. Only
    the FFNs that gain may grow.

    Attributes:
        every_steps: Optimizer steps between measurements, each of one pass over new data.
        min_ratio: Score with new neurons over the present score; must be exceeded.
        min_gain: Score with new neurons minus the present score, in directions; must be exceeded.
        damping_frac: Damping of the second moments, as a fraction of their mean eigenvalue.

    Source: R. Mitchell, R. Menzenbach, K. Kersting, M. Mundt, "Self-Expanding Neural Networks", 2023,
        arXiv 2307.04526 (when to grow: a relative and an absolute threshold).
    Differs: measured at intervals instead of at every step, over the out-projection of whole FFNs.
    """

    reads_neurons: ClassVar[bool] = True

    every_steps: int
    min_ratio: float
    min_gain: float
    damping_frac: float

    def __post_init__(self) -> None:
        if self.every_steps < 1 or self.min_ratio < 1 or self.min_gain < 0 or self.damping_frac <= 0:
            raise ValueError(
                f"every_steps={self.every_steps}, min_ratio={self.min_ratio}, min_gain={self.min_gain}, "
                f"damping_frac={self.damping_frac}: must be at least 1, 1 and 0, and positive."
            )

    def max_events(self, total_steps: int) -> int:
        """How often it can fire.

        Args:
            total_steps: Optimizer steps of the run.

        Returns:
            An upper bound.
        """
        return total_steps // self.every_steps

    def initial_state(self) -> dict[str, Any]:
        """What it remembers at first.

        Returns:
            Nothing: the step says it all.
        """
        return {}

    def check(self, state: dict[str, Any], context: GrowthContext) -> tuple[Firing | None, dict[str, Any]]:
        """Decide.

        Args:
            state: What it remembers.
            context: What is known.

        Returns:
            A firing or None, and what it remembers next.

        Raises:
            GrowthError: No FFN is growable.
        """
        if context.step == 0 or context.step % self.every_steps:
            return None, state
        if not context.ffns:
            raise GrowthError("growth.trigger=expressivity does not fit here: it needs growable FFNs.")
        masks: list[torch.Tensor] = []
        best = 0.0
        for ffn, sample in zip(context.ffns, context.measure.ffn_samples("new"), strict=True):
            present, grown = present_and_grown(ffn, sample, self.damping_frac)
            gains = grown > self.min_ratio * present and grown - present > self.min_gain
            best = max(best, grown / present if gains else 0.0)
            masks.append(torch.cat([ffn.core_live_F, ffn.bank.live_C]) & gains)
        if best == 0:
            return None, state
        num = sum(bool(mask.any()) for mask in masks)
        reason = f"new neurons would raise the expressivity of {num} FFNs, of one {best:.2f} times"
        return Firing(reason=reason, candidates=tuple(masks)), state
