"""Grow at fixed intervals."""

from dataclasses import dataclass
from typing import Any

from foam_cli.growth.context import Firing, GrowthContext


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Fires every `every_steps` optimizer steps, never at step 0.

    How many events there are is limited by the policy's `max_events`.

    Attributes:
        every_steps: Optimizer steps between events.

    Source: the growth schedule of Growing LLM (500 steps, three events).
    """

    every_steps: int

    def __post_init__(self) -> None:
        if self.every_steps < 1:
            raise ValueError(f"every_steps={self.every_steps}: must be at least 1.")

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
        """
        if context.step == 0 or context.step % self.every_steps:
            return None, state
        return Firing(reason=f"every {self.every_steps} steps", candidates=None), state
