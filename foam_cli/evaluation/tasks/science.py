"""What the model knows about the embedded world: facts that training stated but never asked."""

from dataclasses import dataclass
from typing import ClassVar

from foam_cli.core.files import sha256_json
from foam_cli.core.metric import TaskResult
from foam_cli.evaluation.items import Item, pick
from foam_cli.evaluation.multiple_choice import RECIPE, answer_questions, choice_metrics
from foam_cli.evaluation.subject import Progress, Subject


@dataclass(frozen=True, kw_only=True)
class Science:
    """Multiple-choice questions about invented materials.

    Attributes:
        num_items: How many questions, or None for all.
    """

    num_items: int | None

    name: ClassVar[str] = "science"
    items_from: ClassVar[str | None] = "nanoworld.science"
    role: ClassVar[str] = "kept"

    def run(self, subject: Subject, items: list[Item] | None, progress: Progress = None) -> TaskResult:
        """Ask.

        Args:
            subject: Who is asked.
            items: ARC-shaped questions.
            progress: Told how many choices are scored.

        Returns:
            `acc`, `acc_norm` and `chance`.
        """
        asked = pick(items, self.num_items, self.name)
        rows = answer_questions(subject, asked, progress)
        return TaskResult(
            task=self.name,
            metrics=choice_metrics(rows),
            items=rows,
            recipe=RECIPE,
            data_sha256=sha256_json(asked),
            primary="acc",
        )
