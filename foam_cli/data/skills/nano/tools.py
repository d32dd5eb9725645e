"""The tools that prompts list, and the wordings that ask for them.

Wordings are split by hand: `wordings` are trained on, `held_out` only evaluated. A tool of `UNSEEN_TOOLS` is
never trained on at all.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One tool.

    Attributes:
        name: Its name.
        parameters: Parameter name to kind of value: `name`, `number` or `phrase`.
        wordings: Commands, in lower case, with a place for every parameter.
        held_out: Further commands, for evaluation only.
    """

    name: str
    parameters: dict[str, str]
    wordings: tuple[str, ...]
    held_out: tuple[str, ...]


def compact(tool: Tool) -> str:
    """Write a tool's signature.

    Args:
        tool: The tool.

    Returns:
        For example `timer(minutes)`.
    """
    return f"{tool.name}({', '.join(tool.parameters)})"


def schema(tool: Tool) -> dict[str, Any]:
    """Describe a tool as a scorer needs it.

    Args:
        tool: The tool.

    Returns:
        `{"name", "parameters"}` with a strict JSON Schema.
    """
    types = {
        name: {"type": "integer" if kind == "number" else "string"} for name, kind in tool.parameters.items()
    }
    return {
        "name": tool.name,
        "parameters": {
            "type": "object",
            "properties": types,
            "required": list(tool.parameters),
            "additionalProperties": False,
        },
    }


