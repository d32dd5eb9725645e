"""Runs as tasks of Ray: on this machine, or on the cluster that RAY_ADDRESS names."""

import importlib
import os
from dataclasses import dataclass, replace
from typing import Any

from foam_cli.core.errors import ConfigError
from foam_cli.engine.study.jobs import Job, Order
from foam_cli.engine.study.worker import work


@dataclass(frozen=True, kw_only=True)
class Ray:
    """A task per run; Ray finds it a place when one is free.

    Attributes:
        jobs: How many are handed to Ray at once.
        address: The cluster, or None for Ray on this machine (or what RAY_ADDRESS says).
        cpus: Cores of each run.
        gpus: GPUs of each run; a fraction shares one.
    """

    jobs: int
    address: str | None
    cpus: int
    gpus: float

    poll_s = 0.1

    def __post_init__(self) -> None:
        if min(self.jobs, self.cpus) < 1:
            raise ValueError("jobs and cpus must be at least 1.")

    @property
    def elsewhere(self) -> bool:
        """Whether runs may run on other machines."""
        return bool(self.address or os.environ.get("RAY_ADDRESS"))

    def check(self) -> None:
        """Refuse what cannot work here.

        Raises:
            ConfigError: Ray is not installed.
        """
        try:
            importlib.import_module("ray")
        except ImportError as error:
            raise ConfigError("launcher=ray: Ray is not installed; pip install 'foam-cli[ray]'.") from error

    def warm_up(self) -> None:
        """Ray is started with the first run."""

    def start(self, order: Order) -> Job:
        """Hand a run to Ray.

        Args:
            order: The run.

        Returns:
            Its task.
        """
        ray: Any = importlib.import_module("ray")
        if not ray.is_initialized():
            ray.init(address=self.address, include_dashboard=False, log_to_driver=False)
        remote = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=0, max_calls=1)(work)
        return _Task(ray, remote.remote(replace(order, threads=self.cpus)))

    def close(self) -> None:
        """Leave the cluster; Ray on this machine ends."""
        ray: Any = importlib.import_module("ray")
        ray.shutdown()


class _Task:
    """A task."""

    def __init__(self, ray: Any, reference: Any) -> None:
        self._ray = ray
        self._reference = reference

    def ended(self) -> str | None:
        """None while it waits or runs; then how it died, or nothing."""
        done, _ = self._ray.wait([self._reference], timeout=0)
        if not done:
            return None
        try:
            self._ray.get(self._reference)
        except Exception as error:  # Ray has a class for every way in which a worker can die
            return f"its task died: {type(error).__name__}"
        return ""

    def stop(self) -> None:
        """Ask it to save and leave: Ray makes a Ctrl-C of this."""
        self._ray.cancel(self._reference)

    def kill(self) -> None:
        """End it whatever it does."""
        self._ray.cancel(self._reference, force=True)
