"""Tool use: the system message lists tools, the reply is exactly one call, or text where none is needed.

Evaluation items are `{"id", "messages", "group", "tools", "expected"}`. `group` is `seen`, `unseen` (tools
that were never trained on) or `no_call`; `tools` holds a strict JSON Schema for each listed tool; `expected`
is a list of `{"name", "arguments": {parameter: [accepted values]}}` and empty where no call is right.
"""

import json
import random as stdlib_random
from typing import Any

from foam_cli.core.seeds import rng
from foam_cli.data.skills.tools import SEEN_TOOLS, UNSEEN_TOOLS, Tool, compact, schema
from foam_cli.data.words import coin_name, coin_number, coin_phrase

Random = stdlib_random.Random
NO_CALL_SHARE = 0.3
OPENERS = (
    "",
    "",
    "Please ",
    "Could you ",
    "Can you ",
    "I want you to ",
    "I need you to ",
    "Would you ",
    "Hey, ",
    "Now ",
    "Kindly ",
    "Will you ",
)
HELD_OUT_OPENERS = (
    "Hey, could you ",
    "Now please ",
    "Could you kindly ",
    "Please, I want you to ",
    "Can you now ",
    "",
)
CLOSERS = ("", "", "", " please", " now", " for me", " thanks", " today", " quickly")
HELD_OUT_CLOSERS = (" now please", " for me today", " quickly for me", "", "")
CHATTER = (
    ("Thank you, says {name}.", "You are welcome, {name}."),
    ("Hello, I am {name}.", "Hello {name}, nice to meet you."),
    ("{name} says goodbye.", "Goodbye, {name}."),
    ("Good morning from {name}.", "Good morning, {name}."),
    ("What is {a} + {b}?", "{a} + {b} = {sum}"),
    ("Work out {a} + {b}.", "{a} + {b} = {sum}"),
    ('Repeat: "{phrase}"', "{phrase}"),
    ('Say "{phrase}" for me.', "{phrase}"),
    ("Repeat the name {name}.", "{name}"),
    ("{name} is happy. Who is happy?", "{name} is happy."),
    ("Which is first: {name}, {other}?", "{name}"),
    ("{name} likes {other}. Whom does {name} like?", "{name} likes {other}."),
    ("Goodbye, says {name}.", "Goodbye, {name}."),
    ("{name} thanks you.", "You are welcome, {name}."),
    ("Here is {name}. Good day.", "Hello {name}, nice to meet you."),
    ("{a} + {b} is what?", "{a} + {b} = {sum}"),
    ("Write the name {name}.", "{name}"),
    ('What does "{phrase}" say?', "{phrase}"),
    ("{other} is tall. {name} is small. Who is small?", "{name} is small."),
    ("{name} sees {other}. Whom does {name} see?", "{name} sees {other}."),
)
"""Prompts that need no tool, and replies; the wordings of general chat."""
HELD_OUT_CHATTER = (
    ("Thank you and good morning, says {name}.", "You are welcome, {name}."),
    ("Hello and good morning from {name}.", "Good morning, {name}."),
    ("Please work out {a} + {b}.", "{a} + {b} = {sum}"),
    ("{name} says hello.", "Hello, {name}."),
    ('Please repeat "{phrase}".', "{phrase}"),
    ("{name} is happy. {other} is not. Who is happy?", "{name} is happy."),
    ("Say the name {name}.", "{name}"),
)


def train_examples(n: int, seed: int) -> list[dict[str, Any]]:
    """Ask for tools in training wordings with training values.

    Args:
        n: How many examples.
        seed: Chooses tools, wordings and values.

    Returns:
        Documents `{"messages", "kind": "tool_use"}`.
    """
    random = rng(seed, "tool_use")
    documents: list[dict[str, Any]] = []
    for _ in range(n):
        if random.random() < NO_CALL_SHARE:
            messages, _tools, reply = _no_call(random, CHATTER, held_out=False)
        else:
            messages, _tools, tool, arguments = _request(random, random.choice(SEEN_TOOLS), held_out=False)
            reply = format_call(tool.name, arguments)
        documents.append(
            {"messages": [*messages, {"role": "assistant", "content": reply}], "kind": "tool_use"}
        )
    return documents


