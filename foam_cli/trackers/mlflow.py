"""MLflow."""

import importlib
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from foam_cli.core.growth import GrowthRecord
from foam_cli.trackers.protocols import RunFacts, Sink, flat, numbers_of

_STATUSES = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
#: What the library takes at once, and how long a value may be.
_PARAMS_AT_ONCE, _MAX_VALUE = 100, 6000


@dataclass(frozen=True, kw_only=True)
class Mlflow:
    """Writes RUN/mlflow.db, or to a server. The experiment is the run's study.

    It is an SQLite file because MLflow no longer opens its older store of plain files.

    Attributes:
        uri: A tracking server or store, or None for the run folder's own file. Where it holds a password,
            name a variable: `${oc.env:MLFLOW_TRACKING_URI}`.
    """

    uri: str | None

    package: ClassVar[str] = "mlflow"

    def open(self, facts: RunFacts) -> Sink:
        """Begin a run there, or go on with it.

        Args:
            facts: The run.

        Returns:
            Its sink.
        """
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # else it reports its use by network
        mlflow: Any = importlib.import_module("mlflow")
        client = mlflow.MlflowClient(tracking_uri=self.uri or f"sqlite:///{facts.folder / 'mlflow.db'}")
        if facts.id is not None:
            client.update_run(facts.id, status="RUNNING")
            return _Sink(client, facts.id)
        experiment = client.get_experiment_by_name(facts.study)
        if experiment is None:
            # Its own choice without a server is a folder where the command was typed.
            artifacts = None if self.uri else (facts.folder / "mlflow").as_uri()
            number = client.create_experiment(facts.study, artifact_location=artifacts)
        else:
            number = experiment.experiment_id
        sink = _Sink(client, client.create_run(number, run_name=facts.name).info.run_id)
        sink.settings(facts.settings)
        return sink


class _Sink:
    def __init__(self, client: Any, run_id: str) -> None:
        self._client = client
        self._entities: Any = importlib.import_module("mlflow.entities")
        self.id = run_id

    def settings(self, settings: Mapping[str, Any]) -> None:
        params = [self._entities.Param(key, value[:_MAX_VALUE]) for key, value in flat(settings).items()]
        for first in range(0, len(params), _PARAMS_AT_ONCE):
            self._client.log_batch(self.id, params=params[first : first + _PARAMS_AT_ONCE])

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        now = int(time.time() * 1000)
        metrics = [
            self._entities.Metric(re.sub(r"[^\w\-. :/]", "_", name), value, now, step)
            for name, value in numbers.items()
        ]
        self._client.log_batch(self.id, metrics=metrics)

    def event(self, record: GrowthRecord) -> None:
        self.log(record.step, numbers_of(record))
        self._client.set_tag(self.id, f"growth {record.event}", f"step {record.step}: {record.reason}")

    def finish(self, step: int, status: str, result: Mapping[str, float]) -> None:
        self.log(step, result)
        self._client.set_terminated(self.id, _STATUSES[status])
