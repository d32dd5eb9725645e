"""`foam eval`: score a run, an export, or any model."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from foam_cli import config
from foam_cli.core.errors import ConfigError
from foam_cli.core.files import write_json
from foam_cli.core.seen import seen_labels
from foam_cli.core.settings import Settings
from foam_cli.core.text import visible
from foam_cli.engine import examine, machine
from foam_cli.engine.display import Display
from foam_cli.engine.prepare import Source
from foam_cli.engine.run import build_settings, restore
from foam_cli.evaluation.subject import Subject
from foam_cli.model.loading import BaseModel, load_base, weights_dtype


def evaluate(words: Sequence[str], display: Display, config_dirs: Sequence[Path] = ()) -> dict[str, Any]:
    """Score one target on some tasks.

    Args:
        words: Task names, one target (`run=DIR`, `model=NAME` or `model.path=DIR`) and settings.
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
    settings = build_settings(config.compose(overrides, config_dirs).values)
    machine.set_up(settings.hardware, settings.seed)
    asked = examine.tasks_of(settings.evaluation)
    base, source, where, contamination = _target(runs, settings, display, asked)
    seen = seen_labels(contamination)
    subject = Subject(
        model=base.model,
        tokenizer=base.tokenizer,
        max_length=base.max_length,
        batch_tokens=settings.evaluation["batch_tokens"],
    )
    results = examine.examine(asked, subject, source, "eval", display, seen=seen)
    examine.save(results, where)
    document = _document(results, base, runs[0] if runs else settings.model.path)
    document["contamination"] = contamination
    write_json(where / "result.json", document)
    display.console.print(_table(results, seen))
    display.say(f"{where / 'result.json'}", style="dim")
    return document


def _target(
    runs: Sequence[str], settings: Settings, display: Display, asked: examine.Tasks
) -> tuple[BaseModel, Source, Path, dict[str, Any] | None]:
    """The model, where the built-in questions come from, where results are kept, and what training saw.

    What a model of unknown training saw is not known: None.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    if runs:
        run = restore(Path(runs[0]), display, asked)
        where = Path(runs[0]) / "evaluations" / f"eval-{stamp}"
        return run.base, run.settings.data, where, run.seen.tasks
    base = load_base(
        settings.model, dtype=weights_dtype(settings.hardware.precision), device=settings.hardware.device
    )
    name = Path(settings.model.path.replace(":", "-")).name
    return base, settings.data, Path(settings.output_dir) / "eval" / f"{name}-{stamp}", None


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


def _table(results: examine.Results, seen: Mapping[str, str]) -> Table:
    table = Table("task", "metric", "value", "95 % interval", "n", box=None, pad_edge=False)
    for task, result in results.items():
        for name, metric in result.metrics.items():
            interval = "" if metric.low is None else f"{metric.low:.4f} to {metric.high:.4f}"
            style = "bold" if name == result.primary else ""
            label = f" ({seen[task]})" if task in seen else ""
            names = (Text(visible(task + label)), Text(visible(name)))
            table.add_row(*names, f"{metric.value:.4f}", interval, f"{metric.n}", style=style)
    return table
