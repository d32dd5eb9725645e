"""The process of one run of a study: it continues a folder, and writes down how that ended.

`python -m foam_cli.engine.study.worker FOLDER` does by hand what the launchers do.
"""

import fcntl
import os
import socket
import sys
import time
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from foam_cli.core.files import write_json
from foam_cli.engine.display import Display
from foam_cli.engine.folder import status
from foam_cli.engine.run import run_training
from foam_cli.engine.study.jobs import Order

#: How this attempt at the run goes; the supervisor removes it before every attempt.
ATTEMPT = "attempt.json"


def work(order: Order) -> None:
    """Run, or continue, what is in a folder.

    Args:
        order: Which folder, and what cannot stand in it.
    """
    os.chdir(order.working_dir)
    if order.threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(order.threads)
    folder = Path(order.folder)
    started = time.monotonic()
    attempt = {"process": os.getpid(), "host": socket.gethostname()}
    with _output_in(folder / "log.txt"):
        write_json(folder / ATTEMPT, {**attempt, "status": "running", "error": None})
        try:
            ended, error = _continue(folder, order), None
        except (Exception, KeyboardInterrupt) as raised:  # whatever it is, the study must hear of it
            traceback.print_exc()
            ended, error = "failed", str(raised) or type(raised).__name__
        seconds = round(time.monotonic() - started, 3)
        write_json(folder / ATTEMPT, {**attempt, "status": ended, "error": error, "seconds": seconds})


@contextmanager
def _output_in(file: Path) -> Generator[None]:
    """Everything that this process writes goes to the end of a file, also what libraries in C write."""
    sys.stdout.flush()
    sys.stderr.flush()
    before = (os.dup(1), os.dup(2))
    with file.open("a", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, handle in enumerate(before, 1):
            os.dup2(handle, number)
            os.close(handle)


def _continue(folder: Path, order: Order) -> str:
    """How the run ended; also where another process, left over from a study that was killed, ended it."""
    _wait_until_free(folder)
    if status(folder) == "finished":
        return "finished"
    words = [f"plugins=[{','.join(order.plugins)}]"] if order.plugins else []
    display = Display(Console(width=110))
    return run_training(words, display, command=order.command, resume=str(folder)).status


def _wait_until_free(folder: Path) -> None:
    with (folder / ".lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{folder}: waiting for another process that is writing there", flush=True)  # noqa: T201
            fcntl.flock(lock, fcntl.LOCK_EX)


if __name__ == "__main__":
    work(
        Order(
            folder=str(Path(sys.argv[1]).resolve()),
            plugins=(),
            command=" ".join(sys.argv),
            working_dir=str(Path.cwd()),
            threads=None,
        )
    )
