"""Ctrl-C and SIGTERM end a run between two steps, with everything saved."""

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

#: The exit code of a run that was stopped and can be resumed.
STOPPED_EXIT_CODE = 3


@contextmanager
def stop_requests(tell: Callable[[str], None]) -> Generator[Callable[[], bool]]:
    """Turn the first signal into a wish that the loop asks for; a second Ctrl-C interrupts at once.

    Args:
        tell: Told when the wish arrives.

    Yields:
        A function that says whether the user wants the run to end.
    """
    wished = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal wished
        del frame
        if wished and number == signal.SIGINT:
            raise KeyboardInterrupt
        wished = True
        tell("Stopping after this step; everything will be saved. Ctrl-C again stops at once.")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: wished
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
