"""Grow where the gradient presses hardest, as often as a cooldown allows."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from foam_cli.core.errors import GrowthError
from foam_cli.growth.context import Firing, GrowthContext


@dataclass(frozen=True, kw_only=True)
class GradientPercentile:
    """Fires when the cooldown has passed and some neuron's pressure is above its FFN's percentile.

    Some neuron nearly always is above, so it is the cooldown that sets the pace; the percentile says which
    neurons may be sources.

    Attributes:
        percentile: In percent, over the living neurons of one FFN.
        cooldown_steps: Optimizer steps from the start, and from one event, to the next.

    Source: the growth rule of Neural Foam; pressure ← 0.9 pressure + 0.1 ‖∇w‖ is kept by `PressureTracker`.
    """

    reads_neurons: ClassVar[bool] = True

    percentile: float
    cooldown_steps: int

    def __post_init__(self) -> None:
        if not 0 <= self.percentile < 100:
            raise ValueError(f"percentile={self.percentile}: must be at least 0 and below 100.")
        if self.cooldown_steps < 1:
            raise ValueError(f"cooldown_steps={self.cooldown_steps}: must be at least 1.")

    def max_events(self, total_steps: int) -> int:
        """How often it can fire.

        Args:
            total_steps: Optimizer steps of the run.

        Returns:
            An upper bound.
        """
        return total_steps // self.cooldown_steps

    def initial_state(self) -> dict[str, Any]:
        """What it remembers at first.

        Returns:
            The step of the last event; the start of the run counts as one.
        """
        return {"last_event_step": 0}

    def check(self, state: dict[str, Any], context: GrowthContext) -> tuple[Firing | None, dict[str, Any]]:
        """Decide.

        Args:
            state: What it remembers.
            context: What is known.

        Returns:
            A firing or None, and what it remembers next.

        Raises:
            GrowthError: No neurons are tracked.
        """
        waited = context.step - state["last_event_step"]
        if waited < self.cooldown_steps:
            return None, state
        if not context.signals:
            raise GrowthError("growth.trigger=gradient_percentile needs growable FFNs: blocks take schedule.")
        masks: list[torch.Tensor] = []
        for ffn, signals in zip(context.ffns, context.signals, strict=True):
            alive_N = torch.cat([ffn.core_live_F, ffn.bank.live_C])
            threshold = signals.pressure_N[alive_N].quantile(self.percentile / 100)
            masks.append(alive_N & (signals.pressure_N > threshold))
        num_above = int(sum(mask.sum() for mask in masks))
        if num_above == 0:
            return None, state
        reason = (
            f"{num_above} neurons press above the {self.percentile:g}th percentile, "
            f"{waited} steps after the last event"
        )
        return Firing(reason=reason, candidates=tuple(masks)), {"last_event_step": context.step}
