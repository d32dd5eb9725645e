"""Questions that training may hold by the way it is made, whatever its seed is: they are not asked.

The skills' training has chatter in wordings of general chat, an opener and a wording of the identity skill
may together read like another wording, and replay may ask the same of another table. Questions are compared
as `foam_cli.data.contamination` compares them: word by word, without punctuation.
"""

import re
from functools import cache
from typing import Any

from foam_cli.data.contamination import words_of
from foam_cli.data.skills.nano.identity import identity
from foam_cli.data.skills.nano.tool_use import CHATTER

_PLACES = {"name": "1", "other": "1", "a": "1", "b": "1", "phrase": "2"}
_VALUES = {"1": r"\w+", "2": r"\w+(?: \w+)+"}


def may_be_trained(item: dict[str, Any]) -> bool:
    """Say whether training may hold what an item asks.

    Args:
        item: An item of general chat or of the identity skill.

    Returns:
        Whether the skills' training has its wording, or it asks about a table that is not in its question.
    """
    question = _normalised(item["messages"][-1]["content"])
    asks_a_table = item["group"] == "lookup" and len(item["messages"]) > 1
    return asks_a_table or question in _of_identity() or _chatter().fullmatch(question) is not None


def _normalised(text: str) -> str:
    return " ".join(words_of(text))


@cache
def _chatter() -> re.Pattern[str]:
    """Any prompt in a wording of the chatter, with any values."""
    wordings = [_normalised(wording.format(**_PLACES)).split() for wording, _ in CHATTER]
    return re.compile("|".join(" ".join(_VALUES.get(word, word) for word in words) for words in wordings))


@cache
def _of_identity() -> frozenset[str]:
    """Every prompt that the identity skill trains; none of them depends on the name or the author."""
    skill = identity("", "")
    asked = (prompt for group in skill.weights for prompt, _ in skill.prompts(skill.training, group))
    return frozenset(map(_normalised, asked))
