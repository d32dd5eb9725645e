"""From one row of a data file to a document: OpenAI `messages`, ShareGPT, Alpaca, plain text."""

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from foam_cli.core.text import is_text
from foam_cli.data.encode import Document

Row = Mapping[str, Any]
HALF = "holds half a surrogate pair (\\ud800 to \\udfff), which no tokenizer reads; take it out"

_SHAREGPT_ROLES = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant",
    "bot": "assistant", "model": "assistant", "system": "system", "function_call": "assistant",
    "observation": "tool", "tool": "tool", "function_response": "tool",
}  # fmt: skip


def detect(row: Any) -> str:
    """Tell a row's layout by its keys.

    Args:
        row: One parsed row.

    Returns:
        `messages`, `sharegpt`, `alpaca` or `text`.

    Raises:
        ValueError: It has none of these layouts.
    """
    if isinstance(row, str):
        return "text"
    keys = set(cast("Row", row)) if isinstance(row, Mapping) else set[str]()
    for layout, wanted in (
        ("messages", {"messages"}),
        ("sharegpt", {"conversations"}),
        ("alpaca", {"instruction", "output"}),
        ("text", {"text"}),
    ):
        if wanted <= keys:
            return layout
    raise ValueError(
        f"no known layout; its keys are {sorted(keys) or type(row).__name__}. Known: messages (OpenAI), "
        "conversations (ShareGPT), instruction + output (Alpaca), text; or name them in data.columns (hub)"
    )


def to_document(row: Any, layout: str) -> Document:
    """Bring a row into foam's form.

    Args:
        row: One parsed row.
        layout: `auto`, or a layout's name.

    Returns:
        A document with `messages` or `text`.

    Raises:
        ValueError: The row does not have that layout.
    """
    layout = detect(row) if layout == "auto" else layout
    readers: dict[str, Callable[[Any], Document]] = {
        "messages": _openai,
        "sharegpt": _sharegpt,
        "alpaca": _alpaca,
        "text": _text,
    }
    try:
        return readers[layout](row)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"is not a row of layout '{layout}' ({type(error).__name__}: {error})") from error


def _turn(role: Any, content: Any) -> dict[str, str]:
    if role not in ("system", "user", "assistant", "tool"):
        raise ValueError(f"the role '{role}' is none of system, user, assistant, tool")
    if not isinstance(content, str):
        raise ValueError(f"the content of a {role} turn is {type(content).__name__}, not text")
    if not is_text(content):
        raise ValueError(f"the content of a {role} turn {HALF}")
    return {"role": str(role), "content": content}


def _openai(row: Row) -> Document:
    turns: list[dict[str, str]] = []
    for message in row["messages"]:
        content = message.get("content") or ""
        for call in message.get("tool_calls") or []:
            function = call["function"]
            arguments = function["arguments"]
            arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
            body = json.dumps({"name": function["name"], "arguments": arguments}, ensure_ascii=False)
            content += f"<tool_call>{body}</tool_call>"
        turns.append(_turn(message["role"], content))
    return {"messages": _with_tools(turns, row.get("tools"))}


def _with_tools(turns: list[dict[str, str]], tools: Any) -> list[dict[str, str]]:
    """Say in the system turn which tools there are; a model cannot learn to call what it is not shown."""
    if not tools:
        return turns
    listed = f"Tools: {tools if isinstance(tools, str) else json.dumps(tools, ensure_ascii=False)}"
    if turns and turns[0]["role"] == "system":
        return [_turn("system", f"{turns[0]['content']}\n{listed}"), *turns[1:]]
    return [_turn("system", listed), *turns]


def _sharegpt(row: Row) -> Document:
    turns = [_turn("system", row["system"])] if row.get("system") else []
    for entry in row["conversations"]:
        speaker, value = entry["from"], entry["value"]
        if speaker == "function_call":
            value = f"<tool_call>{value}</tool_call>"
        turns.append(_turn(_SHAREGPT_ROLES.get(speaker, speaker), value))
    return {"messages": _with_tools(turns, row.get("tools"))}


def _alpaca(row: Row) -> Document:
    turns = [_turn("system", row["system"])] if row.get("system") else []
    for question, answer in row.get("history") or []:
        turns += [_turn("user", question), _turn("assistant", answer)]
    prompt = "\n".join(part for part in (row["instruction"], row.get("input")) if part)
    return {"messages": [*turns, _turn("user", prompt), _turn("assistant", row["output"])]}


def _text(row: Any) -> Document:
    text = row if isinstance(row, str) else row["text"]
    if not isinstance(text, str) or not text.strip():
        raise ValueError("the text is empty")
    if not is_text(text):
        raise ValueError(f"the text {HALF}")
    return {"text": text}


def from_columns(row: Row, columns: Mapping[str, str]) -> Document:
    """Bring a row into foam's form, told which column holds what.

    Args:
        row: One row of a table.
        columns: `prompt` and `response` (and `system`), `messages` (and `tools`) or `text`, each to the
            name of a column.

    Returns:
        A document with `messages` or `text`.

    Raises:
        ValueError: The row has no such column, or holds something else in it.
    """
    for column in columns.values():
        if column not in row:
            raise ValueError(
                f"there is no column '{column}', which data.columns names; its columns are "
                f"{', '.join(sorted(row))}"
            )
    found = {name: row[column] for name, column in columns.items()}
    if "messages" in found:
        turns = found["messages"] or [{}]
        sharegpt = isinstance(turns[0], Mapping) and "from" in turns[0]
        named = {"conversations" if sharegpt else "messages": turns, "tools": found.get("tools")}
        return to_document(named, "sharegpt" if sharegpt else "messages")
    if "text" in found:
        return to_document(found, "text")
    system = [_turn("system", found["system"])] if found.get("system") else []
    return {"messages": [*system, _turn("user", found["prompt"]), _turn("assistant", found["response"])]}
