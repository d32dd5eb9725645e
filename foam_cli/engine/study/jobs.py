"""What the supervisor of a study and the launchers agree on."""

import os
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, kw_only=True)
class Order:
    """One run, as a process that may be on another machine needs it.

    Attributes:
        folder: Its folder, absolute; config.yaml in it says everything about the run.
        plugins: Packages that the user trusts, which a run's own file can never say.
        command: What the user typed, for the manifest.
        working_dir: What relative paths in the configuration are relative to.
        threads: CPU threads, or None for one per core.
    """

    folder: str
    plugins: tuple[str, ...]
    command: str
    working_dir: str
    threads: int | None


@runtime_checkable
class Job(Protocol):
    """A run that was started."""

    def ended(self) -> str | None:
        """None while it runs; then how its process died, or nothing where the run says it itself."""
        ...

    def stop(self) -> None:
        """Ask it to save and leave."""
        ...

    def kill(self) -> None:
        """End it whatever it does."""
        ...


@runtime_checkable
class Launcher(Protocol):
    """Starts runs."""

    @property
    def jobs(self) -> int:
        """How many may be started at once."""
        ...

    @property
    def poll_s(self) -> float:
        """Seconds between two looks at the jobs."""
        ...

    @property
    def elsewhere(self) -> bool:
        """Whether runs may run on another machine than this one."""
        ...

    def check(self) -> None:
        """Refuse what cannot work here."""
        ...

    def warm_up(self) -> None:
        """Begin whatever takes long; called before the study is validated."""
        ...

    def start(self, order: Order) -> Job:
        """Start a run."""
        ...

    def close(self) -> None:
        """Give back what was taken."""
        ...


def shared_threads(jobs: int) -> int | None:
    """Threads of each process where several run side by side: together no more than there are cores.

    Args:
        jobs: How many processes.

    Returns:
        The number, or None for one process alone, which may use all cores.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return None if jobs == 1 else max(1, cores // jobs)
