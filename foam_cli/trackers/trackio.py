"""Trackio."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from foam_cli.core.files import sha256_json
from foam_cli.core.growth import GrowthRecord
from foam_cli.trackers.protocols import RunFacts, Sink, flat, numbers_of


@dataclass(frozen=True, kw_only=True)
class Trackio:
    """Writes to Trackio's own folder (TRACKIO_DIR, else under HF_HOME); `trackio show` shows it.

    Attributes:
        project: The project; the run's study is its group there.
    """

    project: str

    package: ClassVar[str] = "trackio"

    def open(self, facts: RunFacts) -> Sink:
        """Begin a run there, or go on with it.

        Args:
            facts: The run.

        Returns:
            Its sink.
        """
        trackio: Any = importlib.import_module("trackio")
        run = trackio.init(
            project=self.project,
            # A run is found again by its name alone, and other folders may end with the same arm and seed.
            name=facts.id or f"{facts.name} {sha256_json(str(facts.folder))[:6]}",
            group=facts.study,
            config=flat(facts.settings),
            resume="never" if facts.id is None else "must",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        return _Sink(run, trackio.finish)


class _Sink:
    def __init__(self, run: Any, finish: Callable[[], None]) -> None:
        self._run = run
        # The run's own `finish` would be called a second time, aloud, when Python ends.
        self._finish = finish
        self.id = str(run.name)

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        self._run.log(dict(numbers), step=step)

    def event(self, record: GrowthRecord) -> None:
        self._run.log({**numbers_of(record), "growth/reason": record.reason}, step=record.step)

    def finish(self, step: int, status: str, result: Mapping[str, float]) -> None:
        self._run.log({**result, "result/status": status}, step=step)
        self._finish()
