"""Tool use in English: JSON Schemas in the system message, several turns, requests that no tool fits."""

import json
import re
from typing import Any

from foam_cli.data.skills.english import chat, words
from foam_cli.data.skills.english.tool import Tool, listing, places, schema
from foam_cli.data.skills.english.tools_home import TOOLS as HOME_TOOLS
from foam_cli.data.skills.english.tools_office import TOOLS as OFFICE_TOOLS
from foam_cli.data.skills.english.tools_town import TOOLS as TOWN_TOOLS
from foam_cli.data.skills.english.tools_unseen import TOOLS as UNSEEN_TOOLS
from foam_cli.data.skills.english.values import Value, company, draw_number, one, some
from foam_cli.data.skills.example import Message, Random, assistant, user
from foam_cli.data.skills.tool_use import Call, Request, ToolUse, format_call

SHARE, NO_CALL_SHARE = 0.4, 0.3
SEEN_TOOLS = (*HOME_TOOLS, *TOWN_TOOLS, *OFFICE_TOOLS)
#: Tools with an incomplete request: two of three are trained, every third is asked in the evaluation.
LACKING = tuple(tool for tool in SEEN_TOOLS if tool.lacks)
#: Tools that may serve each other's purpose; none of a group is listed where another is asked for in vain.
RELATED = (
    {"send_message", "send_email", "call_contact"},
    {"set_alarm", "create_reminder", "set_timer", "schedule_meeting", "save_note"},
    {"search_flights", "find_trains", "order_taxi", "get_directions", "rent_car"},
    {"set_thermostat", "set_light"},
    {"order_groceries", "add_to_shopping_list", "save_note", "create_reminder"},
    {"track_parcel", "cancel_order"},
    {"transfer_money", "create_invoice"},
    {"find_employee", "call_contact"},
    {"reserve_table", "book_hotel", "buy_tickets"},
    {"search_library", "find_recipe"},
    {"log_workout", "save_note"},
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
        request=request,
        no_call=no_call,
    )


def request(random: Random, tool: Tool, held_out: bool) -> Request:
    """Ask for a tool: plainly, with a second one, after a first answer, or with a part handed in later.

    Args:
        random: Source of randomness.
        tool: The tool.
        held_out: On which side of the split.

    Returns:
        The conversation; in training half of the plain ones go on to the tool's result and an answer.
    """
    shape = random.random()
    if shape < 0.25 and tool.result:
        return _changed(random, tool, held_out)
    if shape < 0.35 and tool.result:
        return _two_at_once(random, tool, held_out)
    if shape < 0.45 and not held_out and tool in _lacking(held_out):
        return _completed(random, tool)
    prompt, values = ask(random, tool, held_out)
    messages, tools = _opened(random, prompt, [tool], held_out)
    if tool.result and not held_out and random.random() < 0.5:
        after, said = _with_result(random, messages, tool, values, held_out)
        return Request(messages=after, tools=tools, calls=[], words=said)
    return Request(messages=messages, tools=tools, calls=[_call(tool, values)], words="")


def no_call(random: Random, held_out: bool) -> Request:
    """Say something that is answered in words although tools are listed.

    Args:
        random: Source of randomness.
        held_out: On which side of the split.

    Returns:
        The conversation.
    """
    shape = random.random()
    if shape < 0.12:
        tool = random.choice(_lacking(held_out))
        _, prompt, question = tool.lacks or ("", "", "")
        messages, tools = _opened(random, prompt, [tool], held_out)
        return Request(messages=messages, tools=tools, calls=[], words=question)
    if shape < 0.4:
        tool = random.choice(SEEN_TOOLS)
        prompt, _ = ask(random, tool, held_out)
        messages, tools = _opened(random, prompt, [], held_out, without=tool)
        return Request(messages=messages, tools=tools, calls=[], words=random.choice(chat.UNFIT))
    if shape < 0.6 and held_out:
        tool = random.choice(SEEN_TOOLS)
        prompt, values = ask(random, tool, held_out)
        messages, tools = _opened(random, prompt, [tool], held_out)
        after, said = _with_result(random, messages, tool, values, held_out)
        return Request(messages=after, tools=tools, calls=[], words=said)
    prompt, reply = _talk(random, held_out)
    messages, tools = _opened(random, prompt, [], held_out)
    return Request(messages=messages, tools=tools, calls=[], words=reply)


