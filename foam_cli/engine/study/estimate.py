"""What the runs of a study will take, from what its finished runs took."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foam_cli.core.files import read_json
from foam_cli.engine.study.plan import PlannedRun


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a run will take.

    Attributes:
        seconds: Time, or None where nothing is known.
        memory_bytes: Peak memory, or None.
        source: Where the numbers come from.
    """

    seconds: float | None
    memory_bytes: int | None
    source: str


def estimate(runs: Sequence[PlannedRun], finished: Mapping[str, Path]) -> dict[str, Estimate]:
    """Estimate every run of a study.

    Args:
        runs: The runs.
        finished: Label to folder of those that are finished.

    Returns:
        Label to estimate: the median of the arm's finished seeds, or else of all of the study's runs.
    """
    results = {label: read_json(folder / "result.json") for label, folder in finished.items()}
    found: dict[str, Estimate] = {}
    for run in runs:
        arm = [results[one.label] for one in runs if one.arm == run.arm and one.label in results]
        source = "finished runs of this arm" if arm else "finished runs of this study"
        found[run.label] = _median(arm or list(results.values()), source)
    return found


def _median(results: Sequence[Mapping[str, Any]], source: str) -> Estimate:
    if not results:
        return Estimate(seconds=None, memory_bytes=None, source="no run of this study is finished yet")
    return Estimate(
        seconds=statistics.median(float(result["seconds"]) for result in results),
        memory_bytes=int(statistics.median(int(result["peak_memory_bytes"]) for result in results)),
        source=source,
    )
