"""ARC, the grade-school science questions: both sets, from local files or the hub."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from foam_cli.core.errors import ConfigError, DataError
from foam_cli.core.files import sha256_json
from foam_cli.core.metric import TaskResult
from foam_cli.core.text import one_line
from foam_cli.evaluation.documents import read_lines
from foam_cli.evaluation.items import Item, pick
from foam_cli.evaluation.multiple_choice import RECIPE, answer_questions, choice_metrics
from foam_cli.evaluation.subject import Progress, Subject

HUB_ID = "allenai/ai2_arc"


@dataclass(frozen=True, kw_only=True)
class Arc:
    """One of ARC's two sets.

    Attributes:
        subset: `Easy` or `Challenge`.
        path: A folder with `ARC-<subset>-<split>.jsonl`, or one such file, or None for the hub.
        split: `test`, `validation` or `train`.
        num_items: How many questions, or None for all.
    """

    subset: Literal["Easy", "Challenge"]
    path: Path | None
    split: Literal["test", "validation", "train"]
    num_items: int | None

    items_from: ClassVar[str | None] = None
    role: ClassVar[str] = "kept"

    @property
    def name(self) -> str:
        """The task's name: `arc_easy` or `arc_challenge`."""
        return f"arc_{self.subset.lower()}"

    def run(self, subject: Subject, items: list[Item] | None, progress: Progress = None) -> TaskResult:
        """Ask.

        Args:
            subject: Who is asked.
            items: Not used; the questions come from `path` or the hub.
            progress: Told how many choices are scored.

        Returns:
            `acc`, `acc_norm` and `chance`.

        Source: P. Clark et al., "Think you have solved question answering? Try ARC", 2018, arXiv 1803.05457.
        """
        del items
        asked = self._asked()
        rows = answer_questions(subject, asked, progress)
        return TaskResult(
            task=self.name,
            metrics=choice_metrics(rows),
            items=rows,
            recipe=f"{RECIPE}; split {self.split if self.path is None else self._file(self.path).name}",
            data_sha256=sha256_json(asked),
            primary="acc",
        )

    def prompts(self) -> list[tuple[str, str]]:
        """What is asked, to be looked up in training data.

        Returns:
            Ids and questions, without the choices.
        """
        return [(str(question["id"]), str(question["question"])) for question in self._asked()]

    def _asked(self) -> list[Item]:
        questions = self._from_hub() if self.path is None else self._from_files(self.path)
        return pick(questions, self.num_items, self.name)

    def _file(self, path: Path) -> Path:
        return path / f"ARC-{self.subset}-{self.split}.jsonl" if path.is_dir() else path

    def _from_files(self, path: Path) -> list[Item]:
        if not path.exists():
            raise DataError(
                f"evaluation.arc.path={path}: no such folder; name one with "
                f"ARC-{self.subset}-{self.split}.jsonl"
            )
        file = self._file(path)
        other = "Challenge" if self.subset == "Easy" else "Easy"
        if other.lower() in file.name.lower():
            raise ConfigError(
                f"evaluation.arc.path={path}: holds the other set; score it as arc_{other.lower()}, or "
                f"name a folder with ARC-Easy-{self.split}.jsonl and ARC-Challenge-{self.split}.jsonl"
            )
        if path.is_dir() and not file.is_file():
            raise DataError(
                f"evaluation.arc.path={path}: has no {file.name}; put it there, or ask another split: "
                "evaluation.arc.split=validation"
            )
        questions = read_lines(file, "evaluation.arc.path")
        for number, question in enumerate(questions, start=1):
            _check(question, f"{file}, question {number}")
        return questions

    def _from_hub(self) -> list[Item]:
        from datasets import load_dataset

        try:
            rows = load_dataset(HUB_ID, f"ARC-{self.subset}", split=self.split)
        except (OSError, ValueError, RuntimeError) as error:
            raise DataError(
                f"evaluation.arc.path=null: {HUB_ID} cannot be loaded from the hub "
                f"({one_line(f'{type(error).__name__}: {error}')}); without a network, name a folder with "
                f"ARC-{self.subset}-{self.split}.jsonl: evaluation.arc.path=FOLDER"
            ) from error
        return [dict(row) for row in cast("list[dict[str, Any]]", rows)]


def _check(question: Item, where: str) -> None:
    choices: Any = question.get("choices")
    complete = (
        {"id", "question", "answerKey"} <= question.keys()
        and isinstance(choices, dict)
        and len(choices.get("text", [])) == len(choices.get("label", [])) > 0
    )
    if not complete:
        raise DataError(f"{where}: needs id, question, answerKey and choices with as many texts as labels")
