"""What the runs of a study will take, from what its finished runs took or else from their plans."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foam_cli.core.errors import ConfigError
from foam_cli.core.files import read_json
from foam_cli.core.settings import Settings
from foam_cli.engine.plan import plan_of
from foam_cli.engine.rate import Rate, rate_of
from foam_cli.engine.run import build_settings
from foam_cli.engine.study.plan import PlannedRun
from foam_cli.model.blueprint import config_of


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


def estimate(
    runs: Sequence[PlannedRun],
    finished: Mapping[str, Path],
    progress: Callable[[int], None] | None = None,
) -> dict[str, Estimate]:
    """Estimate every run of a study.

    Args:
        runs: The runs.
        finished: Label to folder of those that are finished.
        progress: Told how many arms are planned, where none is finished.

    Returns:
        Label to estimate: the median of the arm's finished seeds, or else of all of the study's runs, or else
        what the arm's plan says.
    """
    if not finished:
        firsts = {run.arm: run for run in runs}
        plans: dict[str, Estimate] = {}
        rates: dict[str, Rate | None] = {}
        for done, (arm, run) in enumerate(firsts.items(), 1):
            plans[arm] = _planned(run, rates)
            if progress:
                progress(done)
        return {run.label: plans[run.arm] for run in runs}
    results = {label: read_json(folder / "result.json") for label, folder in finished.items()}
    found: dict[str, Estimate] = {}
    for run in runs:
        arm = [results[one.label] for one in runs if one.arm == run.arm and one.label in results]
        source = "finished runs of this arm" if arm else "finished runs of this study"
        found[run.label] = _median(arm or list(results.values()), source)
    return found


def _planned(run: PlannedRun, rates: dict[str, Rate | None]) -> Estimate:
    settings = build_settings(run.composed.values)
    plan = plan_of(settings, timed=False)
    # Arms of one study are to be compared, and a machine's speed is not the same twice.
    same_speed = repr((settings.model, settings.hardware))
    if same_speed not in rates:
        rates[same_speed] = _rate(settings, plan.shape_BT)
    rate = rates[same_speed]
    return Estimate(
        seconds=None if rate is None else plan.flops / math.sqrt(rate.low * rate.high),
        memory_bytes=plan.peak_bytes,
        source="plan; training alone",
    )


def _rate(settings: Settings, shape_BT: tuple[int, int]) -> Rate | None:
    try:
        return rate_of(config_of(settings.model), settings, shape_BT, measure=False)
    except ConfigError:  # the device is elsewhere, and nobody said how fast it is
        return None


def _median(results: Sequence[Mapping[str, Any]], source: str) -> Estimate:
    return Estimate(
        seconds=statistics.median(float(result["seconds"]) for result in results),
        memory_bytes=int(statistics.median(int(result["peak_memory_bytes"]) for result in results)),
        source=source,
    )
