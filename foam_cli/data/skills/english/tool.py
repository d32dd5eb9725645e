"""A tool of the English world, and how it is listed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from foam_cli.data.skills.english.values import Of


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One tool. A parameter that some wording leaves out is optional.

    Attributes:
        name: Its name.
        about: What it does, as training lists it and as the evaluation lists it.
        parameters: Its parameters.
        asks: What people say in training, with places for parameters. One that begins with a small letter is
            a command, and is wrapped in a request.
        held_out: What people say in the evaluation.
        result: Fields of what it returns: (lowest, highest), a list to choose from, a text, or a function
            of the arguments.
        answers: What is said about the result, with places for parameters and fields.
        lacks: A parameter, what people say who forget it, and what they are asked; or None.
    """

    name: str
    about: tuple[str, str]
    parameters: dict[str, Of]
    asks: tuple[str, ...]
    held_out: tuple[str, ...]
    result: dict[str, Any]
    answers: tuple[str, ...]
    lacks: tuple[str, str, str] | None = None


def places(text: str) -> set[str]:
    """The places of a template.

    Args:
        text: The template.

    Returns:
        Their names.
    """
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def schema(tool: Tool, held_out: bool) -> dict[str, Any]:
    """Describe a tool.

    Args:
        tool: The tool.
        held_out: Whether in the words of the evaluation.

    Returns:
        `{"name", "description", "parameters"}` with a JSON Schema.
    """
    wordings = [places(wording) for wording in (*tool.asks, *tool.held_out)]
    required = [name for name in tool.parameters if all(name in wording for wording in wordings)]
    parameters = _object(tool.parameters, required, held_out)
    return {"name": tool.name, "description": tool.about[held_out], "parameters": parameters}


def _object(fields: dict[str, Of], required: list[str], held_out: bool) -> dict[str, Any]:
    listed = {name: _field(field, held_out) for name, field in fields.items()}
    # Required names first and descriptions early: between two descriptions, which differ from training to
    # evaluation, there are never more than a dozen words that do not.
    return {"type": "object", **({"required": required} if required else {}), "properties": listed}


def _field(field: Of, held_out: bool) -> dict[str, Any]:
    about = {"description": field.about[held_out]}
    if field.fields is None:
        return {**about, **field.schema}
    return {**about, **_object(field.fields, list(field.fields), held_out)}


def listing(tools: Sequence[dict[str, Any]]) -> str:
    """Write tools as the system message shows them.

    Args:
        tools: As `schema` makes them.

    Returns:
        One line of JSON for each.
    """
    return "\n".join(json.dumps(tool) for tool in tools)
