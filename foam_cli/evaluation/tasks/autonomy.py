"""Working through several steps alone and giving the answer in a fixed form."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from foam_cli.core.files import sha256_json
from foam_cli.core.metric import Metric, TaskResult
from foam_cli.core.simulator import State
from foam_cli.evaluation.items import Item, accuracy, accuracy_by, pick, prompt_text, replies_to
from foam_cli.evaluation.json_schema import equal
from foam_cli.evaluation.subject import Progress, Subject
from foam_cli.evaluation.tool_loop import play


@dataclass(frozen=True, kw_only=True)
class Autonomy:
    """Multi-step problems; the last line of the reply must be `{"answer": ...}`, right in type and value.

    Attributes:
        num_items: How many problems, or None for all.
        max_new_tokens: Longest reply.
    """

    num_items: int | None
    max_new_tokens: int

    name: ClassVar[str] = "autonomy"
    items_from: ClassVar[str | None] = "skills.autonomy"
    role: ClassVar[str] = "learnt"

    def run(self, subject: Subject, items: list[Item] | None, progress: Progress = None) -> TaskResult:
        """Ask.

        Args:
            subject: Who is asked.
            items: Each with `id`, `messages`, `group` (`standard`, `hard`: more steps than training showed,
                or `loop`: worked through with tools), `kind`, `expected` and `chance`, what guessing would
                score; a loop also with `tools`, `effects`, `state` and `final_state`.
            progress: Told how many problems are answered.

        Returns:
            `acc`, `invalid_rate`, `chance` and `<kind>_acc` of the standard problems, `hard_acc` and
            `hard_invalid_rate`, and for loops `loop_acc` (the final state is right), `loop_answer_acc` (so is
            the answer) and `loop_invalid_rate`.
        """
        asked = pick(items, self.num_items, self.name)
        loops = [item for item in asked if item["group"] == "loop"]
        alone = [item for item in asked if item["group"] != "loop"]
        replies = replies_to(subject, alone, self.max_new_tokens, progress)
        rows = [score_reply(item, reply) for item, reply in zip(alone, replies, strict=True)]
        ask = partial(replies_to, subject, max_new_tokens=self.max_new_tokens, progress=None)
        rows += [
            score_play(item, state, replies)
            for item, (state, replies) in zip(loops, play(loops, ask), strict=True)
        ]
        return TaskResult(
            task=self.name,
            metrics=_metrics(rows),
            items=rows,
            recipe='greedy, last line {"answer": ...}, exact type and value',
            data_sha256=sha256_json(asked),
            primary="acc",
        )


def _metrics(rows: Sequence[Item]) -> dict[str, Metric]:
    standard = [row for row in rows if row["group"] == "standard"]
    hard = [row for row in rows if row["group"] == "hard"]
    chance = sum(row["chance"] for row in standard) / max(1, len(standard))
    metrics = {
        "acc": accuracy(standard),
        "invalid_rate": accuracy(standard, "invalid"),
        "chance": Metric(value=chance, n=len(standard)),
        **accuracy_by(standard, lambda row: row["kind"]),
    }
    loops = [row for row in rows if row["group"] == "loop"]
    if hard:
        metrics |= {"hard_acc": accuracy(hard), "hard_invalid_rate": accuracy(hard, "invalid")}
    if loops:
        metrics |= {
            "loop_acc": accuracy(loops),
            "loop_answer_acc": accuracy(loops, "answered"),
            "loop_invalid_rate": accuracy(loops, "invalid"),
        }
    return metrics


def score_reply(item: Item, reply: str) -> Item:
    """Judge one reply.

    Args:
        item: The item that was asked.
        reply: What the model said.

    Returns:
        The scored item.
    """
    found = final_answer(reply)
    same = found is not None and type(found) is type(item["expected"]) and found == item["expected"]
    return {
        "id": item["id"],
        "prompt": prompt_text(item["messages"]),
        "answer": reply,
        "expected": json.dumps({"answer": item["expected"]}, ensure_ascii=False),
        "correct": same,
        "group": item["group"],
        "kind": item["kind"],
        "invalid": found is None,
        "chance": item["chance"],
        "in_primary": item["group"] == "standard",
    }


def score_play(item: Item, state: State, replies: Sequence[str]) -> Item:
    """Judge a conversation with tools by what it has led to.

    Args:
        item: The item that was asked.
        state: What the tools have left.
        replies: What the model said, turn by turn.

    Returns:
        The scored item: right if the final state is. The last reply must also end in the answer to be valid.
    """
    row = score_reply(item, replies[-1])
    reached = (
        all(equal(state.get(place), contents) for place, contents in item["final_state"].items())
        and state.keys() == item["final_state"].keys()
    )
    return {**row, "answer": "\n".join(replies), "correct": reached, "answered": reached and row["correct"]}


def final_answer(reply: str) -> Any:
    """Read the answer from the last line of a reply.

    Args:
        reply: The whole reply.

    Returns:
        The value, or None if the line is not exactly one JSON object with the single key `answer`.
    """
    lines = reply.strip().splitlines()
    try:
        value: Any = json.loads(lines[-1]) if lines else None
    except (ValueError, RecursionError):
        return None
    return value["answer"] if isinstance(value, dict) and value.keys() == {"answer"} else None