def ask(random: Random, tool: Tool, held_out: bool) -> tuple[str, dict[str, Value]]:
    """Ask for a tool in one sentence or two.

    Args:
        random: Source of randomness.
        tool: The tool.
        held_out: On which side of the split.

    Returns:
        What is said, and the values in it.
    """
    wording = random.choice(tool.held_out if held_out else tool.asks)
    frame = random.choice(chat.HELD_OUT_FRAMES if held_out else chat.FRAMES)
    values = {
        name: field.draw(random, held_out)
        for name, field in tool.parameters.items()
        if name in places(wording)
    }
    said = wording.format(**{name: value.text for name, value in values.items()})
    if wording[0].islower():
        said = frame.format(ask=said, Ask=said[0].upper() + said[1:])
    return said, values


def _lacking(held_out: bool) -> list[Tool]:
    return [tool for place, tool in enumerate(LACKING) if (place % 3 == 2) == held_out]


def _opened(
    random: Random, prompt: str, wanted: list[Tool], held_out: bool, without: Tool | None = None
) -> tuple[list[Message], list[dict[str, Any]]]:
    """System message and first turn; up to three other tools are listed beside the wanted ones."""
    taken = {tool.name for tool in wanted}
    if without is not None:
        taken |= {without.name}.union(*(group for group in RELATED if without.name in group))
    others = [tool for tool in SEEN_TOOLS if tool.name not in taken]
    listed = [*wanted, *random.sample(others, random.randint(0 if wanted else 1, 3))]
    random.shuffle(listed)
    tools = [schema(tool, held_out) for tool in listed]
    system = random.choice(chat.HELD_OUT_SYSTEMS if held_out else chat.SYSTEMS)
    return [{"role": "system", "content": system.format(tools=listing(tools))}, user(prompt)], tools


def _with_result(
    random: Random, messages: list[Message], tool: Tool, values: dict[str, Value], held_out: bool
) -> tuple[list[Message], str]:
    """The conversation after the tool's result, and what is said about it."""
    texts = {name: value.text for name, value in values.items()}
    call = _call(tool, values)
    result = {name: _result(random, kind, call[1]) for name, kind in tool.result.items()}
    if held_out:
        result["request_id"] = random.randint(100_000, 999_999)  # so that no result is one that was trained
    after = [
        *messages,
        assistant(format_call(*call)),
        user(chat.RESULT.format(result=json.dumps(result))),
    ]
    if held_out:
        said = ", ".join(f"{name} {value}" for name, value in result.items()).replace("_", " ")
        return after, f"This came back: {said}."
    fitting = [answer for answer in tool.answers if places(answer) <= texts.keys() | result.keys()]
    return after, random.choice(fitting).format(**texts, **result)


def _result(random: Random, kind: Any, arguments: dict[str, Any]) -> Any:
    if callable(kind):
        return kind(arguments)
    if isinstance(kind, tuple):
        return random.randint(*kind)
    if isinstance(kind, list):
        return random.choice(kind)
    return kind.format(random.randint(1000, 9999))


def _call(tool: Tool, values: dict[str, Value]) -> Call:
    return tool.name, {name: value.json for name, value in values.items()}


