"""Grow when the validation loss no longer falls."""

from dataclasses import dataclass
from typing import Any, ClassVar

from foam_cli.growth.context import Firing, GrowthContext


@dataclass(frozen=True, kw_only=True)
class Plateau:
    """Fires when the validation loss has not improved by `min_delta_nats` for `patience` validations.

    After an event the waiting begins anew, while the best loss so far stays the one to beat.

    Attributes:
        patience: Validations in a row without improvement.
        min_delta_nats: What counts as an improvement over the best loss so far.

    Source: the plateau rule of Growing LLM (5 evaluations, 0.01 nats).
    """

    reads_validation: ClassVar[bool] = True

    patience: int
    min_delta_nats: float

    def __post_init__(self) -> None:
        if self.patience < 1 or self.min_delta_nats < 0:
            raise ValueError(
                f"patience={self.patience}, min_delta_nats={self.min_delta_nats}: must be at least 1 and 0."
            )

    def max_events(self, total_steps: int) -> int:
        """How often it can fire.

        Args:
            total_steps: Optimizer steps of the run.

        Returns:
            An upper bound: the first validation sets the mark, and there is at most one a step.
        """
        return max(0, total_steps - 1) // self.patience

    def initial_state(self) -> dict[str, Any]:
        """What it remembers at first.

        Returns:
            The validations it has seen, the best loss, and how many since did not improve on it.
        """
        return {"num_seen": 0, "best_nats": None, "num_waited": 0}

    def check(self, state: dict[str, Any], context: GrowthContext) -> tuple[Firing | None, dict[str, Any]]:
        """Decide.

        Args:
            state: What it remembers.
            context: What is known.

        Returns:
            A firing or None, and what it remembers next.
        """
        if len(context.validation_losses) < state["num_seen"]:  # a new stage has validation data of its own
            state = self.initial_state()
        best, num_waited = state["best_nats"], state["num_waited"]
        for _, nats in context.validation_losses[state["num_seen"] :]:
            if best is None or nats <= best - self.min_delta_nats:
                best, num_waited = nats, 0
            else:
                num_waited += 1
        state = {"num_seen": len(context.validation_losses), "best_nats": best, "num_waited": num_waited}
        if num_waited < self.patience:
            return None, state
        reason = (
            f"validation loss has not fallen by {self.min_delta_nats:g} nats below {best:.4f} "
            f"for {num_waited} validations"
        )
        return Firing(reason=reason, candidates=None), {**state, "num_waited": 0}
