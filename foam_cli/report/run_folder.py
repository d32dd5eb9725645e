"""A run folder as data. Nothing in it is needed: what is missing or damaged is noted, never an error."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foam_cli.core.files import read_jsonl
from foam_cli.report.numbers import as_number


@dataclass(frozen=True, kw_only=True)
class GrowthEvent:
    """One line of growth.jsonl.

    Attributes:
        step: The optimizer step after which it happened.
        born: Neurons born, per block.
        recycled: Neurons erased, all blocks together.
        blocks: Blocks inserted.
        row: The whole line.
    """

    step: int
    born: dict[int, int]
    recycled: int
    blocks: int
    row: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """Everything a report is made from.

    Attributes:
        path: The folder.
        config: Text of config.yaml.
        manifest: Where the run came from.
        result: What it came to.
        metrics: Lines of metrics.jsonl.
        growth: Lines of growth.jsonl.
        samples: Answers before and after.
        notes: What is missing or damaged, one sentence each.
    """

    path: Path
    config: str
    manifest: dict[str, Any]
    result: dict[str, Any]
    metrics: list[dict[str, Any]]
    growth: list[GrowthEvent]
    samples: list[dict[str, Any]]
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The last three parts of the path: study, arm, seed."""
        return " / ".join(self.path.parts[-3:]).removeprefix("/ ")

    @property
    def status(self) -> str:
        """How the run ended; a run without a result has not finished."""
        return str(self.result.get("status", "unfinished"))

    @property
    def last_step(self) -> int:
        """The last optimizer step that anything was logged for."""
        logged = [as_number(row.get("step")) or 0 for row in self.metrics]
        return int(max([*logged, *(event.step for event in self.growth)], default=0))

    @property
    def neurons_born(self) -> int:
        """Neurons born in all events."""
        return sum(sum(event.born.values()) for event in self.growth)


def read_run(run_dir: Path) -> RunFolder:
    """Read a run folder.

    Args:
        run_dir: The folder; any file in it may be missing.

    Returns:
        Its content, with a note for everything that is missing or damaged.
    """
    path = run_dir.resolve()
    notes: list[str] = []
    config = path / "config.yaml"
    samples = _read(path / "samples.json", notes, list[Any]())
    return RunFolder(
        path=path,
        config=config.read_text(encoding="utf-8", errors="replace") if config.is_file() else "",
        manifest=_read(path / "manifest.json", notes, dict[str, Any]()),
        result=_read(path / "result.json", notes, dict[str, Any]()),
        metrics=_rows(path / "metrics.jsonl", notes),
        growth=[_event(row) for row in _rows(path / "growth.jsonl", notes)],
        samples=[row for row in samples if isinstance(row, dict)],
        notes=notes,
    )


def _is_there(path: Path, notes: list[str]) -> bool:
    """A run that did not grow or was not evaluated has no such files: the page says that in its own place."""
    there = path.is_file()
    if not there and path.name not in ("growth.jsonl", "samples.json"):
        notes.append(f"{path.name} is not there.")
    return there


def _read(path: Path, notes: list[str], empty: Any) -> Any:
    if not _is_there(path, notes):
        return empty
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        notes.append(f"{path.name} is damaged and was left out.")
        return empty
    if not isinstance(value, type(empty)):
        notes.append(f"{path.name} does not hold what it should and was left out.")
        return empty
    return value


def read_object(path: Path, notes: list[str]) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: The file.
        notes: Gets a sentence where it is missing or damaged.

    Returns:
        The object, or an empty one.
    """
    return _read(path, notes, dict[str, Any]())


def _rows(path: Path, notes: list[str]) -> list[dict[str, Any]]:
    if not _is_there(path, notes):
        return []
    try:
        rows: list[Any] = list(read_jsonl(path))
    except UnicodeDecodeError:
        notes.append(f"{path.name} is damaged and was left out.")
        return []
    return [row for row in rows if isinstance(row, dict)]


def mapping(value: Any) -> dict[str, Any]:
    """Read a mapping from data that may hold anything.

    Args:
        value: What a JSON file holds.

    Returns:
        The mapping, or an empty one.
    """
    return value if isinstance(value, dict) else {}


def _event(row: dict[str, Any]) -> GrowthEvent:
    counts = {block: as_number(n) for block, n in mapping(row.get("born")).items() if str(block).isdecimal()}
    erased = mapping(row.get("recycled")).values()
    blocks = row.get("blocks_after")
    return GrowthEvent(
        step=int(as_number(row.get("step")) or 0),
        born={int(block): int(n) for block, n in counts.items() if n},
        recycled=sum(len(indices) for indices in erased if isinstance(indices, list)),
        blocks=len(blocks) if isinstance(blocks, list) else 0,
        row=row,
    )
