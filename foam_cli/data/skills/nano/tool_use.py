"""The wordings of nano's tool use: a signature per tool, one command or one small remark per prompt."""

from foam_cli.data.skills.example import Message, Random, user
from foam_cli.data.skills.nano.tools import SEEN_TOOLS, UNSEEN_TOOLS, Tool, compact, schema
from foam_cli.data.skills.tool_use import Request, ToolUse
from foam_cli.data.words import coin_name, coin_number, coin_phrase

SHARE, NO_CALL_SHARE = 0.40, 0.3
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


def tool_use() -> ToolUse[Tool]:
    """Make the skill.

    Returns:
        It.
    """
    return ToolUse(
        share=SHARE,
        no_call_share=NO_CALL_SHARE,
        seen=SEEN_TOOLS,
        unseen=UNSEEN_TOOLS,
        request=_request,
        no_call=_no_call,
    )


def _request(random: Random, tool: Tool, held_out: bool) -> Request:
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
    return Request(
        messages=messages, tools=list(map(schema, tools)), calls=[(tool.name, arguments)], words=""
    )


def _no_call(random: Random, held_out: bool) -> Request:
    wording, reply = random.choice(HELD_OUT_CHATTER if held_out else CHATTER)
    a, b = random.randint(0, 20), random.randint(1, 9)
    values = {
        "name": coin_name(random, held_out=held_out),
        "other": coin_name(random, held_out=held_out),
        "phrase": coin_phrase(random, held_out=held_out),
    }
    values |= {"a": str(a), "b": str(b), "sum": str(a + b)}
    messages, tools = _with_tools(random, wording.format(**values), None)
    return Request(messages=messages, tools=list(map(schema, tools)), calls=[], words=reply.format(**values))


def _with_tools(random: Random, prompt: str, tool: Tool | None) -> tuple[list[Message], list[Tool]]:
    others = random.sample(
        [other for other in SEEN_TOOLS if other is not tool], random.randint(0 if tool else 1, 2)
    )
    tools = [*others, tool] if tool else others
    random.shuffle(tools)
    system = "Tools: " + ", ".join(compact(listed) for listed in tools)
    return [{"role": "system", "content": system}, user(prompt)], tools


def _value(random: Random, kind: str, held_out: bool) -> str | int:
    if kind == "number":
        return coin_number(random, 1, 99, held_out=held_out)
    if kind == "phrase":
        return coin_phrase(random, held_out=held_out)
    return coin_name(random, held_out=held_out)
