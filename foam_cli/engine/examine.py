"""Ask the evaluation tasks, keep every answer, and compare before with after."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import torch

from foam_cli.config import nearest
from foam_cli.core.errors import ConfigError, FoamError
from foam_cli.core.files import read_json, read_jsonl, write_json, write_text
from foam_cli.core.metric import Metric, TaskResult
from foam_cli.data.corpus import Corpus
from foam_cli.engine.display import Display
from foam_cli.engine.prepare import Source
from foam_cli.evaluation.journal import Journal
from foam_cli.evaluation.subject import Progress, Subject

Results = dict[str, TaskResult]
#: Why tasks have no result.
Failures = dict[str, Exception]

#: Keys of the evaluation section that are settings, not tasks.
SETTINGS = ("every_steps", "batch_tokens", "max_items", "allow_contamination", "arc")
#: Answers shown side by side in the report, per task.
SAMPLES_PER_TASK = 4
#: Out of memory, a batch is halved down to so many tokens.
MIN_BATCH_TOKENS = 256


@runtime_checkable
class Task(Protocol):
    """What the engine asks of an evaluation task."""

    name: str
    items_from: str | None
    role: str

    def run(
        self, subject: Subject, items: list[dict[str, Any]] | None, progress: Progress = None
    ) -> TaskResult:
        """Ask the items."""
        ...


Tasks = Mapping[str, Task]


def tasks_of(evaluation: Mapping[str, Any]) -> dict[str, Task]:
    """Pick the tasks out of the evaluation section.

    Args:
        evaluation: The built section: tasks by name beside the common settings.

    Returns:
        The tasks, in order.

    Raises:
        ConfigError: A key is neither a setting nor a task.
    """
    tasks: dict[str, Task] = {}
    for name, value in evaluation.items():
        if name in SETTINGS:
            continue
        if not hasattr(value, "run"):
            raise ConfigError(
                f"evaluation.{name}: there is no such setting and no such task.{nearest(name, SETTINGS)}"
            )
        tasks[name] = cast("Task", value)
    return tasks


def split_up(tasks: Mapping[str, Task]) -> dict[str, Task]:
    """Put the parts of a task that is a list of others in its place, as `lm_eval` is.

    Args:
        tasks: From `tasks_of`.

    Returns:
        Tasks that are each asked, recorded and compared alone.
    """
    found: dict[str, Task] = {}
    for name, task in tasks.items():
        parts: Sequence[Task] | None = getattr(task, "parts", None)
        found |= {name: task} if parts is None else {part.name: part for part in parts}
    return found


@dataclass(frozen=True)
class WithHeldout:
    """A source that also hands out the documents which the run set apart.

    Attributes:
        source: The data source.
        validation: The documents set apart, tokenised.
    """

    source: Source
    validation: Corpus

    def evaluation_items(self, name: str, num_items: int | None) -> list[dict[str, Any]]:
        """Questions for a task.

        Args:
            name: The task, or `validation` for the documents set apart.
            num_items: How many, or None for all.

        Returns:
            The items.
        """
        if name != "validation":
            return self.source.evaluation_items(name, num_items)
        examples = [self.validation.example(index) for index in range(len(self.validation))]
        return [
            {"id": f"validation {index}", "ids": list(one.ids), "targets": list(one.targets)}
            for index, one in enumerate(examples)
        ]


@runtime_checkable
class Questions(Protocol):
    """Where questions come from."""

    def evaluation_items(self, name: str, num_items: int | None) -> list[dict[str, Any]]:
        """Questions for a task."""
        ...


def examine(
    tasks: Mapping[str, Task],
    subject: Subject,
    source: Questions,
    title: str,
    display: Display,
    *,
    journal_of: Callable[[str], Journal] = lambda _: Journal(),
    seen: Mapping[str, str] | None = None,
) -> tuple[Results, Failures]:
    """Ask every task. What goes wrong inside one of them does not keep the others from being asked.

    Args:
        tasks: The tasks.
        subject: Who is asked.
        source: Where the built-in questions come from.
        title: What is examined, for the bar.
        display: Shows the progress.
        journal_of: Where the answers to a task are kept as they come.
        seen: Labels of tasks that the training data holds.

    Returns:
        The results by task, and why others have none.
    """
    results: Results = {}
    failures: Failures = {}
    for name, task in tasks.items():
        start = time.monotonic()
        journal = journal_of(name)
        if journal.num_found:
            display.say(f"  {title}: {name} goes on behind {journal.num_found} answers of an earlier call")
        try:
            items = _items(task, source)
            with display.bar(f"{title}: {name}", total=1) as update:
                results[name] = _asked(task, replace(subject, journal=journal), items, update, display)
        except Exception as error:
            failures[name] = error
            display.say(f"  {title}: {name} failed: {reason(error)}", style="yellow")
            continue
        label = f"  ({seen[name]})" if seen and name in seen else ""
        display.say(
            f"  {title}: {name} {_words(results[name])}{label}  ({time.monotonic() - start:.1f} s)",
            style="dim",
        )
    return results, failures


def reason(error: Exception) -> str:
    """Why a task failed.

    Args:
        error: What it raised.

    Returns:
        The error's first line; its kind, too, where it was not meant for people.
    """
    first = (str(error).strip().splitlines() or [""])[0]
    return first if isinstance(error, FoamError) else f"{type(error).__name__}: {first}".rstrip(": ")


def _items(task: Task, source: Questions) -> list[dict[str, Any]] | None:
    if task.items_from is None:
        return None
    return source.evaluation_items(task.items_from.rpartition(".")[2], getattr(task, "num_items", None))


def _asked(
    task: Task,
    subject: Subject,
    items: list[dict[str, Any]] | None,
    update: Callable[..., None],
    display: Display,
) -> TaskResult:
    """Ask one task; out of memory, go on behind the answers that are there, with half as large batches."""

    def progress(done: int, total: int) -> None:
        update(done, total=total)

    while True:
        try:
            return task.run(subject, items, progress)
        except torch.OutOfMemoryError:
            if subject.batch_tokens < 2 * MIN_BATCH_TOKENS:
                raise
            subject = replace(subject, batch_tokens=subject.batch_tokens // 2)
        # Outside the handler: while it runs, the error holds on to the tensors of the failed pass.
        torch.cuda.empty_cache()
        display.say(
            f"  {task.name}: out of memory; going on with batch_tokens={subject.batch_tokens}", style="yellow"
        )


def _words(result: TaskResult) -> str:
    metric = result.metrics[result.primary]
    interval = f" [{metric.low:.3f}, {metric.high:.3f}]" if metric.low is not None else ""
    return f"{result.primary} {metric.value:.3f}{interval} n={metric.n}"


def save(results: Results, folder: Path) -> None:
    """Write results: per-item JSON Lines, and everything else in one file.

    Args:
        results: The results.
        folder: For example RUN/evaluations/base.
    """
    import json

    for name, result in results.items():
        lines = [json.dumps(row, ensure_ascii=False, default=str) for row in result.items]
        write_text(folder / f"{name}.jsonl", "\n".join(lines) + "\n")
    rest = {name: {**asdict(result), "items": None} for name, result in results.items()}
    write_json(folder / "results.json", rest)


def load(folder: Path) -> Results | None:
    """Read results back.

    Args:
        folder: Where `save` wrote them.

    Returns:
        The results, or None where there are none.
    """
    if not (folder / "results.json").is_file():
        return None
    results: Results = {}
    for name, values in read_json(folder / "results.json").items():
        parts: dict[str, Any] = {
            "metrics": {key: Metric(**metric) for key, metric in values["metrics"].items()},
            "items": read_jsonl(folder / f"{name}.jsonl"),
        }
        results[name] = TaskResult(**(values | parts))
    return results


def flat(results: Mapping[str, Results]) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Lay results out as result.json has them.

    Args:
        results: Results by when they were measured: `base`, `start`, `final`.

    Returns:
        Values by "when/task/metric", and [low, high, n] by the same keys.
    """
    metrics = {
        f"{when}/{task}/{name}": metric
        for when, tasks in results.items()
        for task, result in tasks.items()
        for name, metric in result.metrics.items()
    }
    intervals = {
        key: [metric.low, metric.high, float(metric.n)]
        for key, metric in metrics.items()
        if metric.low is not None and metric.high is not None
    }
    return {key: metric.value for key, metric in metrics.items()}, intervals


