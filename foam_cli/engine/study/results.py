"""What a study shows: the arms side by side, each against its baseline: JSON, CSV, Markdown, a table."""

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from foam_cli.core.files import read_json, write_json, write_text
from foam_cli.core.seen import seen_labels
from foam_cli.core.text import visible
from foam_cli.engine import examine
from foam_cli.engine.study.plan import Arm
from foam_cli.engine.study.settings import Study
from foam_cli.evaluation.effects import Effect, corrected, effect, verdict

#: Of ablation_comparison.json; docs/studies.md says what each version holds.
SCHEMA_VERSION = 2

Runs = Mapping[tuple[str, int], Path]

#: What stands beside every score: name in the document, and where result.json has it.
_COSTS = {
    "seconds": ("seconds",),
    "training_seconds": ("training_seconds",),
    "tokens": ("tokens",),
    "flops": ("flops",),
    "parameters/final": ("parameters", "final"),
    "parameters/trainable": ("parameters", "trainable"),
    "peak_memory_bytes": ("peak_memory_bytes",),
}


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
    numbers = dict(result["metrics"])
    for name, path in _COSTS.items():
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
    for arm, baseline in baselines.items():
        both = [seed for seed in study.seeds if (arm, seed) in runs and (baseline, seed) in runs]
        tasks = dict.fromkeys(task for seed in both for task in answers[arm, seed])
        for task in tasks:
            pairs = {
                seed: (answers[baseline, seed][task], answers[arm, seed][task])
                for seed in both
                if task in answers[baseline, seed] and task in answers[arm, seed]
            }
            one = effect(pairs, seed=0) if pairs else None
            found += [] if one is None else [(arm, baseline, one)]
    done = corrected([one for _, _, one in found])
    return [
        _comparison(arm, baseline, [one for (of, _, _), one in zip(found, done, strict=True) if of == arm])
        for arm, baseline in baselines.items()
    ]


def _comparison(arm: str, baseline: str, effects: Sequence[Effect]) -> dict[str, Any]:
    return {
        "arm": arm,
        "baseline": baseline,
        "tasks": {one.task: {**asdict(one), "finding": one.finding} for one in effects},
        "verdict": verdict(arm, baseline, effects),
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
    write_text(target.with_suffix(".md"), _markdown(document))
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


def _markdown(document: Mapping[str, Any]) -> str:
    arms, keys = document["arms"], _rows(document["arms"])
    costs = [(key, key.replace("_", " "), "") for key in _COSTS if _known(key, arms)]
    lines = [f"# {document['study']}", "", *document["verdicts"], ""]
    lines += [f"Median [lowest, highest] of {len(document['seeds'])} seeds.", ""]
    lines += [f"| | {' | '.join(arms)} |", "|---" * (len(arms) + 1) + "|"]
    for key, task, when in [*keys, *costs]:
        cells = [_cell(arm["metrics"].get(key)) for arm in arms.values()]
        lines.append(f"| {f'{task}, {when}'.removesuffix(', ')} | {' | '.join(cells)} |")
    lines += ["", "| arm | against | task | points [95 %] | Cohen's h | p (Holm) | |", "|---" * 7 + "|"]
    for one in document["comparisons"]:
        for task, e in one["tasks"].items():
            points = f"{e['points']:+.1f} [{e['low']:+.1f}, {e['high']:+.1f}]"
            words = [one["arm"], one["baseline"], task, points, f"{e['cohens_h']:+.2f}", f"{e['p_holm']:.4f}"]
            lines.append(f"| {' | '.join([*words, e['finding']])} |")
    for label, error in document["failures"].items():
        lines += ["", f"Failed: {label}: {error}"]
    return "\n".join(lines) + "\n"


def side_by_side(document: Mapping[str, Any]) -> Table:
    """Show a comparison.

    Args:
        document: From `compare_arms`.

    Returns:
        A table with an arm per column; medians over seeds, extremes in brackets.
    """
    arms = document["arms"]
    title = f"{document['study']}: median of {len(document['seeds'])} seeds"
    columns = [Column(Text(visible(arm))) for arm in arms]
    table = Table("task", "when", *columns, title=Text(visible(title)))
    costs = {"parameters/trainable": "trainable parameters", "flops": "FLOPs", "tokens": "tokens",
             "seconds": "seconds in all", "peak_memory_bytes": "peak memory, bytes"}  # fmt: skip
    rows = [*_rows(arms), *((key, name, "") for key, name in costs.items() if _known(key, arms))]
    for key, task, when in rows:
        cells = [_cell(arm["metrics"].get(key)) for arm in arms.values()]
        table.add_row(Text(visible(task)), when, *cells, end_section=when in ("final", ""))
    return table


def _rows(arms: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    primary: dict[str, str] = next((arm["primary"] for arm in arms.values() if arm["primary"]), {})
    seen = {task: label for arm in arms.values() for task, label in arm["seen"].items()}
    return [
        (f"{when}/{task}/{metric}", f"{task} ({seen[task]})" if task in seen else task, when)
        for task, metric in primary.items()
        for when in ("base", "final")
    ]


def _known(key: str, arms: Mapping[str, Any]) -> bool:
    return any(key in arm["metrics"] for arm in arms.values())


def _cell(spread: Mapping[str, Any] | None) -> str:
    if spread is None:
        return "-"
    counted = all(isinstance(value, int) for value in spread["values"])
    form = "{:,.0f}" if counted or spread["median"] > 1000 else "{:.3f}"
    low, middle, high = (form.format(spread[key]) for key in ("min", "median", "max"))
    return middle if low == high else f"{middle} [{low}, {high}]"
