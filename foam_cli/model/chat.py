"""The one place where a chat template runs: in the sandbox of transformers, its failures in one line."""

from collections.abc import Mapping, Sequence
from typing import Any

from foam_cli.core.errors import DataError
from foam_cli.core.text import one_line


def render_chat(tokenizer: Any, messages: Sequence[Mapping[str, Any]], *, open_reply: bool = False) -> str:
    """Write a conversation as its model reads it.

    A template comes with the model, from whoever made that: it is foreign code. `apply_chat_template` runs it
    in an immutable sandbox, where it reaches neither Python's objects nor files.

    Args:
        tokenizer: With a chat template.
        messages: The turns.
        open_reply: Whether the header of the assistant's next turn ends the text.

    Returns:
        The text.

    Raises:
        DataError: The template refuses the conversation, or tries what the sandbox forbids.
    """
    turns = [dict(message) for message in messages]
    try:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=open_reply))
    except Exception as error:  # foreign code may raise anything
        reason = one_line(error) or type(error).__name__
        raise DataError(f"does not suit the model's chat template: {reason}") from error
