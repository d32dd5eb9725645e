"""Event files for TensorBoard, in the run folder."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from foam_cli.core.growth import GrowthRecord
from foam_cli.trackers.protocols import RunFacts, Sink, flat, numbers_of


@dataclass(frozen=True, kw_only=True)
class TensorBoard:
    """Writes RUN/tensorboard; `tensorboard --logdir outputs` shows all runs.

    Attributes:
        flush_s: What is new is written at least this often.
    """

    flush_s: int

    package: ClassVar[str] = "tensorboard"

    def __post_init__(self) -> None:
        if self.flush_s < 1:
            raise ValueError(f"flush_s={self.flush_s}: must be at least 1.")

    def open(self, facts: RunFacts) -> Sink:
        """Begin an event file, behind those of earlier parts of the run.

        Args:
            facts: The run.

        Returns:
            Its sink.
        """
        library: Any = importlib.import_module("torch.utils.tensorboard")
        writer = library.SummaryWriter(
            log_dir=str(facts.folder / "tensorboard"),
            # Steps that are taken again replace those of an earlier part.
            purge_step=None if facts.id is None else facts.step + 1,
            flush_secs=self.flush_s,
        )
        rows = [f"    {key}: {value}" for key, value in flat(facts.settings).items()]  # Markdown's code block
        writer.add_text("settings", "\n".join(rows), facts.step)
        return _Sink(writer)


class _Sink:
    id = "tensorboard"

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)

    def event(self, record: GrowthRecord) -> None:
        self.log(record.step, numbers_of(record))
        self._writer.add_text("growth/reason", record.reason, record.step)

    def finish(self, step: int, status: str, result: Mapping[str, float]) -> None:
        self.log(step, result)
        self._writer.add_text("result/status", status, step)
        self._writer.close()
