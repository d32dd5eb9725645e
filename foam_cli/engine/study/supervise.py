"""Start runs, watch them, and say at once how each ended; none of them can stop the others."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from foam_cli.core.files import read_json
from foam_cli.engine.display import Display
from foam_cli.engine.study.jobs import Job, Launcher, Order
from foam_cli.engine.study.worker import ATTEMPT

#: A run that is asked to leave takes this long at the most to save.
GRACE_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How an attempt at a run ended.

    Attributes:
        status: `finished`, `interrupted` or `failed`.
        error: What went wrong, where something did.
    """

    status: str
    error: str | None


@dataclass(kw_only=True)
class _Running:
    job: Job
    started: float = field(default_factory=time.monotonic)
    asked: float | None = None
    reason: str | None = None

    def ask_to_stop(self, reason: str) -> None:
        if self.asked is None:
            self.asked, self.reason = time.monotonic(), reason
            self.job.stop()


def supervise(
    orders: Mapping[str, Order],
    launcher: Launcher,
    display: Display,
    *,
    run_limit_s: float | None,
    should_stop: Callable[[], bool],
    already: tuple[int, int] = (0, 0),
) -> dict[str, Ended]:
    """Run everything that is ordered.

    Args:
        orders: Label to order, in the order of starting.
        launcher: Where they run.
        display: Shows the progress of all together.
        run_limit_s: As in StudySettings.
        should_stop: True once the user wants the study to end; runs are then asked to save and leave.
        already: Runs that finished before, and runs in all, for the display.

    Returns:
        Label to how it ended; what was never started is not in it.
    """
    waiting, running, ended = list(orders), dict[str, _Running](), dict[str, Ended]()
    before, total = already[0], already[1] or len(orders)
    try:
        with display.bar("study", total=total, done=before) as update:
            while running or (waiting and not should_stop()):
                while waiting and len(running) < launcher.jobs and not should_stop():
                    label = waiting.pop(0)
                    (Path(orders[label].folder) / ATTEMPT).unlink(missing_ok=True)
                    running[label] = _Running(job=launcher.start(orders[label]))
                for label, one in list(running.items()):
                    _press(one, run_limit_s, should_stop())
                    death = one.job.ended()
                    if death is not None:
                        del running[label]
                        ended[label] = _how(Path(orders[label].folder), death, one.reason)
                        _tell(display, label, ended[label], time.monotonic() - one.started)
                done = before + sum(one.status == "finished" for one in ended.values())
                update(done, _words(list(running), list(ended.values())))
                time.sleep(launcher.poll_s)
    finally:
        for one in running.values():  # only a second Ctrl-C or a fault of ours leaves any
            one.job.kill()
        launcher.close()
    return ended


def _press(one: _Running, run_limit_s: float | None, stopping: bool) -> None:
    """Ask a run to leave when it is time, and kill it when asking did not help."""
    now = time.monotonic()
    if stopping:
        one.ask_to_stop("the study was stopped")
    elif run_limit_s is not None and now - one.started > run_limit_s:
        one.ask_to_stop(f"it took longer than run_limit_s={run_limit_s:g}")
    if one.asked is not None and now - one.asked > GRACE_S:
        one.job.kill()


def _how(folder: Path, death: str, reason: str | None) -> Ended:
    """How an attempt ended: what the run wrote, or where it could not write, how its process died."""
    try:
        attempt = read_json(folder / ATTEMPT)
    except (OSError, ValueError):
        attempt = {"status": "running", "error": None}
    status, error = str(attempt["status"]), attempt["error"]
    if status == "finished":
        return Ended(status=status, error=None)
    if status == "running":
        status, error = "failed", death or "its process left without a word"
    if reason is not None:
        stopped = reason.startswith("the study")
        return Ended(status="interrupted" if stopped else "failed", error=reason)
    return Ended(status=status, error=error or f"it was {status}")


def _tell(display: Display, label: str, how: Ended, seconds: float) -> None:
    if how.status == "finished":
        display.say(f"{label}: finished ({seconds:.1f} s)", style="dim")
    else:
        display.say(f"{label}: {how.status}: {how.error}", style="red" if how.status == "failed" else "")


def _words(running: list[str], ended: list[Ended]) -> str:
    failed = sum(one.status == "failed" for one in ended)
    names = ", ".join(running[:3]) + (f" and {len(running) - 3} more" if len(running) > 3 else "")
    return f"{len(running)} running: {names}" + (f"  [red]{failed} failed[/]" if failed else "")
