"""`foam eval`: score a run, an export, or any model; compare two of them item by item."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from foam_cli import __version__, config
from foam_cli.core.errors import DataError
from foam_cli.core.files import sha256_file, sha256_json, write_json
from foam_cli.core.metric import Metric
from foam_cli.core.seen import seen_labels
from foam_cli.core.settings import Settings
from foam_cli.core.text import visible
from foam_cli.engine import examine, machine
from foam_cli.engine.display import Display
from foam_cli.engine.run import build_settings, restore
from foam_cli.engine.targets import Target, sort_words
from foam_cli.evaluation.compare import compare
from foam_cli.evaluation.journal import Journal
from foam_cli.evaluation.subject import Subject
from foam_cli.model.loading import BaseModel, load_base, speaks_like, weights_dtype

#: Tasks that only the embedded world has questions for.
ONLY_NANOWORLD = {"science", "general_chat"}


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A target, ready to be asked.

    Attributes:
        base: Its model and tokenizer.
        sha256: Hash of its weights: of the checkpoint, too, if it is a run.
        source: Where its built-in questions come from.
        contamination: What its training saw of the tasks, or None where that is not known.
    """

    base: BaseModel
    sha256: str
    source: examine.Questions
    contamination: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What became of a target.

    Attributes:
        document: What result.json says.
        results: Every answer.
        source: Where the questions came from.
    """

    document: dict[str, Any]
    results: examine.Results
    source: examine.Questions


def evaluate(words: Sequence[str], display: Display, config_dirs: Sequence[Path] = ()) -> dict[str, Any]:
    """Score one target on some tasks, or two and compare them.

    Args:
        words: Task names, targets and settings; see `sort_words`. Questions come from a run's own data; for
            another target from `data=...`, else from data=nanoworld for models with nano's vocabulary and
            from data=skills for any other.
        display: Shows the progress.
        config_dirs: The user's own configuration folders.

    Returns:
        The document that is also written as result.json.
    """
    asked = sort_words(words, config.groups(config_dirs)["evaluation"])
    common = machine.resolve_auto([f"evaluation=[{','.join(asked.tasks)}]", *asked.overrides])
    each = [
        build_settings(
            config.compose(_with_world([*common, *target.overrides], config_dirs), config_dirs).values
        )
        for target in asked.targets
    ]
    stamp = time.strftime("%Y%m%d-%H%M%S")
    if len(asked.targets) == 1:
        where = _home(asked.targets[0], each[0]) / f"{_prefix(asked.targets[0])}{stamp}"
        scored = _score(asked.targets[0], each[0], where, None, display)
        display.say(f"{where / 'result.json'}", style="dim")
        return scored.document
    names = "-vs-".join(target.short_name for target in asked.targets)
    where = Path(each[0].output_dir) / "eval" / f"{names}-{stamp}"
    # Both are asked the same questions: those of the first.
    before = _score(asked.targets[0], each[0], where / "before", None, display)
    after = _score(asked.targets[1], each[1], where / "after", before.source, display)
    comparison = compare_results(before.results, after.results, each[0].seed)
    document = {
        "targets": [before.document, after.document],
        "failed": before.document["failed"] | after.document["failed"],
        "comparison": comparison,
    }
    write_json(where / "result.json", document)
    for number, target in enumerate(asked.targets, 1):
        display.say(f"{number}: {target.name}", style="bold")
    display.console.print(comparison_table(comparison))
    if any(_at_chance(row) for row in comparison.values()):
        display.say("*: at chance")
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


def _home(target: Target, settings: Settings) -> Path:
    return Path(settings.output_dir) / "eval" if target.run is None else target.run / "evaluations"


def _prefix(target: Target) -> str:
    return "eval-" if target.run is not None else f"{target.short_name}-"


def _score(
    target: Target, settings: Settings, where: Path, source: examine.Questions | None, display: Display
) -> Scored:
    """Ask one target everything, write its folder, and forget the journals, which are of no more use."""
    machine.set_up(settings.hardware, settings.seed)
    tasks = examine.split_up(examine.tasks_of(settings.evaluation))
    loaded = _load(target, settings, display)
    seen = seen_labels(loaded.contamination)
    unfinished = _home(target, settings) / "unfinished"
    paths = {name: unfinished / f"{_journal_name(loaded, task)}.jsonl" for name, task in tasks.items()}
    subject = Subject(
        model=loaded.base.model,
        tokenizer=loaded.base.tokenizer,
        max_length=loaded.base.max_length,
        batch_tokens=settings.evaluation["batch_tokens"],
    )
    source = source or loaded.source
    try:
        results, failures = examine.examine(
            tasks,
            subject,
            source,
            target.short_name,
            display,
            journal_of=lambda name: Journal(paths[name]),
            seen=seen,
        )
    except KeyboardInterrupt:
        display.say(f"Stopped. The answers so far are kept in {unfinished}; the same command goes on there.")
        raise
    if not results and failures:
        raise next(iter(failures.values()))
    examine.save(results, where)
    document = _document(results, failures, loaded, target.name)
    write_json(where / "result.json", document)
    for name in results:
        paths[name].unlink(missing_ok=True)
    display.console.print(_table(results, seen))
    return Scored(document=document, results=results, source=source)


def _load(target: Target, settings: Settings, display: Display) -> Loaded:
    if target.run is None:
        base = load_base(
            settings.model, dtype=weights_dtype(settings.hardware.precision), device=settings.hardware.device
        )
        return Loaded(base=base, sha256=base.sha256, source=settings.data, contamination=None)
    run = restore(target.run, display, examine.tasks_of(settings.evaluation))
    weights = target.run / "checkpoints" / f"step_{run.state.step:08d}" / "model.safetensors"
    return Loaded(
        base=run.base,
        sha256=sha256_json([run.base.sha256, sha256_file(weights)]),
        source=examine.WithHeldout(run.settings.data, run.data.validation),
        contamination=run.seen.tasks,
    )


def _journal_name(loaded: Loaded, task: examine.Task) -> str:
    """Of everything that an answer depends on, except for the question itself, which names it in the file."""
    model = loaded.base.model
    commit = getattr(model.config, "_commit_hash", None)  # a hub id stands for other weights some day
    key = [__version__, loaded.sha256, commit, str(model.dtype), loaded.base.max_length, repr(task)]
    return f"{task.name.replace('/', '-')}-{sha256_json(key)[:16]}"


def _document(
    results: examine.Results, failures: examine.Failures, loaded: Loaded, target: str
) -> dict[str, Any]:
    metrics, intervals = examine.flat({"eval": results})
    return {
        "target": target,
        "sha256": loaded.sha256,
        "metrics": {key.removeprefix("eval/"): value for key, value in metrics.items()},
        "intervals": {key.removeprefix("eval/"): value for key, value in intervals.items()},
        "n": {f"{task}/{k}": m.n for task, result in results.items() for k, m in result.metrics.items()},
        "primary": {task: result.primary for task, result in results.items()},
        "recipes": {task: result.recipe for task, result in results.items()},
        "data_sha256": {task: result.data_sha256 for task, result in results.items()},
        "failed": {task: examine.reason(error) for task, error in failures.items()},
        "contamination": loaded.contamination,
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


# ---------------------------------------------------------------- two targets


def compare_results(before: examine.Results, after: examine.Results, seed: int) -> dict[str, Any]:
    """Compare two models task by task.

    Args:
        before: One model's results.
        after: The other's.
        seed: For the bootstrap.

    Returns:
        By task what `Comparison` holds; where nothing is right or wrong, the values of the primary metric and
        their difference alone.
    """
    found: dict[str, Any] = {}
    for task in before:
        if task not in after:
            continue
        try:
            found[task] = asdict(compare(before[task], after[task], seed))
        except DataError:
            metric = before[task].primary
            old, new = (one[task].metrics[metric] for one in (before, after))
            difference = Metric(value=new.value - old.value, n=min(old.n, new.n))
            ends = {"before": old, "after": new, "difference": difference}
            found[task] = {"task": task, "metric": metric, **{key: asdict(one) for key, one in ends.items()}}
    return found


def comparison_table(comparison: Mapping[str, Any]) -> Table:
    """Show a comparison; 80 columns do, because the targets are numbered and long names are folded.

    Args:
        comparison: From `compare_results`.

    Returns:
        A row per task; a star marks what is at chance.
    """
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    table.add_column("task", overflow="fold")
    for heading in ("1", "2", "2 - 1", "95 % interval", "gained", "lost", "McNemar p"):
        table.add_column(heading, no_wrap=True, justify="right")
    for task, row in comparison.items():
        chance = _at_chance(row)
        values = [f"{row[key]['value']:.4f}{'*' if key in chance else ''}" for key in ("before", "after")]
        difference = row["difference"]
        name, cells = f"{task} {row.get('metric', '')}", [""] * 4
        if "p_value" in row:
            name = task
            interval = f"{difference['low']:+.4f} to {difference['high']:+.4f}"
            cells = [interval, f"{row['num_gained']}", f"{row['num_lost']}", f"{row['p_value']:.2g}"]
        table.add_row(Text(visible(name)), *values, f"{difference['value']:+.4f}", *cells)
    return table


def _at_chance(row: Mapping[str, Any]) -> list[str]:
    return [key for key in ("before", "after") if row.get(f"{key}_at_chance")]
