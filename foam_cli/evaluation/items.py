"""What tasks share: choosing items, asking for replies, counting hits."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from foam_cli.core.errors import DataError
from foam_cli.core.metric import Metric
from foam_cli.evaluation.generation import greedy_replies
from foam_cli.evaluation.prompts import Message, render_prompt, stop_ids
from foam_cli.evaluation.subject import Progress, Subject

Item = dict[str, Any]
T = TypeVar("T")


def pick(items: Sequence[T] | None, num_items: int | None, task: str) -> list[T]:
    """Choose which items are asked.

    Args:
        items: All of them.
        num_items: How many to ask, or None for all.
        task: Who asks, for the error.

    Returns:
        `num_items` of them, evenly spread over the list, so that every group in it keeps its share.

    Raises:
        DataError: There is none.
    """
    if not items:
        raise DataError(f"evaluation.{task}: no items to ask; the data of this run does not bring any")
    if num_items is None or num_items >= len(items):
        return list(items)
    return [items[i * len(items) // num_items] for i in range(num_items)]


def replies_to(subject: Subject, items: Sequence[Item], max_new_tokens: int, progress: Progress) -> list[str]:
    """Ask for greedy replies.

    Args:
        subject: Who is asked.
        items: Each with `messages`, the conversation before the reply.
        max_new_tokens: Longest reply.
        progress: Told how many items are answered.

    Returns:
        One reply per item.
    """
    return greedy_replies(
        subject.model,
        subject.tokenizer,
        [render_prompt(subject.tokenizer, item["messages"]) for item in items],
        max_new_tokens=max_new_tokens,
        stop_ids=stop_ids(subject.tokenizer),
        batch_tokens=subject.batch_tokens,
        max_length=subject.max_length,
        progress=progress,
        journal=subject.journal,
    )


def prompt_text(messages: Sequence[Message]) -> str:
    """A conversation as people read it.

    Args:
        messages: The turns.

    Returns:
        The content alone of a single turn, otherwise "role: content" lines.
    """
    if len(messages) == 1:
        return str(messages[0]["content"])
    return "\n".join(f"{message['role']}: {message['content']}" for message in messages)


def accuracy(rows: Iterable[Mapping[str, Any]], key: str = "correct") -> Metric:
    """Share of rows for which something is true, with its Wilson interval.

    Args:
        rows: Scored items.
        key: What is counted.

    Returns:
        The share.
    """
    hits = [bool(row[key]) for row in rows]
    return Metric.from_hits(sum(hits), len(hits))


def accuracy_by(
    rows: Sequence[Mapping[str, Any]], key: Callable[[Mapping[str, Any]], str], suffix: str = "acc"
) -> dict[str, Metric]:
    """One accuracy per group.

    Args:
        rows: Scored items.
        key: Names a row's group.
        suffix: The metrics are called `<group>_<suffix>`.

    Returns:
        The metrics, groups in alphabetical order.
    """
    names = sorted({key(row) for row in rows})
    return {f"{name}_{suffix}": accuracy(row for row in rows if key(row) == name) for name in names}
