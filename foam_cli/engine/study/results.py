"""What a study shows: the arms side by side, each against its baseline, in JSON, CSV and Markdown."""

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from foam_cli.core.files import read_json, write_json, write_text
from foam_cli.core.seen import seen_labels
from foam_cli.engine import examine
from foam_cli.engine.study.plan import Arm
from foam_cli.engine.study.settings import Study
from foam_cli.engine.study.tables import COSTS, markdown
from foam_cli.evaluation.effects import Effect, corrected, effect, verdict
from foam_cli.report.in_short import in_short

#: Of ablation_comparison.json; docs/studies.md says what each version holds.
SCHEMA_VERSION = 2

Runs = Mapping[tuple[str, int], Path]


def compare_arms(
    study: Study, arms: Sequence[Arm], baselines: Mapping[str, str], runs: Runs, failures: Mapping[str, str]
) -> dict[str, Any]:
    """Lay the arms side by side, and every arm beside its baseline.

    Args:
        study: The study.
        arms: Its arms.
        baselines: Arm to the arm that it is compared with.
        runs: (arm, seed) to the folder of its finished run.
        failures: "arm/seed" to what went wrong.

    Returns:
        The document of ablation_comparison.json.
    """
    comparisons = _comparisons(study, baselines, runs)
    return {
        "schema_version": SCHEMA_VERSION,
        "study": study.name,
        "seeds": study.seeds,
        "arms": {arm.name: _side(arm, study.seeds, runs) for arm in arms},
        "comparisons": comparisons,
        "verdicts": [one["verdict"] for one in comparisons],
        "failures": dict(failures),
    }


def _side(arm: Arm, seeds: Sequence[int], runs: Runs) -> dict[str, Any]:
    results = {seed: _numbers(runs[arm.name, seed]) for seed in seeds if (arm.name, seed) in runs}
    keys = sorted({key for _, numbers in results.values() for key in numbers})
    values = {
        key: [numbers[key] for _, numbers in results.values() if numbers.get(key) is not None] for key in keys
    }
    first = next((result for result, _ in results.values()), {})
    return {
        "overrides": arm.overrides,
        "seeds": list(results),
        "runs": {str(seed): str(runs[arm.name, seed]) for seed in results},
        "metrics": {key: _spread(numbers) for key, numbers in values.items() if numbers},
        "primary": first.get("primary", {}),
        "roles": first.get("roles", {}),
        "seen": {
            task: label
            for result, _ in results.values()
            for task, label in seen_labels(result.get("contamination")).items()
        },
    }


def _numbers(run: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """A run's result.json, and all its numbers in one flat map."""
    result = read_json(run / "result.json")
    numbers = {**result["metrics"], **in_short(result)}
    for name, path in COSTS.items():
        value: Any = result
        for key in path:
            value = value.get(key) if value is not None else None
        if value is not None:
            numbers[name] = value
    return result, numbers


def _spread(values: Sequence[float | int]) -> dict[str, Any]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "values": values}


# ---------------------------------------------------------------- statistics


def _comparisons(study: Study, baselines: Mapping[str, str], runs: Runs) -> list[dict[str, Any]]:
    """Every arm against its baseline; p-values are corrected for all of the study's comparisons together."""
    found: list[tuple[str, str, Effect]] = []
    answers = {key: examine.load(run / "evaluations" / "final") or {} for key, run in runs.items()}
    both = {
        arm: [seed for seed in study.seeds if (arm, seed) in runs and (baseline, seed) in runs]
        for arm, baseline in baselines.items()
    }
    for arm, baseline in baselines.items():
        tasks = dict.fromkeys(task for seed in both[arm] for task in answers[arm, seed])
        for task in tasks:
            pairs = {
                seed: (answers[baseline, seed][task], answers[arm, seed][task])
                for seed in both[arm]
                if task in answers[baseline, seed] and task in answers[arm, seed]
            }
            one = effect(pairs, seed=0) if pairs else None
            found += [] if one is None else [(arm, baseline, one)]
    done = corrected([one for _, _, one in found])
    effects: dict[str, list[Effect]] = {arm: [] for arm in baselines}
    for (arm, _, _), one in zip(found, done, strict=True):
        effects[arm].append(one)
    return [
        _comparison(arm, baseline, effects[arm], paired=bool(both[arm]))
        for arm, baseline in baselines.items()
    ]


def _comparison(arm: str, baseline: str, effects: Sequence[Effect], *, paired: bool) -> dict[str, Any]:
    unpaired = f"{arm} against {baseline}: no seed of both is finished."
    return {
        "arm": arm,
        "baseline": baseline,
        "tasks": {one.task: {**asdict(one), "finding": one.finding} for one in effects},
        "verdict": verdict(arm, baseline, effects) if paired else unpaired,
    }


# ---------------------------------------------------------------- files


def write_results(document: Mapping[str, Any], runs: Runs, folder: Path) -> Path:
    """Write the comparison in all its forms.

    Args:
        document: From `compare_arms`.
        runs: (arm, seed) to the folder of its finished run.
        folder: Where to.

    Returns:
        The JSON file; a CSV file with one row per run and a Markdown file lie beside it.
    """
    target = folder / "ablation_comparison.json"
    write_json(target, document)
    write_text(target.with_suffix(".csv"), _csv(runs))
    write_text(target.with_suffix(".md"), markdown(document))
    return target


def _csv(runs: Runs) -> str:
    rows = [
        {"arm": arm, "seed": seed, "run": str(run), **_numbers(run)[1]} for (arm, seed), run in runs.items()
    ]
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
