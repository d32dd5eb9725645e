"""What it takes to make runs again."""

import shlex
from collections.abc import Sequence

from foam_cli.report.run_folder import RunFolder, mapping

_MAX_VALUES = 6


def origin(runs: Sequence[RunFolder]) -> list[tuple[str, list[str]]]:
    """Sum up where runs came from.

    Args:
        runs: One run, or those of a study.

    Returns:
        (name, lines): what all runs share is said once, and different values side by side.
    """
    lines: list[tuple[str, list[str]]] = []
    commands = [shlex.join(map(str, one)) if isinstance(one, list) else one for one in _each(runs, "command")]
    seeds = [run.manifest.get("seed", run.result.get("seed")) for run in runs]
    lines += _line("command", commands) + _line("seed" if len(set(map(str, seeds))) < 2 else "seeds", seeds)
    for key in ("git_commit", "foam", "base_sha256", "started"):
        lines += _line(key.replace("_", " "), _each(runs, key))
    for key in ("versions", "machine", "data"):
        parts = [mapping(one) for one in _each(runs, key)]
        names = dict.fromkeys(name for part in parts for name in part)
        values = {name: _joined([part[name] for part in parts if name in part]) for name in names}
        found = [f"{name}: {value}" for name, value in values.items()]
        lines += [(key, found)] if found else []
    return lines


def _each(runs: Sequence[RunFolder], key: str) -> list[object]:
    return [run.manifest.get(key) for run in runs]


def _line(name: str, values: Sequence[object]) -> list[tuple[str, list[str]]]:
    known = [value for value in values if value is not None]
    if name == "started" and len(known) > 1:
        known = sorted({str(known[0]), *map(str, known)})
        return [(name, [f"{known[0]} to {known[-1]}" if len(known) > 1 else known[0]])]
    return [(name, [_joined(known)])] if known else []


def _joined(values: Sequence[object]) -> str:
    distinct = list(dict.fromkeys(map(str, values)))
    more = f" and {len(distinct) - _MAX_VALUES} more" if len(distinct) > _MAX_VALUES else ""
    return ", ".join(distinct[:_MAX_VALUES]) + more
