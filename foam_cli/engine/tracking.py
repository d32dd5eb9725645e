"""Trackers are told what the run folder gets. One that fails is switched off; the run never notices."""

import copy
import importlib.util
import math
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, cast

from foam_cli.core.errors import ConfigError
from foam_cli.core.files import read_json, write_json
from foam_cli.core.growth import GrowthRecord
from foam_cli.core.settings import Settings
from foam_cli.trackers.protocols import RunFacts, Sink, Tracker

#: What trackers call the parts of a run so far; beside the other files of the run.
_IDS = "trackers.json"
#: What of result.json they are told; the rest are texts and curves.
_RESULTS = (
    "parameters", "start_max_abs_dlogits", "growth_events", "tokens", "seconds", "training_seconds",
    "peak_memory_bytes", "export_max_abs_dlogits",
)  # fmt: skip


def check_trackers(settings: Settings) -> None:
    """Refuse what is no tracker.

    Args:
        settings: The configuration.

    Raises:
        ConfigError: Something is none.
    """
    for name, tracker in settings.tracker.items():
        if not isinstance(tracker, Tracker):
            raise ConfigError(
                f"tracker.{name}: is no tracker. Choose options of that group: tracker=[tensorboard]."
            )


def require_libraries(settings: Settings) -> None:
    """Refuse trackers whose library is not installed; only a run that trains needs it.

    Args:
        settings: The configuration.

    Raises:
        ConfigError: One is not; the message says how to install it.
    """
    for name, tracker in settings.tracker.items():
        found = importlib.util.find_spec(tracker.package)
        # A folder of that name, such as the one that wandb writes, is no library.
        if found is None or found.origin is None:
            raise ConfigError(
                f"tracker={name}: {tracker.package} is not installed. Use pip install {tracker.package}, or "
                "pip install 'foam-cli[trackers]' for all trackers, or leave it out: tracker=none."
            )


class Tracking:
    """The trackers of one run; without any, it does nothing."""

    def __init__(self) -> None:
        self._sinks: dict[str, Sink] = {}
        self._say: Callable[[str, str], None]
        self._ending: tuple[int, str, dict[str, float]] = (0, "failed", {})

    def begin(
        self,
        settings: Settings,
        values: Mapping[str, Any],
        folder: Path,
        step: int,
        say: Callable[[str, str], None],
    ) -> None:
        """Open all sinks, just before the loop begins.

        Args:
            settings: The configuration.
            values: The same as plain data, without what comes from the environment.
            folder: The run folder.
            step: Optimizer steps done.
            say: Told a line and its style when a sink is switched off.
        """
        self._say, folder = say, folder.resolve()
        known = _known_ids(folder / _IDS)
        for name, tracker in settings.tracker.items():
            facts = RunFacts(
                folder=folder,
                study=folder.parent.parent.name,
                name=f"{folder.parent.name}/{folder.name}",
                settings=copy.deepcopy(dict(values)),
                step=step,
                id=known.get(name),
            )
            self._try(name, partial(self._open, name, tracker, facts))
        if self._sinks:
            write_json(folder / _IDS, {**known, **{name: sink.id for name, sink in self._sinks.items()}})

    def log(self, row: Mapping[str, Any]) -> None:
        """Tell of a row of metrics.jsonl.

        Args:
            row: The row.
        """
        numbers = _numbers({key: value for key, value in row.items() if key != "step"})
        self._each(lambda sink: sink.log(row["step"], dict(numbers)))

    def log_growth(self, record: GrowthRecord) -> None:
        """Tell of a growth event.

        Args:
            record: The event.
        """
        self._each(lambda sink: sink.event(copy.deepcopy(record)))

    def note_result(self, result: Mapping[str, Any]) -> None:
        """Keep how the run ended until it is told.

        Args:
            result: The content of result.json.
        """
        numbers = _numbers(result.get("metrics", {})) | _numbers(
            {key: result.get(key) for key in _RESULTS}, "result/"
        )
        self._ending = (int(result.get("step", 0)), str(result["status"]), numbers)

    def close(self) -> None:
        """Tell how the run ended, when everything else of it is done: an upload may take its time."""
        step, status, numbers = self._ending
        self._each(lambda sink: sink.finish(step, status, dict(numbers)))
        self._sinks = {}

    def _open(self, name: str, tracker: Tracker, facts: RunFacts) -> None:
        self._sinks[name] = tracker.open(facts)

    def _each(self, tell: Callable[[Sink], None]) -> None:
        for name, sink in list(self._sinks.items()):
            self._try(name, partial(tell, sink))

    def _try(self, name: str, do: Callable[[], None]) -> None:
        try:
            with redirect_stdout(sys.stderr):  # some libraries talk; stdout is the command's own
                do()
        except Exception as error:  # whatever it is, it is no reason to end a run
            self._sinks.pop(name, None)
            what = f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}".rstrip(": ")
            self._say(f"tracker={name}: switched off, the run goes on without it. {what}", "yellow")


def _known_ids(path: Path) -> dict[str, str]:
    try:
        return cast("dict[str, str]", read_json(path))
    except (OSError, ValueError):
        return {}


def _numbers(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The finite numbers in a mapping, however deep, by their names joined with slashes."""
    found: dict[str, float] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _numbers(cast("Mapping[str, Any]", value), f"{prefix}{key}/")
        elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            found[f"{prefix}{key}"] = float(value)
    return found
