"""Ordinary requests with one right reply: copying, lists, JSON, small sums, refusing."""

from dataclasses import dataclass
from typing import ClassVar

from foam_cli.core.files import sha256_json
from foam_cli.core.metric import TaskResult
from foam_cli.evaluation.items import Item, accuracy, accuracy_by, pick, prompt_text, replies_to
from foam_cli.evaluation.subject import Progress, Subject


@dataclass(frozen=True, kw_only=True)
class GeneralChat:
    """Greedy replies that must match exactly.

    Attributes:
        num_items: How many prompts, or None for all.
        max_new_tokens: Longest reply.
    """

    num_items: int | None
    max_new_tokens: int

    name: ClassVar[str] = "general_chat"
    items_from: ClassVar[str | None] = "nanoworld.general_chat"
    role: ClassVar[str] = "kept"

    def run(self, subject: Subject, items: list[Item] | None, progress: Progress = None) -> TaskResult:
        """Ask.

        Args:
            subject: Who is asked.
            items: Each with `id`, `messages`, `expected` and `group`.
            progress: Told how many prompts are answered.

        Returns:
            `acc`, and `<group>_acc` for every kind of request.
        """
        asked = pick(items, self.num_items, self.name)
        replies = replies_to(subject, asked, self.max_new_tokens, progress)
        rows: list[Item] = [
            {
                "id": item["id"],
                "prompt": prompt_text(item["messages"]),
                "answer": reply,
                "expected": item["expected"],
                "correct": reply == item["expected"].strip(),
                "group": item["group"],
            }
            for item, reply in zip(asked, replies, strict=True)
        ]
        return TaskResult(
            task=self.name,
            metrics={"acc": accuracy(rows), **accuracy_by(rows, lambda row: row["group"])},
            items=rows,
            recipe="greedy, the whole reply must match",
            data_sha256=sha256_json(asked),
            primary="acc",
        )
