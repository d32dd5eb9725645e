"""Weights & Biases."""

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from foam_cli.core.growth import GrowthRecord
from foam_cli.trackers.protocols import RunFacts, Sink, numbers_of

#: Online, the library waits for its server and, where nobody is logged in, for somebody to type.
_MAX_WAIT_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Wandb:
    """Writes RUN/wandb, which `wandb sync RUN/wandb/offline-*` uploads.

    The key comes from `wandb login` or from WANDB_API_KEY.

    Attributes:
        mode: `offline` writes files only; `online` also uploads while the run goes on.
        project: The project; the run's study is its group there.
    """

    mode: Literal["offline", "online"]
    project: str

    package: ClassVar[str] = "wandb"

    def open(self, facts: RunFacts) -> Sink:
        """Begin a run there, or go on with it.

        Args:
            facts: The run.

        Returns:
            Its sink.
        """
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # else it reports its own errors by network
        wandb: Any = importlib.import_module("wandb")
        run = wandb.init(
            project=self.project,
            group=facts.study,
            name=facts.name,
            id=facts.id,
            resume="allow",
            mode=self.mode,
            dir=str(facts.folder),
            config=facts.settings,
            settings=wandb.Settings(
                console="off", silent=True, login_timeout=_MAX_WAIT_SECONDS, init_timeout=_MAX_WAIT_SECONDS
            ),
        )
        return _Sink(run)


class _Sink:
    def __init__(self, run: Any) -> None:
        self._run = run
        self.id = str(run.id)

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        # It keeps no row of a step before its last one: those that are taken again have the same numbers.
        self._run.log(dict(numbers), step=step)

    def event(self, record: GrowthRecord) -> None:
        self._run.log({**numbers_of(record), "growth/reason": record.reason}, step=record.step)

    def finish(self, step: int, status: str, result: Mapping[str, float]) -> None:
        del step
        self._run.summary.update({**result, "result/status": status})
        self._run.finish(exit_code=0 if status == "finished" else 1)
