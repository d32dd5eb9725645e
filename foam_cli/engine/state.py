"""Everything a resume needs beside tensors, as data."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from foam_cli.core.growth import GrowthRecord
from foam_cli.data.batching import Batch


@dataclass(kw_only=True)
class Work:
    """What was computed between two growth events; operations follow from it, whatever the order of batches.

    Attributes:
        num_events: Growth events before it.
        tokens: Positions of all batches, padding included: Σ B T.
        attended: Pairs of positions: Σ B T².
        targets: Positions whose logits were computed.
    """

    num_events: int
    tokens: int = 0
    attended: int = 0
    targets: int = 0


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
        work: What was computed, in order.
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
    work: list[Work] = field(default_factory=list)
    skipped: list[dict[str, Any]] = field(default_factory=list)

    def note_work(self, batches: Sequence[Batch]) -> None:
        """Count the batches of a step.

        Args:
            batches: The batches.
        """
        if not self.work or self.work[-1].num_events != len(self.records):
            self.work.append(Work(num_events=len(self.records)))
        now = self.work[-1]
        for batch in batches:
            rows, tokens = batch.input_ids_BT.shape
            now.tokens += rows * tokens
            now.attended += rows * tokens * tokens
            now.targets += len(batch.target_positions_N)

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
            "work": [Work(**one) for one in values["work"]],
            "validation": [(int(step), float(loss)) for step, loss in values["validation"]],
        }
        return RunState(**(values | rebuilt))


def _record(values: dict[str, Any]) -> GrowthRecord:
    """JSON makes text of the block numbers; make numbers of them again."""
    numbered: dict[str, Any] = {
        key: {int(block): what for block, what in values[key].items()} for key in ("born", "recycled")
    }
    return GrowthRecord(**(values | numbered))
