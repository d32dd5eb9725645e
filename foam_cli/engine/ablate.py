"""`foam ablate`: the arms of a study on the same data, order and seeds, one after the other, compared."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from foam_cli import config
from foam_cli.building import build
from foam_cli.core.errors import FoamError
from foam_cli.core.files import read_json, write_json
from foam_cli.core.seen import seen_labels
from foam_cli.core.text import visible
from foam_cli.engine import machine
from foam_cli.engine.display import Display
from foam_cli.engine.folder import arm_folder, run_id, status
from foam_cli.engine.run import build_settings, run_training

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study.

    Attributes:
        name: Its name; its runs are in OUTPUT_DIR/name.
        seeds: The seeds of every arm.
        arms: Arm to the settings in which it differs.
    """

    name: str
    seeds: list[int]
    arms: dict[str, Any]

    def __post_init__(self) -> None:
        if not self.seeds:
            raise ValueError("study.seeds=[]: give at least one seed.")


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """What `foam ablate` is told.

    Attributes:
        study: The study.
        results_dir: Where the comparison is written.
    """

    study: Study
    results_dir: str


def ablate(
    name: str, overrides: Sequence[str], display: Display, *, command: str, config_dirs: Sequence[Path] = ()
) -> dict[str, Any]:
    """Run a study; finished runs are not repeated, unfinished ones are continued.

    Args:
        name: An option of the group study.
        overrides: `study.*` and `results_dir` for the study itself, all others for every arm.
        display: Shows the progress.
        command: What the user typed.
        config_dirs: The user's own configuration folders.

    Returns:
        The comparison, as it is written to ablation_comparison.json.

    Raises:
        FoamError: Every run failed.
    """
    own = [word for word in overrides if word.startswith(("study.", "results_dir="))]
    shared = machine.resolve_auto([word for word in overrides if word not in own])
    composed = config.compose([f"study={name}", *own], config_dirs, name="ablate")
    settings = build(StudySettings, composed.values)
    study = settings.study
    plans = {
        (arm, seed): [*shared, *differences, f"seed={seed}", f"name.study={study.name}", f"name.arm={arm}"]
        for seed in study.seeds
        for arm, differences in study.arms.items()
    }
    for plan in plans.values():  # the whole study is checked before its first run starts
        build_settings(config.compose(plan, config_dirs).values)
    runs: dict[tuple[str, int], Path] = {}
    failures: dict[str, str] = {}
    for number, ((arm, seed), plan) in enumerate(plans.items(), 1):
        display.say(f"[{number}/{len(plans)}] {study.name}: {arm}, seed {seed}", style="bold")
        try:
            runs[arm, seed] = _run_once(plan, display, command, config_dirs)
        except (FoamError, OSError, RuntimeError) as error:
            failures[f"{arm}/{seed}"] = str(error)
            display.say(f"{arm}, seed {seed} failed: {error}", style="red")
    if not runs:
        raise FoamError(f"{study.name}: every run failed. The first: {next(iter(failures.values()))}")
    document = compare_arms(study, runs, failures)
    target = Path(settings.results_dir) / "ablation_comparison.json"
    write_json(target, document)
    display.console.print(side_by_side(document))
    display.say(str(target), style="dim")
    return document


def _run_once(plan: Sequence[str], display: Display, command: str, config_dirs: Sequence[Path]) -> Path:
    composed = config.compose(plan, config_dirs)
    arm, seed = arm_folder(composed.values, composed.choices), composed.values["seed"]
    for folder in sorted(arm.glob(f"{seed}*")):
        if not (folder / "manifest.json").is_file():
            continue
        if read_json(folder / "manifest.json")["run_id"] != run_id(composed.values):
            continue
        if status(folder) == "finished":
            display.say(f"  finished before: {folder}", style="dim")
            return folder
        outcome = run_training([], display, command=command, resume=str(folder))
        return _finished(outcome.folder, outcome.status)
    outcome = run_training(plan, display, command=command, config_dirs=config_dirs)
    return _finished(outcome.folder, outcome.status)


def _finished(folder: Path, how: str) -> Path:
    if how != "finished":
        raise KeyboardInterrupt(f"stopped in {folder}")
    return folder


def compare_arms(study: Study, runs: dict[tuple[str, int], Path], failures: dict[str, str]) -> dict[str, Any]:
    """Lay the arms side by side.

    Args:
        study: The study.
        runs: (arm, seed) to the folder of its finished run.
        failures: "arm/seed" to what went wrong.

    Returns:
        The document of ablation_comparison.json: per arm and metric the median over seeds, the extremes and
        every value.
    """
    arms: dict[str, Any] = {}
    for arm, differences in study.arms.items():
        results = {
            seed: read_json(runs[arm, seed] / "result.json") for seed in study.seeds if (arm, seed) in runs
        }
        keys = sorted({key for result in results.values() for key in result["metrics"]})
        extra = {
            "seconds": [result["seconds"] for result in results.values()],
            "training_seconds": [result["training_seconds"] for result in results.values()],
            "tokens": [result["tokens"] for result in results.values()],
            "parameters/final": [result["parameters"]["final"] for result in results.values()],
            "parameters/trainable": [result["parameters"]["trainable"] for result in results.values()],
            "peak_memory_bytes": [result["peak_memory_bytes"] for result in results.values()],
        }
        values = {key: [result["metrics"][key] for result in results.values()] for key in keys} | extra
        arms[arm] = {
            "overrides": list(differences),
            "seeds": list(results),
            "runs": {str(seed): str(runs[arm, seed]) for seed in results},
            "metrics": {key: _spread(numbers) for key, numbers in values.items() if numbers},
            "primary": next((result["primary"] for result in results.values()), {}),
            "seen": {
                task: label
                for result in results.values()
                for task, label in seen_labels(result.get("contamination")).items()
            },
        }
    return {
        "schema_version": SCHEMA_VERSION,
        "study": study.name,
        "seeds": study.seeds,
        "arms": arms,
        "failures": failures,
    }


def _spread(values: Sequence[float | int]) -> dict[str, Any]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "values": values}


def side_by_side(document: dict[str, Any]) -> Table:
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
    primary: dict[str, str] = next((arm["primary"] for arm in arms.values() if arm["primary"]), {})
    seen = {task: label for arm in arms.values() for task, label in arm["seen"].items()}
    rows = [
        (f"{when}/{task}/{metric}", f"{task} ({seen[task]})" if task in seen else task, when)
        for task, metric in primary.items()
        for when in ("base", "final")
    ]
    rows += [("parameters/final", "parameters", "final"), ("seconds", "seconds in all", "")]
    for key, task, when in rows:
        cells = [_cell(arm["metrics"].get(key)) for arm in arms.values()]
        table.add_row(Text(visible(task)), when, *cells, end_section=when in ("final", ""))
    return table


def _cell(spread: dict[str, Any] | None) -> str:
    if spread is None:
        return "-"
    form = "{:,.0f}" if spread["median"] > 1000 else "{:.3f}"
    low, middle, high = (form.format(spread[key]) for key in ("min", "median", "max"))
    return middle if low == high else f"{middle} [{low}, {high}]"
