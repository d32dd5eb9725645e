"""Runs as jobs of a SLURM cluster, or of submitit's own local executor."""

import importlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from foam_cli.core.errors import ConfigError
from foam_cli.engine.study.jobs import Job, Order
from foam_cli.engine.study.worker import work


@dataclass(frozen=True, kw_only=True)
class Submitit:
    """A job per run. Jobs outlive the study: killed and started again, it waits for those that still run.

    Attributes:
        jobs: How many are in the queue at once.
        cluster: `slurm`, or `local` for processes on this machine.
        partition: SLURM's partition, or None for the cluster's own choice.
        gpus: GPUs of each job.
        cpus: Cores of each job.
        memory_gb: Memory of each job, or None for the cluster's own choice.
        timeout_min: The cluster ends a job after so many minutes; it continues when the study is run again.
    """

    jobs: int
    cluster: Literal["slurm", "local"]
    partition: str | None
    gpus: int
    cpus: int
    memory_gb: float | None
    timeout_min: int

    poll_s = 0.5

    def __post_init__(self) -> None:
        if min(self.jobs, self.cpus, self.timeout_min) < 1:
            raise ValueError("jobs, cpus and timeout_min must be at least 1.")
        if self.cluster == "local" and self.partition is not None:
            raise ValueError(f"partition={self.partition}: has no effect with cluster=local; leave it null.")

    @property
    def elsewhere(self) -> bool:
        """Whether runs run on other machines."""
        return self.cluster == "slurm"

    def check(self) -> None:
        """Refuse what cannot work here.

        Raises:
            ConfigError: submitit or SLURM is missing.
        """
        try:
            importlib.import_module("submitit")
        except ImportError as error:
            raise ConfigError(
                "launcher=submitit: submitit is not installed; pip install 'foam-cli[launchers]'."
            ) from error
        if self.cluster == "slurm" and not any(
            (Path(folder) / "sbatch").exists() for folder in os.get_exec_path()
        ):
            raise ConfigError(
                "launcher.cluster=slurm: there is no sbatch on this machine. Start the study on a machine of "
                "the cluster, or use launcher.cluster=local."
            )

    def warm_up(self) -> None:
        """The cluster starts nothing before it is asked."""

    def start(self, order: Order) -> Job:
        """Submit a run.

        Args:
            order: The run.

        Returns:
            Its job.
        """
        submitit: Any = importlib.import_module("submitit")
        executor = submitit.AutoExecutor(folder=Path(order.folder) / "submitit", cluster=self.cluster)
        wanted = {
            "timeout_min": self.timeout_min,
            "gpus_per_node": self.gpus,
            "cpus_per_task": self.cpus,
            "mem_gb": self.memory_gb,
            "slurm_partition": self.partition,
            "name": "foam",
        }
        executor.update_parameters(**{key: value for key, value in wanted.items() if value is not None})
        return _Submitted(executor.submit(work, replace(order, threads=self.cpus)))

    def close(self) -> None:
        """Nothing is kept."""


class _Submitted:
    """A job."""

    def __init__(self, job: Any) -> None:
        self._job = job

    def ended(self) -> str | None:
        """None while it is queued or runs; then how it died, or nothing."""
        if not self._job.done():
            return None
        try:
            failure = self._job.exception()
        except Exception as error:  # submitit has several kinds for a job that left no result
            failure = error
        last = str(failure).strip().splitlines()[-1:] if failure is not None else []
        return "" if failure is None else f"its job {self._job.job_id} died: {' '.join(last)}"

    def stop(self) -> None:
        """Ask it to save and leave."""
        self._job.cancel()

    def kill(self) -> None:
        """End it; the cluster kills what does not leave by itself."""
        self._job.cancel()
