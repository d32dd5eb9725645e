"""A deterministic little world of places that hold values, which tools read and change.

Training data is generated with it and replies are judged with it, so it is plain data throughout: a state is
`{place: {key: value}}`, the effect of a tool `{"do": "read" | "add" | "move" | "set", ...}`. A text in an
effect names an argument where it begins with `$`.
"""

from typing import Any

State = dict[str, dict[str, Any]]
Effect = dict[str, Any]


def execute(state: State, effect: Effect, arguments: dict[str, Any]) -> tuple[State, dict[str, Any]]:
    """Do what a tool does.

    Args:
        state: The world before; it stays as it is.
        effect: `read` a `place`; `add` an `amount` to a `key` of a place; `move` an `amount` of a `key` from
            a `place` to another (`to`); `set` a `key` of a place to a `value`.
        arguments: What the tool was called with.

    Returns:
        The world after, and what the tool answers: the contents of the place, or `{"error": reason}` where
        the call makes no sense, and then nothing changes.
    """

    def filled(name: str) -> Any:
        value = effect[name]
        return arguments.get(value[1:]) if isinstance(value, str) and value.startswith("$") else value

    after = {place: dict(contents) for place, contents in state.items()}
    place = filled("place")
    if place not in after:
        return state, {"error": f"there is no {place}"}
    if effect["do"] == "read":
        return state, after[place]
    key = filled("key")
    if effect["do"] == "set":
        if key not in after[place]:
            return state, {"error": f"{place} has no {key}"}
        after[place][key] = filled("value")
        return after, after[place]
    to = filled("to") if effect["do"] == "move" else place
    refusal = _change(after, place, to, key, filled("amount"), moves=effect["do"] == "move")
    return (state, {"error": refusal}) if refusal else (after, after[to])


def _change(state: State, place: str, to: str, key: str, amount: Any, *, moves: bool) -> str | None:
    """Add or move in place, or say why not."""
    if not isinstance(amount, int) or isinstance(amount, bool):
        return "the amount must be a whole number"
    if to not in state:
        return f"there is no {to}"
    held = state[place].get(key, 0)
    if (held + amount if not moves else held - amount) < 0 or (moves and amount < 0):
        return f"{place} has only {held} {key}"
    if moves:
        state[place][key] = held - amount
    state[to][key] = state[to].get(key, 0) + amount
    return None