def curves(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    """The scores that were measured while training went on.

    Args:
        rows: Of metrics.jsonl.

    Returns:
        (step, value) pairs by "task/metric".
    """
    found: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for key, value in row.get("evaluation", {}).items():
            found.setdefault(key, []).append((row["step"], value))
    return found


def summary(tasks: Mapping[str, Task], results: Mapping[str, Results]) -> dict[str, Any]:
    """What result.json says about the evaluation.

    Args:
        tasks: The tasks of the run.
        results: Results by when they were measured.

    Returns:
        Numbers, and for every task which of them stands for it, how it was scored and on what.
    """
    metrics, intervals = flat(results)
    last = results.get("final") or results.get("base") or {}
    return {
        "metrics": metrics,
        "intervals": intervals,
        "primary": {task: result.primary for task, result in last.items()},
        "recipes": {task: result.recipe for task, result in last.items()},
        "data_sha256": {task: result.data_sha256 for task, result in last.items()},
        "roles": {name: task.role for name, task in tasks.items()},
    }


def samples(base: Results, final: Results) -> list[dict[str, Any]]:
    """Pick answers to show side by side: those that changed first.

    Args:
        base: Results before training.
        final: Results after it.

    Returns:
        Rows for samples.json.
    """
    rows: list[dict[str, Any]] = []
    for task in final:
        before = {item["id"]: item for item in base[task].items} if task in base else {}
        answered = [item for item in final[task].items if item.get("answer") is not None]
        paired = [(before[item["id"]], item) for item in answered if item["id"] in before]
        paired.sort(key=lambda pair: pair[0].get("correct") == pair[1].get("correct"))
        for old, new in paired[:SAMPLES_PER_TASK]:
            rows.append(
                {
                    "task": task,
                    "id": new["id"],
                    "prompt": new.get("prompt"),
                    "expected": new.get("expected"),
                    "base": old.get("answer"),
                    "final": new.get("answer"),
                    "base_correct": old.get("correct"),
                    "final_correct": new.get("correct"),
                }
            )
    return rows
