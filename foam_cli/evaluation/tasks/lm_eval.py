"""Any task of lm-evaluation-harness: its questions and its metrics, answered by foam's scoring."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from foam_cli.core.errors import ConfigError, DataError
from foam_cli.core.files import sha256_json
from foam_cli.core.metric import Metric, TaskResult
from foam_cli.evaluation.items import Item
from foam_cli.evaluation.subject import Progress, Subject


@dataclass(frozen=True, kw_only=True)
class LmEvalTask:
    """One task or group of the harness.

    Attributes:
        task: Its name there.
        include_path: A folder with further task files, or None.
        num_fewshot: Examples before each question, or None for what the task says.
        num_items: How many questions, or None for all.
    """

    task: str
    include_path: Path | None
    num_fewshot: int | None
    num_items: int | None

    items_from: ClassVar[str | None] = None
    role: ClassVar[str] = "kept"

    @property
    def name(self) -> str:
        """The task's name, with where it comes from."""
        return f"lm_eval/{self.task}"

    def run(self, subject: Subject, items: list[Item] | None, progress: Progress = None) -> TaskResult:
        """Ask.

        Args:
            subject: Who is asked.
            items: Not used; the harness brings its own.
            progress: Told how many requests are answered.

        Returns:
            The metrics of the task; of a group those of its tasks, each behind the task's name.

        Raises:
            ConfigError: The harness is not installed.
            DataError: It has no such task.

        Source: L. Gao et al., "The Language Model Evaluation Harness", 0.4.13.
        """
        del items
        try:
            import lm_eval
            from lm_eval.tasks import TaskManager

            from foam_cli.evaluation.harness import FoamLM
        except ImportError as error:
            raise ConfigError(
                f"evaluation.lm_eval: lm-evaluation-harness is not installed ({error}). It is an extra: "
                "pip install 'foam-cli[lm-eval]'"
            ) from error
        manager = TaskManager(include_path=self._folder())
        if self.task not in manager.all_tasks:
            raise DataError(
                f"evaluation.lm_eval.tasks: lm-evaluation-harness has no task '{self.task}'; "
                "`lm-eval ls tasks` lists them, evaluation.lm_eval.include_path adds a folder of your own"
            )
        simple_evaluate: Any = lm_eval.simple_evaluate  # its decorator hides its parameters
        try:
            with torch.random.fork_rng():  # the harness draws from the global generator
                found = simple_evaluate(
                    FoamLM(subject, progress),
                    tasks=[self.task],
                    num_fewshot=self.num_fewshot,
                    limit=self.num_items,
                    task_manager=manager,
                    log_samples=True,
                    bootstrap_iters=0,
                    random_seed=None,
                    numpy_random_seed=None,
                    torch_random_seed=None,
                )
        except ConnectionError as error:
            raise DataError(
                f"evaluation.lm_eval.tasks=[{self.task}]: its data is not at hand ({error}); connect, or "
                "give a task of your own on local files: evaluation.lm_eval.include_path"
            ) from error
        return self._result(found["samples"], found["results"], found["versions"])

    def _folder(self) -> str | None:
        if self.include_path is not None and not self.include_path.is_dir():
            raise DataError(
                f"evaluation.lm_eval.include_path={self.include_path}: no such folder; name one with task "
                "files, or null"
            )
        return None if self.include_path is None else str(self.include_path)

    def _result(
        self,
        samples: Mapping[str, Sequence[Mapping[str, Any]]],
        results: Mapping[str, Mapping[str, Any]],
        versions: Mapping[str, Any],
    ) -> TaskResult:
        metrics: dict[str, Metric] = {}
        rows: list[Item] = []
        for task, answered in samples.items():
            before = "" if len(samples) == 1 else f"{task}_"
            numbers = {key.split(",")[0]: value for key, value in results[task].items()}
            plain = {key: float(v) for key, v in numbers.items() if _is_score(key, v)}
            metrics |= {f"{before}{key}": _metric(key, value, answered) for key, value in plain.items()}
            rows += [_row(task, sample, next(iter(plain), "")) for sample in answered]
        if not metrics:
            raise DataError(f"{self.name}: the harness reports no number for it")
        version = "" if self.task not in versions else f" version {versions[self.task]}"
        few = "as the task says" if self.num_fewshot is None else f"{self.num_fewshot}"
        limit = "" if self.num_items is None else f", the first {self.num_items}"
        return TaskResult(
            task=self.name,
            metrics=metrics,
            items=rows,
            recipe=f"lm-evaluation-harness {self.task}{version}, examples before each question: {few}{limit}",
            data_sha256=sha256_json([sample["doc_hash"] for some in samples.values() for sample in some]),
            primary=next(iter(metrics)),
        )


@dataclass(frozen=True, kw_only=True)
class LmEval:
    """Tasks of lm-evaluation-harness; each is asked, recorded and compared alone.

    Attributes:
        tasks: Names of its tasks or groups.
        include_path: A folder with further task files, or None.
        num_fewshot: Examples before each question, or None for what each task says.
        num_items: How many questions of each, or None for all.
    """

    tasks: list[str]
    include_path: Path | None
    num_fewshot: int | None
    num_items: int | None

    name: ClassVar[str] = "lm_eval"
    items_from: ClassVar[str | None] = None
    role: ClassVar[str] = "kept"

    def __post_init__(self) -> None:
        if not self.tasks:
            raise ValueError("tasks=[]: name at least one, e.g. tasks=[arc_easy].")

    @property
    def parts(self) -> list[LmEvalTask]:
        """One task for each name."""
        return [
            LmEvalTask(
                task=task,
                include_path=self.include_path,
                num_fewshot=self.num_fewshot,
                num_items=self.num_items,
            )
            for task in self.tasks
        ]

    def run(self, subject: Subject, items: list[Item] | None, progress: Progress = None) -> TaskResult:
        """Ask the only task there is.

        Args:
            subject: Who is asked.
            items: Not used.
            progress: Told how many requests are answered.

        Returns:
            Its result.

        Raises:
            ConfigError: There are several; they are asked one by one.
        """
        if len(self.tasks) != 1:
            raise ConfigError(f"tasks={self.tasks}: are asked one by one")
        return self.parts[0].run(subject, items, progress)


def _is_score(key: str, value: Any) -> bool:
    return isinstance(value, int | float) and not key.endswith("_stderr") and key not in ("sample_len",)


def _metric(key: str, value: float, answered: Sequence[Mapping[str, Any]]) -> Metric:
    """With a Wilson interval where it is the share of answers that are right."""
    hits = [sample[key] for sample in answered if key in sample]
    if hits and len(hits) == len(answered) and all(hit in (0, 1, True, False) for hit in map(_plain, hits)):
        counted = Metric.from_hits(sum(map(int, hits)), len(hits))
        if abs(counted.value - value) < 1e-9:
            return counted
    return Metric(value=value, n=len(answered))


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float) else None


def _row(task: str, sample: Mapping[str, Any], primary: str) -> Item:
    first = next(iter(sample["arguments"].values()), {}) if isinstance(sample["arguments"], dict) else {}
    replies = sample["filtered_resps"]
    written = [reply for reply in replies if isinstance(reply, str)]
    hit = sample.get(primary)
    numbers = [reply[0] for reply in replies if isinstance(reply, list | tuple)]
    return {
        "id": f"{task}-{sample['doc_id']}",
        "prompt": first.get("arg_0"),
        "answer": written[0] if written else numbers.index(max(numbers)) if len(numbers) > 1 else None,
        "expected": sample["target"],
        "correct": bool(hit) if _plain(hit) in (0, 1) else None,
        "logprobs": numbers,
    }
