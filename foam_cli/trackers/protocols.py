"""What the engine asks of a tracker, which is told what the run folder gets and says nothing back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from foam_cli.core.growth import GrowthRecord


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What a tracker is told of a run before its first step.

    Attributes:
        folder: The run folder.
        study: The question that the run belongs to.
        name: Its arm and seed.
        settings: The configuration; what comes from the environment is not filled in.
        step: Optimizer steps done; more than none where a run is continued.
        id: What the tracker called an earlier part of this run, or None.
    """

    folder: Path
    study: str
    name: str
    settings: dict[str, Any]
    step: int
    id: str | None


@runtime_checkable
class Sink(Protocol):
    """Takes the numbers of one run. Whatever it raises ends it alone, never the run."""

    @property
    def id(self) -> str:
        """What the library calls this run; told again when the run is continued."""
        ...

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Take a row of metrics.jsonl."""
        ...

    def event(self, record: GrowthRecord) -> None:
        """Take a growth event."""
        ...

    def finish(self, step: int, status: str, result: Mapping[str, float]) -> None:
        """Take how the run ended (`finished`, `interrupted` or `failed`), and close."""
        ...


@runtime_checkable
class Tracker(Protocol):
    """Opens sinks."""

    @property
    def package(self) -> str:
        """The library, as it is imported and installed."""
        ...

    def open(self, facts: RunFacts) -> Sink:
        """Begin to track a run, or go on with it."""
        ...


def numbers_of(record: GrowthRecord) -> dict[str, float]:
    """The numbers of a growth event.

    Args:
        record: The event.

    Returns:
        Numbers whose names begin with `growth/`.
    """
    found: dict[str, float | None] = {
        "event": record.event,
        "born": sum(record.born.values()),
        "recycled": sum(map(len, record.recycled.values())),
        "blocks": len(record.blocks_after),
        "parameters": record.parameters_after,
        "max_abs_dlogits": record.max_abs_dlogits,
        "loss_before_nats": record.loss_before_nats,
        "loss_after_nats": record.loss_after_nats,
        "seconds": record.seconds,
    }
    return {f"growth/{name}": float(value) for name, value in found.items() if value is not None}


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Settings as one level of text.

    Args:
        settings: Nested settings.
        prefix: What their names begin with.

    Returns:
        Values by the names that they have on the command line.
    """
    found: dict[str, str] = {}
    for key, value in settings.items():
        inner = isinstance(value, Mapping) and value
        found |= flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": str(value)}
    return found