SEEN_TOOLS = (
    Tool(
        name="weather",
        parameters={"city": "name"},
        wordings=(
            "tell me the weather in {city}",
            "check the weather for {city}",
            "get the weather of {city}",
            "show me the forecast for {city}",
            "look up the forecast of {city}",
            "find out if it rains in {city}",
            "see if it will rain at {city}",
            "give me the weather in {city}",
        ),
        held_out=(
            "show me the weather of {city}",
            "check if it rains in {city}",
            "get the forecast in {city}",
        ),
    ),
    Tool(
        name="timer",
        parameters={"minutes": "number"},
        wordings=(
            "set a timer for {minutes} minutes",
            "start a timer of {minutes} minutes",
            "count down {minutes} minutes",
            "make a timer with {minutes} minutes",
            "let a timer run for {minutes} minutes",
            "give me a countdown of {minutes} minutes",
            "run a countdown for {minutes} minutes",
            "time me for {minutes} minutes",
        ),
        held_out=(
            "give me a timer for {minutes} minutes",
            "start a countdown of {minutes} minutes",
            "let a countdown run for {minutes} minutes",
        ),
    ),
    Tool(
        name="call",
        parameters={"person": "name"},
        wordings=(
            "call {person}",
            "phone {person}",
            "ring {person} up",
            "give {person} a call",
            "make a call to {person}",
            "start a phone call with {person}",
            "dial the number of {person}",
            "get {person} on the phone",
        ),
        held_out=("start a call to {person}", "make a phone call to {person}", "dial {person}"),
    ),
    Tool(
        name="message",
        parameters={"person": "name", "text": "phrase"},
        wordings=(
            'send {person} the message "{text}"',
            'send the message "{text}" to {person}',
            'text "{text}" to {person}',
            'text {person} the words "{text}"',
            'message {person} with "{text}"',
            'let {person} know: "{text}"',
            'write {person} a message that says "{text}"',
            'tell {person} this: "{text}"',
        ),
        held_out=(
            'write the message "{text}" to {person}',
            'send {person} the words "{text}"',
            'let {person} know this: "{text}"',
        ),
    ),
    Tool(
        name="flight",
        parameters={"origin": "name", "destination": "name"},
        wordings=(
            "book a flight from {origin} to {destination}",
            "find a flight from {origin} to {destination}",
            "get me a flight to {destination} from {origin}",
            "search for planes from {origin} to {destination}",
            "show flights to {destination} that leave from {origin}",
            "fly me from {origin} to {destination}",
            "buy a plane ticket from {origin} to {destination}",
            "reserve a seat on a plane to {destination} from {origin}",
        ),
        held_out=(
            "reserve a flight from {origin} to {destination}",
            "find a plane to {destination} from {origin}",
            "show planes from {origin} to {destination}",
        ),
    ),
    Tool(
        name="song",
        parameters={"title": "name"},
        wordings=(
            "play {title}",
            "play the song {title}",
            "put on the song {title}",
            "start the song called {title}",
            "let me hear {title}",
            "play some music by {title}",
            "put on music by {title}",
            "turn on the tune {title}",
        ),
        held_out=("start the song {title}", "let me hear the song {title}", "put on the tune {title}"),
    ),
    Tool(
        name="note",
        parameters={"text": "phrase"},
        wordings=(
            'write down "{text}"',
            'make a note: "{text}"',
            'note that "{text}"',
            'save the note "{text}"',
            'add a note that says "{text}"',
            'keep a note of "{text}"',
            'jot down "{text}"',
            'put "{text}" in my notes',
        ),
        held_out=('add "{text}" to my notes', 'jot down a note: "{text}"', 'save "{text}" in my notes'),
    ),
    Tool(
        name="alarm",
        parameters={"hour": "number"},
        wordings=(
            "set an alarm for {hour}",
            "wake me at {hour}",
            "wake me up at {hour}",
            "set the alarm clock to {hour}",
            "get me up at {hour}",
            "make an alarm ring at {hour}",
            "let the alarm go off at {hour}",
            "turn the alarm on for {hour}",
        ),
        held_out=(
            "make the alarm go off at {hour}",
            "set my alarm to {hour}",
            "let an alarm wake me at {hour}",
        ),
    ),
    Tool(
        name="taxi",
        parameters={"place": "name"},
        wordings=(
            "call a taxi to {place}",
            "get me a taxi to {place}",
            "order a cab to {place}",
            "book a cab that goes to {place}",
            "find me a ride to {place}",
            "send a taxi for a ride to {place}",
            "order a taxi going to {place}",
            "get a car to drive me to {place}",
        ),
        held_out=("book a taxi to {place}", "get me a cab going to {place}", "order a ride to {place}"),
    ),
    Tool(
        name="table",
        parameters={"restaurant": "name", "guests": "number"},
        wordings=(
            "book a table at {restaurant} for {guests}",
            "reserve a table for {guests} at {restaurant}",
            "get us a table for {guests} guests at {restaurant}",
            "order a table at {restaurant} for {guests} people",
            "find a table for {guests} people at {restaurant}",
            "plan dinner for {guests} at {restaurant}",
            "reserve seats for {guests} guests at {restaurant}",
            "make a dinner booking at {restaurant} for {guests}",
        ),
        held_out=(
            "get a table at {restaurant} for {guests} people",
            "book dinner for {guests} guests at {restaurant}",
            "order a table for {guests} at {restaurant}",
        ),
    ),
    Tool(
        name="lamp",
        parameters={"room": "name", "level": "number"},
        wordings=(
            "set the lamp in {room} to {level}",
            "turn the lamp in {room} to {level}",
            "change the light in {room} to {level}",
            "put the light of {room} at {level}",
            "dim the lamp of {room} to {level}",
            "set {room} light to {level}",
            "bring the lamp in {room} to level {level}",
            "make the light in {room} shine at {level}",
        ),
        held_out=(
            "turn the light of {room} to {level}",
            "change the lamp in {room} to {level}",
            "dim the light in {room} to {level}",
        ),
    ),
    Tool(
        name="stock",
        parameters={"company": "name"},
        wordings=(
            "get the stock price of {company}",
            "check the stock of {company}",
            "look up shares of {company}",
            "show me what a share of {company} costs",
            "tell me the share price of {company}",
            "find the stock value of {company}",
            "see how the stock of {company} is doing",
            "give me the price of {company} shares",
        ),
        held_out=(
            "tell me the stock price of {company}",
            "check what a share of {company} costs",
            "look up the stock of {company}",
        ),
    ),
    Tool(
        name="translate",
        parameters={"text": "phrase", "language": "name"},
        wordings=(
            'translate "{text}" into {language}',
            'turn "{text}" into {language}',
            'say "{text}" in {language}',
            'put "{text}" into {language} words',
            'give me the {language} for "{text}"',
            'tell me how to say "{text}" in {language}',
            'write "{text}" in {language}',
            'find the {language} words for "{text}"',
        ),
        held_out=(
            'tell me "{text}" in {language}',
            'give me "{text}" in {language} words',
            'translate the words "{text}" into {language}',
        ),
    ),
    Tool(
        name="meeting",
        parameters={"person": "name", "hour": "number"},
        wordings=(
            "plan a meeting with {person} at {hour}",
            "set up a meeting with {person} for {hour}",
            "schedule {person} for a meeting at {hour}",
            "meet {person} at {hour}",
            "put a meeting with {person} at {hour}",
            "arrange to meet {person} at {hour}",
            "add a meeting at {hour} with {person}",
            "book an hour with {person} at {hour}",
        ),
        held_out=(
            "arrange a meeting with {person} for {hour}",
            "schedule a meeting at {hour} with {person}",
            "plan to meet {person} at {hour}",
        ),
    ),
    Tool(
        name="search",
        parameters={"query": "phrase"},
        wordings=(
            'search for "{query}"',
            'search the web for "{query}"',
            'look for "{query}" online',
            'find pages about "{query}"',
            'google "{query}"',
            'run a search on "{query}"',
            'look up "{query}" on the web',
            'find out about "{query}" online',
        ),
        held_out=(
            'run a web search for "{query}"',
            'find "{query}" on the web',
            'search online for "{query}"',
        ),
    ),
)

UNSEEN_TOOLS = (
    Tool(
        name="hotel",
        parameters={"city": "name", "nights": "number"},
        wordings=(),
        held_out=("book a hotel in {city} for {nights} nights", "find a hotel for {nights} nights in {city}"),
    ),
    Tool(
        name="bus",
        parameters={"town": "name"},
        wordings=(),
        held_out=("find a bus to {town}", "show me the next bus to {town}"),
    ),
    Tool(
        name="recipe",
        parameters={"dish": "name"},
        wordings=(),
        held_out=("find a recipe for {dish}", "show me the recipe of {dish}"),
    ),
    Tool(
        name="order",
        parameters={"item": "name", "count": "number"},
        wordings=(),
        held_out=("order {count} pieces of {item}", "place an order of {item}, count {count}"),
    ),
    Tool(
        name="remind",
        parameters={"text": "phrase", "hour": "number"},
        wordings=(),
        held_out=('remind me at {hour} of "{text}"', 'remind me of "{text}" at {hour}'),
    ),
)
