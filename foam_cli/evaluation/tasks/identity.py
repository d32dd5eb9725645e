"""Who the model says it is, and whether it says so only when it is asked about itself."""

import re
from dataclasses import dataclass
from typing import ClassVar

from foam_cli.core.files import sha256_json
from foam_cli.core.metric import TaskResult
from foam_cli.evaluation.items import Item, accuracy, accuracy_by, pick, prompt_text, replies_to
from foam_cli.evaluation.subject import Progress, Subject


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Questions about name and maker, false premises, and controls about third persons.

    Attributes:
        num_items: How many prompts, or None for all.
        max_new_tokens: Longest reply.
    """

    num_items: int | None
    max_new_tokens: int

    name: ClassVar[str] = "identity"
    items_from: ClassVar[str | None] = "skills.identity"
    role: ClassVar[str] = "learnt"

    def run(self, subject: Subject, items: list[Item] | None, progress: Progress = None) -> TaskResult:
        """Ask.

        Args:
            subject: Who is asked.
            items: Each with `id`, `messages`, `group` (`control` or a kind of question about itself) and
                `expected` (`pattern` for the first sentence, `forbidden` names).
            progress: Told how many prompts are answered.

        Returns:
            `acc` over the questions about itself, `<group>_acc`, and `leak_rate`: the share of controls whose
            reply names the new identity.
        """
        asked = pick(items, self.num_items, self.name)
        replies = replies_to(subject, asked, self.max_new_tokens, progress)
        rows = [score_reply(item, reply) for item, reply in zip(asked, replies, strict=True)]
        controls = [row for row in rows if row["group"] == "control"]
        metrics = {
            "acc": accuracy(row for row in rows if row["in_primary"]),
            **({"leak_rate": accuracy(controls, "forbidden_named")} if controls else {}),
            **accuracy_by(rows, lambda row: row["group"]),
        }
        return TaskResult(
            task=self.name,
            metrics=metrics,
            items=rows,
            recipe="greedy, the first sentence matches a pattern and no other name occurs",
            data_sha256=sha256_json(asked),
            primary="acc",
        )


def score_reply(item: Item, reply: str) -> Item:
    """Judge one reply.

    Args:
        item: The item that was asked.
        reply: What the model said.

    Returns:
        The scored item.
    """
    expected = item["expected"]
    named = any(_names(reply, name) for name in expected["forbidden"])
    return {
        "id": item["id"],
        "prompt": prompt_text(item["messages"]),
        "answer": reply,
        "expected": expected["pattern"],
        "correct": re.match(expected["pattern"], first_sentence(reply)) is not None and not named,
        "group": item["group"],
        "forbidden_named": named,
        "in_primary": item["group"] != "control",
    }


def first_sentence(reply: str) -> str:
    """The reply up to its first full stop, exclamation or question mark before a space, or its first line.

    Args:
        reply: The whole reply.

    Returns:
        The sentence with its closing mark.
    """
    return re.split(r"(?<=[.!?]) |\n", reply.strip(), maxsplit=1)[0]


def _names(reply: str, name: str) -> bool:
    """Whole words in any case: 'Meta' is not named by 'metal'."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", reply, flags=re.IGNORECASE) is not None
