"""Tasks in English that are worked through with tools: look, think, change, and say what has come of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from foam_cli.core.simulator import Effect, State, execute
from foam_cli.data.skills.autonomy import reply_with
from foam_cli.data.skills.english import words
from foam_cli.data.skills.english.chat import HELD_OUT_SYSTEMS, RESULT, SYSTEMS
from foam_cli.data.skills.english.kind import Draw, begin
from foam_cli.data.skills.english.tool import listing
from foam_cli.data.skills.example import Example, Message, Random, assistant, user
from foam_cli.data.skills.tool_use import Call, format_call


@dataclass(frozen=True, kw_only=True)
class Loop:
    """A task before it is worded.

    Attributes:
        state: The world at the start.
        calls: What has to be done, in order.
        places: What the wordings have places for.
        answer: What is asked for in the end.
    """

    state: State
    calls: list[Call]
    places: dict[str, Any]
    answer: Any


@dataclass(frozen=True, kw_only=True)
class LoopKind:
    """A kind of task with its own little world.

    Attributes:
        tools: Name to what it does (as trained, as asked), its parameters and its effect.
        plan: Draws a task.
        asks: Wordings in training.
        held_out: Wordings in the evaluation.
    """

    tools: dict[str, tuple[str, str, dict[str, str], Effect]]
    plan: Callable[[Draw], Loop]
    asks: tuple[str, ...]
    held_out: tuple[str, ...]


def loop(random: Random, held_out: bool) -> Example:
    """Set one task and work through it.

    Args:
        random: Source of randomness.
        held_out: On which side of the split.

    Returns:
        In training the whole conversation; in evaluation the first turn and what it must lead to.
    """
    name = random.choice(list(KINDS))
    kind = KINDS[name]
    planned = kind.plan(begin(random, held_out, False))
    tools = [_schema(tool, spec, held_out) for tool, spec in kind.tools.items()]
    system = random.choice(HELD_OUT_SYSTEMS if held_out else SYSTEMS).format(tools=listing(tools))
    prompt = random.choice(kind.held_out if held_out else kind.asks).format(**planned.places)
    ending = random.choice(HELD_OUT_ENDINGS if held_out else ENDINGS)
    opening = [{"role": "system", "content": system}, user(f"{prompt} {ending}")]
    turns, final = _worked(kind, planned)
    facts = {
        "group": "loop",
        "kind": name,
        "expected": planned.answer,
        "chance": 0.0,
        "tools": tools,
        "effects": {tool: spec[3] for tool, spec in kind.tools.items()},
        "state": planned.state,
        "final_state": final,
    }
    done = random.choice(("Done.", "All done.", "That is settled.", "Everything is in place."))
    reply = reply_with([done], planned.answer)
    return Example(messages=opening if held_out else [*opening, *turns], reply=reply, facts=facts)


def _worked(kind: LoopKind, planned: Loop) -> tuple[list[Message], State]:
    state, turns = planned.state, list[Message]()
    for tool, arguments in planned.calls:
        state, result = execute(state, kind.tools[tool][3], arguments)
        turns += [assistant(format_call(tool, arguments)), user(RESULT.format(result=json.dumps(result)))]
    return turns, state


def _schema(name: str, spec: tuple[str, str, dict[str, str], Effect], held_out: bool) -> dict[str, Any]:
    about = "Which {} it is" if held_out else "The {} in question"
    properties = {key: {"description": about.format(key), "type": kind} for key, kind in spec[2].items()}
    parameters = {"type": "object", "required": list(properties), "properties": properties}
    return {"name": name, "description": spec[held_out], "parameters": parameters}


def _warehouse(d: Draw) -> Loop:
    shelves, things = d.some(words.COMPANY_WORDS, 2), d.some(words.THINGS, 2)
    state = {shelf: {thing: d.number(4, 40) * 2 for thing in things} for shelf in shelves}
    first, second = shelves
    have = state[first][things[0]]
    calls: list[Call] = [
        ("look_at_shelf", {"shelf": first}),
        ("move_stock", {"source": first, "target": second, "product": things[0], "count": have // 2}),
    ]
    places = {"first": first, "second": second, "thing": things[0]}
    return Loop(state=state, calls=calls, places=places, answer=state[second][things[0]] + have // 2)


def _bank(d: Draw) -> Loop:
    owners = d.people(3)
    state = {owner: {"balance": d.number(30, 95)} for owner in owners}
    giver, taker, _ = owners
    keep = d.number(5, 25)
    paid = state[giver]["balance"] - keep
    calls: list[Call] = [
        ("get_account", {"owner": giver}),
        ("pay", {"payer": giver, "payee": taker, "amount": paid}),
        ("get_account", {"owner": taker}),
    ]
    return Loop(
        state=state,
        calls=calls,
        places={"giver": giver, "taker": taker, "keep": keep},
        answer=state[taker]["balance"] + paid,
    )


def _heating(d: Draw) -> Loop:
    cities = d.some(words.CITIES, 2)
    state = {city: {"degrees": d.number(10, 24), "fan": d.number(1, 9)} for city in cities}
    plus = d.number(2, 9)
    target = state[cities[0]]["degrees"] + plus
    calls: list[Call] = [
        ("read_office", {"office": cities[0]}),
        ("set_office", {"office": cities[0], "setting": "degrees", "value": target}),
    ]
    return Loop(state=state, calls=calls, places={"city": cities[0], "plus": plus}, answer=target)


def _pantry(d: Draw) -> Loop:
    foods = d.some(words.FOODS, 3)
    state = {"pantry": {food: d.number(6, 30) for food in foods}}
    goal = max(state["pantry"].values()) + d.number(2, 12)
    first, second, _ = foods
    calls: list[Call] = [("open_pantry", {})]
    calls += [("buy", {"food": food, "count": goal - state["pantry"][food]}) for food in (first, second)]
    answer = 2 * goal - state["pantry"][first] - state["pantry"][second]
    return Loop(
        state=state, calls=calls, places={"first": first, "second": second, "goal": goal}, answer=answer
    )


def _tickets(d: Draw) -> Loop:
    shows = [
        f"The {a} {b}"
        for a, b in zip(d.some(words.TITLE_WORDS, 2), d.some(words.TITLE_NOUNS, 2), strict=True)
    ]
    seats = [0, 0]
    while seats[0] == seats[1]:
        seats = [d.number(10, 90) for _ in shows]
    state = {show: {"seats": n} for show, n in zip(shows, seats, strict=True)}
    best = shows[seats.index(max(seats))]
    count = d.number(2, 9)
    calls: list[Call] = [("show_seats", {"show": show}) for show in shows]
    calls.append(("reserve", {"show": best, "change": -count}))
    places = {"a": shows[0], "b": shows[1], "count": count}
    return Loop(state=state, calls=calls, places=places, answer=state[best]["seats"] - count)


ENDINGS = (
    'Use the tools one at a time, then report {"answer": ...} on the last line.',
    'Call one tool per message. When all is done, end with {"answer": ...}.',
    'Work with the tools, one call after the other; the last line is {"answer": ...}.',
)
HELD_OUT_ENDINGS = ('One call per turn, please. Finally write {"answer": ...}.',)
KINDS = {
    "warehouse": LoopKind(
        tools={
            "look_at_shelf": (
                "Lists what is on a shelf.",
                "Shows a shelf.",
                {"shelf": "string"},
                {"do": "read", "place": "$shelf"},
            ),
            "move_stock": (
                "Moves pieces from one shelf to another.",
                "Carries goods over.",
                {"source": "string", "target": "string", "product": "string", "count": "integer"},
                {"do": "move", "place": "$source", "to": "$target", "key": "$product", "amount": "$count"},
            ),
        },
        plan=_warehouse,
        asks=(
            "Move half of the {thing} on shelf {first} to shelf {second}. How many {thing} are then on "
            "{second}?",
            "Shelf {first} shall give half of its {thing} to shelf {second}. How many of them does "
            "{second} hold afterwards?",
            "Take half the {thing} from {first} over to {second} and tell me the new number on {second}.",
        ),
        held_out=(
            "I'd like 50 percent of the {thing} of shelf {first} to lie on {second} instead. With how "
            "many does {second} end up?",
        ),
    ),
    "bank": LoopKind(
        tools={
            "get_account": (
                "Shows the balance of a person.",
                "Reads an account.",
                {"owner": "string"},
                {"do": "read", "place": "$owner"},
            ),
            "pay": (
                "Pays dollars from one person to another.",
                "Settles an amount between two people.",
                {"payer": "string", "payee": "string", "amount": "integer"},
                {"do": "move", "place": "$payer", "to": "$payee", "key": "balance", "amount": "$amount"},
            ),
        },
        plan=_bank,
        asks=(
            "Pay everything that {giver} has above {keep} dollars to {taker}. What is the balance of "
            "{taker} then?",
            "{giver} wants to keep exactly {keep} dollars; the rest goes to {taker}. Report the new "
            "balance of {taker}.",
            "Leave {keep} dollars with {giver} and give the remainder to {taker}. How much does {taker} "
            "have?",
        ),
        held_out=(
            "All but {keep} dollars of {giver}'s money belongs to {taker}. Settle this and look up what "
            "{taker} owns.",
        ),
    ),
    "heating": LoopKind(
        tools={
            "read_office": (
                "Reads the settings of an office.",
                "What an office is set to.",
                {"office": "string"},
                {"do": "read", "place": "$office"},
            ),
            "set_office": (
                "Changes one setting of an office.",
                "Adjusts an office.",
                {"office": "string", "setting": "string", "value": "integer"},
                {"do": "set", "place": "$office", "key": "$setting", "value": "$value"},
            ),
        },
        plan=_heating,
        asks=(
            "Make the office in {city} {plus} degrees warmer. Which temperature is set then?",
            "Raise the setting degrees of the {city} office by {plus}. What is it now?",
            "The people in {city} are cold: {plus} degrees more in their office, please. Tell me the "
            "new value.",
        ),
        held_out=("Add {plus} to the degrees of our office in {city} and name the resulting temperature.",),
    ),
    "pantry": LoopKind(
        tools={
            "open_pantry": (
                "Lists the food in the pantry.",
                "Looks into the pantry.",
                {},
                {"do": "read", "place": "pantry"},
            ),
            "buy": (
                "Buys food and puts it into the pantry.",
                "Fills the pantry up.",
                {"food": "string", "count": "integer"},
                {"do": "add", "place": "pantry", "key": "$food", "amount": "$count"},
            ),
        },
        plan=_pantry,
        asks=(
            "Buy as many {first} and {second} as it takes to have {goal} of each. How many pieces did "
            "you buy in all?",
            "We need {goal} {first} and {goal} {second} in the pantry. Buy what is missing and tell me "
            "how many pieces that was.",
            "Fill up {first} and {second} to {goal} each. What is the total number of pieces bought?",
        ),
        held_out=(
            "There should be {goal} pieces each of {first} and of {second}. Get the difference, and "
            "count your purchases.",
        ),
    ),
    "tickets": LoopKind(
        tools={
            "show_seats": (
                "Says how many seats are free.",
                "Free places of a show.",
                {"show": "string"},
                {"do": "read", "place": "$show"},
            ),
            "reserve": (
                "Changes the number of free seats; negative to reserve.",
                "Books with a negative number.",
                {"show": "string", "change": "integer"},
                {"do": "add", "place": "$show", "key": "seats", "amount": "$change"},
            ),
        },
        plan=_tickets,
        asks=(
            "Check {a} and {b}, and reserve {count} seats for the one with more free seats. How many "
            "are free there afterwards?",
            "Of {a} and {b}, take the show that has more free seats and reserve {count}. How many are left?",
            "Reserve {count} seats in {a} or {b}, wherever more are free. Tell me what remains free there.",
        ),
        held_out=(
            "Whichever of {a} and {b} is less booked up shall get our {count} people. State its free seats "
            "after that.",
        ),
    ),
}
