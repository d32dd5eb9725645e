"""From easy to hard: how difficult a document is, and in which order and phases that brings a set of them."""

import re
from collections.abc import Sequence
from itertools import pairwise

from foam_cli.data.encode import Document

#: One more step of an answer counts like so many words of it.
WORDS_PER_STEP = 20

_LISTED = re.compile(r"^\s*(?:\d+[.)]|[-*•]|step\s+\d+\b)", flags=re.IGNORECASE | re.MULTILINE)


def difficulty(document: Document) -> float:
    """Estimate difficulty from length and number of steps, as words + 20 (steps - 1).

    Words are those of all turns, or of the text. Steps are the assistant's turns, or the list items of its
    answers (lines that begin with `1.`, `1)`, `-`, `*`, `•` or `Step 1`) where they are more; at least 1.

    Args:
        document: With `messages` or `text`.

    Returns:
        The difficulty, in words.
    """
    turns = document.get("messages") or [{"role": "assistant", "content": document.get("text", "")}]
    answers = [turn["content"] for turn in turns if turn["role"] == "assistant"]
    num_words = sum(len(turn["content"].split()) for turn in turns)
    num_steps = max(1, len(answers), sum(len(_LISTED.findall(answer)) for answer in answers))
    return float(num_words + WORDS_PER_STEP * (num_steps - 1))


def easy_first(difficulties: Sequence[float], losses: Sequence[float] | None = None) -> list[int]:
    """Order examples from easy to hard.

    Args:
        difficulties: One number per example.
        losses: The model's own loss on each, which then comes first, with `difficulties` for ties; or None.

    Returns:
        Positions; where nothing tells two apart, in the order in which they came.
    """
    if losses is None:
        return sorted(range(len(difficulties)), key=lambda at: difficulties[at])
    return sorted(range(len(difficulties)), key=lambda at: (losses[at], difficulties[at]))


def phases(order: Sequence[int], num_phases: int) -> list[list[int]]:
    """Cut an order into parts that follow each other and whose sizes differ by at most one.

    Args:
        order: From `easy_first`.
        num_phases: How many parts.

    Returns:
        The parts; together they are the order.
    """
    cuts = [len(order) * part // num_phases for part in range(num_phases + 1)]
    return [list(order[start:end]) for start, end in pairwise(cuts)]
