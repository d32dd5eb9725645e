"""Tool calls in a reply."""

import json
import re
from typing import Any, cast

Call = dict[str, Any]
_BLOCK = r"<tool_call>((?:(?!</?tool_call>).)*)</tool_call>"


def parse_calls(reply: str) -> list[Call] | None:
    """Read a reply that consists of tool calls.

    Args:
        reply: The whole reply.

    Returns:
        The calls, in order; None if anything else stands before, between or after them, if the JSON is not
        JSON, or if a call has other keys than `name` (text) and `arguments` (an object).
    """
    if not re.fullmatch(rf"\s*({_BLOCK}\s*)+", reply, flags=re.DOTALL):
        return None
    calls: list[Any] = []
    for block in re.findall(_BLOCK, reply, flags=re.DOTALL):
        try:
            value: Any = json.loads(block, parse_constant=_refuse, object_pairs_hook=_unique_keys)
        except (ValueError, RecursionError):
            return None
        calls += cast("list[Any]", value) if isinstance(value, list) else [value]
    return cast("list[Call]", calls) if calls and all(map(_is_call, calls)) else None


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("an argument is given twice")
    return dict(pairs)


def _is_call(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"name", "arguments"}
        and isinstance(value["name"], str)
        and isinstance(value["arguments"], dict)
    )
