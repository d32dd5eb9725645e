"""`foam eval`: score a run, an export, or any model."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from foam_cli import config
from foam_cli.core.errors import ConfigError
from foam_cli.core.files import write_json
from foam_cli.core.settings import Settings
from foam_cli.engine import examine, machine
from foam_cli.engine.display import Display
from foam_cli.engine.prepare import Source
from foam_cli.engine.run import build_settings, restore
from foam_cli.evaluation.subject import Subject
from foam_cli.model.loading import BaseModel, load_base, speaks_like, weights_dtype

#: Tasks that only the embedded world has questions for.
ONLY_NANOWORLD = {"science", "general_chat"}


def evaluate(words: Sequence[str], display: Display, config_dirs: Sequence[Path] = ()) -> dict[str, Any]:
    """Score one target on some tasks.

    Args:
        words: Task names, one target (`run=DIR`, `model=NAME` or `model.path=DIR`) and settings. Questions
            come from the run's data; without a run from `data=...`, else from data=nanoworld for models with
            nano's vocabulary and from data=skills for any other.
        display: Shows the progress.
        config_dirs: The user's own configuration folders.

    Returns:
        The document that is also written as result.json.

    Raises:
        ConfigError: No task or no target is named.
    """
    tasks = [word for word in words if "=" not in word]
    runs = [word.removeprefix("run=") for word in words if word.startswith("run=")]
    overrides = [word for word in words if "=" in word and not word.startswith("run=")]
    if not tasks:
        raise ConfigError(f"Name a task: {', '.join(config.groups(config_dirs)['evaluation'])}.")
    if not runs and not any(word.startswith(("model=", "model.path=")) for word in overrides):
        raise ConfigError("Name what to score: run=DIR, model=NAME or model.path=DIR.")
    overrides = machine.resolve_auto([f"evaluation=[{','.join(tasks)}]", *overrides])
    settings = build_settings(config.compose(_with_world(overrides, config_dirs), config_dirs).values)
    machine.set_up(settings.hardware, settings.seed)
    base, source, where = _target(runs, settings, display)
    subject = Subject(
        model=base.model,
        tokenizer=base.tokenizer,
        max_length=base.max_length,
        batch_tokens=settings.evaluation["batch_tokens"],
    )
    results = examine.examine(examine.tasks_of(settings.evaluation), subject, source, "eval", display)
    examine.save(results, where)
    document = _document(results, base, runs[0] if runs else settings.model.path)
    write_json(where / "result.json", document)
    display.console.print(_table(results))
    display.say(f"{where / 'result.json'}", style="dim")
    return document


def _with_world(overrides: list[str], config_dirs: Sequence[Path]) -> list[str]:
    """Ask in English if nobody says otherwise, unless model or task belongs to the embedded world."""
    if any(word.lstrip("+").startswith(("data=", "data.path=")) for word in overrides):
        return overrides
    values = config.compose(overrides, config_dirs).values
    of_nanoworld = ONLY_NANOWORLD & values["evaluation"].keys()
    if of_nanoworld or speaks_like(str(values["model"]["path"]), "nano"):
        return overrides
    return ["data=skills", *overrides]


def _target(runs: Sequence[str], settings: Settings, display: Display) -> tuple[BaseModel, Source, Path]:
    """The model, where the built-in questions come from, and where results are kept."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    if runs:
        run = restore(Path(runs[0]), display)
        return run.base, run.settings.data, Path(runs[0]) / "evaluations" / f"eval-{stamp}"
    base = load_base(
        settings.model, dtype=weights_dtype(settings.hardware.precision), device=settings.hardware.device
    )
    name = Path(settings.model.path.replace(":", "-")).name
    return base, settings.data, Path(settings.output_dir) / "eval" / f"{name}-{stamp}"


def _document(results: examine.Results, base: BaseModel, target: str) -> dict[str, Any]:
    metrics, intervals = examine.flat({"eval": results})
    return {
        "target": target,
        "sha256": base.sha256,
        "metrics": {key.removeprefix("eval/"): value for key, value in metrics.items()},
        "intervals": {key.removeprefix("eval/"): value for key, value in intervals.items()},
        "n": {f"{task}/{k}": m.n for task, result in results.items() for k, m in result.metrics.items()},
        "recipes": {task: result.recipe for task, result in results.items()},
        "data_sha256": {task: result.data_sha256 for task, result in results.items()},
        **machine.describe(),
    }


def _table(results: examine.Results) -> Table:
    table = Table("task", "metric", "value", "95 % interval", "n", box=None, pad_edge=False)
    for task, result in results.items():
        for name, metric in result.metrics.items():
            interval = "" if metric.low is None else f"{metric.low:.4f} to {metric.high:.4f}"
            style = "bold" if name == result.primary else ""
            table.add_row(task, name, f"{metric.value:.4f}", interval, f"{metric.n}", style=style)
    return table
