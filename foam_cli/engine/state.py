"""Everything a resume needs beside tensors, as data."""

from dataclasses import asdict, dataclass, field
from typing import Any

from foam_cli.core.growth import GrowthRecord


@dataclass(kw_only=True)
class RunState:
    """Where a run is.

    Attributes:
        step: Optimizer steps taken.
        tokens: Real tokens trained on, padding excluded.
        seconds: Time spent training, evaluation and interruptions excluded.
        stream: Position of the batch stream.
        replay: State of the replay strategy.
        growth: State of the growth policy.
        validation: (step, loss in nats) of every validation of this stage so far.
        records: Every growth event so far.
        skipped: Evaluations that failed: {"step", "task", "error"}.
    """

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    stream: dict[str, int] = field(default_factory=dict)
    replay: dict[str, Any] = field(default_factory=dict)
    growth: dict[str, Any] = field(default_factory=dict)
    validation: list[tuple[int, float]] = field(default_factory=list)
    records: list[GrowthRecord] = field(default_factory=list)
    skipped: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Write the state as plain data.

        Returns:
            What `from_dict` reads.
        """
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "RunState":
        """Read a state back.

        Args:
            values: From `as_dict`, possibly through JSON.

        Returns:
            The state.
        """
        rebuilt: dict[str, Any] = {
            "records": [_record(record) for record in values["records"]],
            "validation": [(int(step), float(loss)) for step, loss in values["validation"]],
        }
        return RunState(**(values | rebuilt))


def _record(values: dict[str, Any]) -> GrowthRecord:
    """JSON makes text of the block numbers; make numbers of them again."""
    numbered: dict[str, Any] = {
        key: {int(block): what for block, what in values[key].items()} for key in ("born", "recycled")
    }
    return GrowthRecord(**(values | numbered))
