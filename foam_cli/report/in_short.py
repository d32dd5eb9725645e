"""A run in few numbers: what it learnt and what it forgot."""

import statistics
from collections.abc import Mapping
from typing import Any

from foam_cli.report.numbers import as_number, is_fraction, lower_is_better
from foam_cli.report.run_folder import mapping


def main_metrics(result: Mapping[str, Any], role: str) -> dict[str, str]:
    """The tasks of one role, each with its main metric.

    Args:
        result: A run's result.json.
        role: `learnt` or `kept`.

    Returns:
        Task to metric.
    """
    roles, primary = mapping(result.get("roles")), mapping(result.get("primary"))
    return {task: str(metric) for task, metric in primary.items() if roles.get(task) == role}


def in_short(result: Mapping[str, Any]) -> dict[str, float]:
    """Sum a run up.

    Args:
        result: Its result.json.

    Returns:
        `learnt`: the mean final score of what was to be learnt, of tasks whose main metric is a fraction.
        `forgotten/TASK`: by how much the trained model is worse in what was to be kept, in the main metric's
        own unit. What was not measured is left out.
    """
    metrics = mapping(result.get("metrics"))
    learnt = [
        as_number(metrics.get(f"final/{task}/{metric}"))
        for task, metric in main_metrics(result, "learnt").items()
        if is_fraction(metric)
    ]
    known = [value for value in learnt if value is not None]
    short = {"learnt": statistics.fmean(known)} if known and len(known) == len(learnt) else {}
    for task, metric in main_metrics(result, "kept").items():
        base, final = (as_number(metrics.get(f"{when}/{task}/{metric}")) for when in ("base", "final"))
        if base is not None and final is not None:
            short[f"forgotten/{task}"] = final - base if lower_is_better(metric) else base - final
    return short
