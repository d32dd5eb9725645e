"""Conversations in which a model calls tools of a simulated world, turn by turn."""

import json
from collections.abc import Callable, Sequence

from foam_cli.core.simulator import State, execute
from foam_cli.evaluation.calls import Call, parse_calls
from foam_cli.evaluation.items import Item
from foam_cli.evaluation.json_schema import matches

#: Turns after which a conversation ends, whatever it has come to.
MAX_TURNS = 6


def play(items: Sequence[Item], ask: Callable[[list[Item]], list[str]]) -> list[tuple[State, list[str]]]:
    """Let a model call tools until it says something else.

    Args:
        items: Each with `messages`, `tools` (JSON Schemas), `effects` and `state`.
        ask: Gives a reply to each of some items' `messages`.

    Returns:
        For each item the world it has led to and the model's replies. A call of a tool that is not listed, or
        with arguments that do not fit, is answered with an error and changes nothing.
    """
    states: list[State] = [item["state"] for item in items]
    replies: list[list[str]] = [[] for _ in items]
    messages = [list(item["messages"]) for item in items]
    going = list(range(len(items)))
    for _ in range(MAX_TURNS):
        if not going:
            break
        said = ask([{**items[index], "messages": messages[index]} for index in going])
        still = list[int]()
        for index, reply in zip(going, said, strict=True):
            replies[index].append(reply)
            calls = parse_calls(reply)
            if calls is None:
                continue
            results: list[str] = []
            for call in calls:
                states[index], result = _respond(items[index], states[index], call)
                results.append(f"<tool_response>\n{json.dumps(result)}\n</tool_response>")
            messages[index] += [
                {"role": "assistant", "content": reply},
                {"role": "user", "content": "\n".join(results)},
            ]
            still.append(index)
        going = still
    return list(zip(states, replies, strict=True))


def _respond(item: Item, state: State, call: Call) -> tuple[State, dict[str, object]]:
    schemas = {tool["name"]: tool["parameters"] for tool in item["tools"]}
    name, arguments = call["name"], call["arguments"]
    if name not in schemas:
        return state, {"error": f"there is no tool {name}"}
    if not matches(arguments, schemas[name]):
        return state, {"error": "the arguments do not fit"}
    return execute(state, item["effects"][name], arguments)
