"""Runs on this machine, each in a fresh process, one or several at a time."""

import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass, replace
from multiprocessing import forkserver
from typing import Any

from foam_cli.engine.study.jobs import Job, Order, shared_threads


def import_ahead() -> None:
    """Start the server that runs are forked from: it imports while this process does the same beside it."""
    multiprocessing.set_forkserver_preload(["foam_cli.engine.launchers.preloaded"])
    forkserver.ensure_running()


@dataclass(frozen=True, kw_only=True)
class Local:
    """Processes forked from a server that has imported everything once and computes nothing.

    A run starts within milliseconds instead of the seconds that importing torch takes, and yet shares nothing
    with the run before: not its memory, not its peak of it, not its crash.

    Attributes:
        jobs: How many run at once; each gets its share of the cores.
    """

    jobs: int

    poll_s = 0.01
    elsewhere = False

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise ValueError(f"jobs={self.jobs}: must be at least 1.")

    def check(self) -> None:
        """Nothing can be missing here."""

    def warm_up(self) -> None:
        """Start the server, which imports while the study is validated; the command may have done so."""
        import_ahead()

    def start(self, order: Order) -> Job:
        """Start a run.

        Args:
            order: The run.

        Returns:
            Its process.
        """
        threads = order.threads or shared_threads(self.jobs)
        process = multiprocessing.get_context("forkserver").Process(
            target=_work, args=(replace(order, threads=threads),)
        )
        process.start()
        return _Process(process)

    def close(self) -> None:
        """The server leaves with this process."""


def _work(order: Order) -> None:
    from foam_cli.engine.study.worker import work

    # Ctrl-C in a terminal reaches every process; the study is the one that tells its runs to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    work(order)


def _leave_with_parent() -> None:
    """A run whose study was killed must not go on beside the study that continues it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class _Process:
    """A run's process."""

    def __init__(self, process: Any) -> None:
        self._process = process

    def ended(self) -> str | None:
        """None while it runs; then how it died, or nothing."""
        if self._process.is_alive():
            return None
        code = self._process.exitcode
        if code >= 0:
            return "" if code == 0 else f"its process left with exit code {code}"
        return f"its process was killed by {signal.Signals(-code).name}"

    def stop(self) -> None:
        """Ask it to save and leave."""
        self._process.terminate()

    def kill(self) -> None:
        """End it whatever it does."""
        self._process.kill()
        self._process.join()