def _changed(random: Random, tool: Tool, held_out: bool) -> Request:
    """A first request with its result, then the same with one other value."""
    prompt, values = ask(random, tool, held_out)
    while not (clear := [name for name, value in values.items() if prompt.count(value.text) == 1]):
        prompt, values = ask(random, tool, held_out)  # it must be clear which of two equal values is meant
    messages, tools = _opened(random, prompt, [tool], held_out)
    after, said = _with_result(random, messages, tool, values, held_out)
    name = random.choice(clear)
    old = new = values[name]
    while new.json == old.json:
        new = tool.parameters[name].draw(random, held_out)
    change = random.choice(chat.HELD_OUT_CHANGES if held_out else chat.CHANGES)
    was, now = _quoted(old), _quoted(new)
    turn = change.format(old=was, new=now, New=now[0].upper() + now[1:])
    calls = [_call(tool, {**values, name: new})]
    return Request(messages=[*after, assistant(said), user(turn)], tools=tools, calls=calls, words="")


#: How a value begins that is no name of anything, such as `with breakfast`.
_HALF_SENTENCES = frozenset(
    ["at", "by", "every", "in", "it", "just", "lent", "on", "only", "the", "with", "without", "who"]
)


def _quoted(value: Value) -> str:
    """A sentence or half a sentence within a sentence stands in quotation marks."""
    is_sentence = value.json == value.text and len(value.text.split()) > 3
    is_half = value.json != value.text and value.text.split()[0] in _HALF_SENTENCES
    return f'"{value.text}"' if is_sentence or is_half else value.text


def _two_at_once(random: Random, tool: Tool, held_out: bool) -> Request:
    other = random.choice([one for one in SEEN_TOOLS if one is not tool])
    first, values = ask(random, tool, held_out)
    second, more = ask(random, other, held_out)
    joint = random.choice(chat.HELD_OUT_JOINTS if held_out else chat.JOINTS)
    second = re.sub(r"^(Hi, |Hey, |Good day! |Next, |One more thing: )", "", second)
    second = second[0].upper() + second[1:]
    messages, tools = _opened(random, first + joint + second, [tool, other], held_out)
    calls = [_call(tool, values), _call(other, more)]
    return Request(messages=messages, tools=tools, calls=calls, words="")


def _completed(random: Random, tool: Tool) -> Request:
    """Something is missing, is asked for, and comes."""
    name, prompt, question = tool.lacks or ("", "", "")
    messages, tools = _opened(random, prompt, [tool], held_out=False)
    value = tool.parameters[name].draw(random, False)
    turn = user(random.choice(("{}.", "{}, please.", "Oh, sorry: {}.", "Let's say {}.")).format(value.text))
    calls = [(tool.name, {name: value.json})]
    return Request(messages=[*messages, assistant(question), turn], tools=tools, calls=calls, words="")


def _talk(random: Random, held_out: bool) -> tuple[str, str]:
    prompt, reply = random.choice(chat.HELD_OUT_CHAT if held_out else chat.CHAT)
    person, other = some(random, words.FIRST_NAMES, 2, held_out)
    city, city2 = some(random, words.CITIES, 2, held_out)
    word, word2 = some(random, words.FOODS, 2, held_out)
    a = draw_number(random, 3, 60, held_out)
    b, c = draw_number(random, 3, 60, held_out), random.randint(2, 9)
    values = {
        "person": person,
        "other": other,
        "city": city,
        "city2": city2,
        "word": word,
        "word2": word2,
        "thing": one(random, words.ONE_THING, held_out),
        "topic": one(random, words.TOPICS, held_out),
        "company": company(random, held_out),
        "dish": one(random, words.DISHES, held_out),
        "a": a,
        "b": b,
        "c": c,
        "sum": a + b,
        "product": a * c,
        "big": a + b,
        "upper": word.upper(),
        "initial": word[0].upper(),
        "final": word[-1],
        "sorted": ", ".join(sorted([word, word2])),
        "even": f"Yes, {a} is even." if a % 2 == 0 else f"No, {a} is odd.",
    }
    return prompt.format(**values), reply.format(**values)
