"""Grow once, before the first step."""

from dataclasses import dataclass
from typing import Any, ClassVar

from foam_cli.growth.context import Firing, GrowthContext


@dataclass(frozen=True, kw_only=True)
class Once:
    """Fires at step 0 and never again.

    Source: C. Wu et al., "LLaMA Pro: Progressive LLaMA with Block Expansion", 2024, arXiv 2401.02415: the
        model is expanded first and trained afterwards; "Grow, Don't Overwrite", arXiv 2603.08647, likewise.
    """

    fires_before_training: ClassVar[bool] = True

    def max_events(self, total_steps: int) -> int:
        """How often it can fire.

        Args:
            total_steps: Not looked at.

        Returns:
            1.
        """
        del total_steps
        return 1

    def initial_state(self) -> dict[str, Any]:
        """What it remembers at first.

        Returns:
            That it has not fired.
        """
        return {"fired": False}

    def check(self, state: dict[str, Any], context: GrowthContext) -> tuple[Firing | None, dict[str, Any]]:
        """Decide.

        Args:
            state: What it remembers.
            context: What is known.

        Returns:
            A firing or None, and what it remembers next.
        """
        if state["fired"] or context.step > 0:
            return None, state
        return Firing(reason="once, before the first step", candidates=None), {"fired": True}