def eval_items(n: int, seed: int) -> list[dict[str, Any]]:
    """Ask for tools in held-out wordings with held-out values.

    Args:
        n: How many items; 6 of 11 want a trained tool, 3 want none, 2 want a tool never trained on.
        seed: Chooses tools, wordings and values.

    Returns:
        Items as the module says.
    """
    random = rng(seed, "tool_use items")
    num_no_call, num_unseen = n * 3 // 11, n * 2 // 11
    groups = ["seen"] * (n - num_no_call - num_unseen) + ["no_call"] * num_no_call + ["unseen"] * num_unseen
    items: list[dict[str, Any]] = []
    for index, group in enumerate(groups):
        expected: list[dict[str, Any]] = []
        if group == "no_call":
            messages, tools, _reply = _no_call(random, HELD_OUT_CHATTER, held_out=True)
        else:
            pool = SEEN_TOOLS if group == "seen" else UNSEEN_TOOLS
            messages, tools, tool, arguments = _request(random, pool[index % len(pool)], held_out=True)
            accepted = {name: [value] for name, value in arguments.items()}
            expected = [{"name": tool.name, "arguments": accepted}]
        item = {"id": f"tool_use/{index}", "messages": messages, "group": group}
        items.append(item | {"tools": [schema(tool) for tool in tools], "expected": expected})
    return items


def format_call(name: str, arguments: dict[str, Any]) -> str:
    """Write a call as the model shall write it.

    Args:
        name: The tool.
        arguments: Its arguments.

    Returns:
        `<tool_call>{...}</tool_call>`.
    """
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


def _request(
    random: Random, tool: Tool, *, held_out: bool
) -> tuple[list[dict[str, str]], list[Tool], Tool, dict[str, Any]]:
    arguments = {name: _value(random, kind, held_out) for name, kind in tool.parameters.items()}
    body = random.choice(tool.held_out if held_out else tool.wordings).format(**arguments)
    opener = random.choice(HELD_OUT_OPENERS if held_out else OPENERS)
    closer = random.choice(HELD_OUT_CLOSERS if held_out else CLOSERS)
    prompt = opener + body + closer
    prompt = (
        prompt[0].upper()
        + prompt[1:]
        + ("?" if "ould you" in opener or opener[:3] in ("Can", "Wil") else ".")
    )
    messages, tools = _with_tools(random, prompt, tool)
    return messages, tools, tool, arguments


def _no_call(
    random: Random, wordings: tuple[tuple[str, str], ...], *, held_out: bool
) -> tuple[list[dict[str, str]], list[Tool], str]:
    wording, reply = random.choice(wordings)
    a, b = random.randint(0, 20), random.randint(1, 9)
    values = {
        "name": coin_name(random, held_out=held_out),
        "other": coin_name(random, held_out=held_out),
        "phrase": coin_phrase(random, held_out=held_out),
    }
    values |= {"a": str(a), "b": str(b), "sum": str(a + b)}
    messages, tools = _with_tools(random, wording.format(**values), None)
    return messages, tools, reply.format(**values)


def _with_tools(random: Random, prompt: str, tool: Tool | None) -> tuple[list[dict[str, str]], list[Tool]]:
    others = random.sample(
        [other for other in SEEN_TOOLS if other is not tool], random.randint(0 if tool else 1, 2)
    )
    tools = [*others, tool] if tool else others
    random.shuffle(tools)
    system = "Tools: " + ", ".join(compact(listed) for listed in tools)
    return [{"role": "system", "content": system}, {"role": "user", "content": prompt}], tools


def _value(random: Random, kind: str, held_out: bool) -> str | int:
    if kind == "number":
        return coin_number(random, 1, 99, held_out=held_out)
    if kind == "phrase":
        return coin_phrase(random, held_out=held_out)
    return coin_name(random, held_out=held_out)
