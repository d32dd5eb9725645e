"""The one place where a chat template runs: in the sandbox of transformers, its failures in one line."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from foam_cli.core.errors import DataError
from foam_cli.core.text import one_line

Turn = dict[str, Any]


def render_chat(tokenizer: Any, messages: Sequence[Mapping[str, Any]], *, open_reply: bool = False) -> str:
    """Write a conversation as its model reads it.

    A template comes with the model, from whoever made that: it is foreign code. `apply_chat_template` runs it
    in an immutable sandbox, where it reaches neither Python's objects nor files.

    Some templates know no system turn: they refuse it (Gemma's), or leave it out. Then its text opens the
    first turn of the user, in training as in evaluation.

    Args:
        tokenizer: With a chat template.
        messages: The turns.
        open_reply: Whether the header of the assistant's next turn ends the text.

    Returns:
        The text.

    Raises:
        DataError: The template refuses the conversation, or tries what the sandbox forbids.
    """
    folded = _without_system(messages)
    try:
        text = _rendered(tokenizer, messages, open_reply)
    except DataError:
        if folded is not None:
            with suppress(DataError):  # what it has against the conversation as it was given tells more
                return _rendered(tokenizer, folded, open_reply)
        raise
    if folded is not None and messages[0]["content"].strip() not in text:
        return _rendered(tokenizer, folded, open_reply)
    return text


def _rendered(tokenizer: Any, messages: Sequence[Mapping[str, Any]], open_reply: bool) -> str:
    turns = [dict(message) for message in messages]
    try:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=open_reply))
    except Exception as error:  # foreign code may raise anything
        reason = one_line(error) or type(error).__name__
        raise DataError(f"does not suit the model's chat template: {reason}") from error


def _without_system(messages: Sequence[Mapping[str, Any]]) -> list[Turn] | None:
    """The conversation with its system text in the first user turn; None where there are not both."""
    if [message.get("role") for message in messages[:2]] != ["system", "user"]:
        return None
    system, first = messages[:2]
    if not (isinstance(system.get("content"), str) and isinstance(first.get("content"), str)):
        return None
    opening = {**first, "content": f"{system['content']}\n\n{first['content']}"}
    return [opening, *map(dict, messages[2:])]
