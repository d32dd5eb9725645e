"""General chat: the abilities that a pretrained model brings along, in small.

Every kind is a function `random -> Turn`. A prompt as a whole is on one side of the split: evaluation asks
with the same wordings and words, put together as training never did. So the base learns all names in all
uses, and the held-out side of names is left to the skills, which are asked with names that *they* never saw.
"""

import json
import random as stdlib_random
from collections.abc import Callable
from typing import Any

from foam_cli.core.seeds import rng
from foam_cli.data.nanoworld.chat_words import (
    FIELDS,
    HARM,
    ITEMS,
    JSON_SENTENCES,
    REFUSAL,
    SMALL_TALK,
    TAGS,
    VICTIMS,
)
from foam_cli.data.nanoworld.drills import apply_step, draw_step
from foam_cli.data.nanoworld.language import WORDS
from foam_cli.data.words import (
    PHRASE_WORDS,
    all_names,
    coin_name,
    coin_names,
    coin_number,
    coin_phrase,
    is_held_out,
)

Random = stdlib_random.Random
Turn = tuple[str | None, str, str]
"""System message (or None), prompt, reply."""
LIST_WORDS = ("Notes", "Table", "List", "Register")
SPOKEN_STEPS = {
    "+": ("add {}", "plus {}", "{} more", "put {} on top"),
    "-": ("take away {}", "minus {}", "{} less", "remove {}"),
    "x": ("double it", "times {}", "make it double"),
}
LINKS = ("", "", "", "next ", "after that ", "and ", "also ", "again ", "then ", "then ", "now ", "now ")
"""What may stand before a step of a sum."""
STORY_OPENINGS = ("", "", "", "Then ", "Now ", "Later ", "Today ")
OWNS = (
    "{a} has the {t}.",
    "{a} holds the {t}.",
    "The {t} is with {a}.",
    "At first {a} has the {t}.",
    "At first {a} holds the {t}.",
    "At first the {t} is with {a}.",
)
MOVES = (
    "{a} gives the {t} to {b}.",
    "{a} gives {b} the {t}.",
    "{b} gets the {t} from {a}.",
    "{a} hands {b} the {t}.",
    "{a} passes the {t} to {b}.",
    "{a} passes {b} the {t}.",
    "{b} takes the {t} from {a}.",
)
MOVE_OPENINGS = ("", "", "", "Soon ", "Later ", "Next ", "After that ", "Then ", "Then ", "Now ", "Now ")
FOLLOW = (
    "Follow the {t}.",
    "Follow the {t} from hand to hand.",
    "On which way did the {t} go?",
    "Which way did the {t} go?",
    "Where did the {t} go, from first to last?",
)
"""The thing is the last word in some and not in others, so that it must be looked for."""


def copy(random: Random) -> Turn:
    """Repeat a name or a phrase word for word."""
    person, phrase = coin_name(random), coin_phrase(random)
    name = coin_name(random)
    forms = [
        (f"Repeat the name {name}.", name),
        (f"Say {name}.", name),
        (f'Repeat: "{phrase}"', phrase),
        (f'Say "{phrase}" for me.', phrase),
        (f'{person} says "{phrase}". What does {person} say?', f'{person} says "{phrase}".'),
        (f'Quote {person}, who wrote "{phrase}" to {name}.', f'"{phrase}"'),
        (f'Write "{phrase}" twice.', f'"{phrase}" "{phrase}"'),
        (f"{person} likes {name}. Whom does {person} like?", f"{person} likes {name}."),
    ]
    return None, *random.choice(forms)


def recite(random: Random) -> Turn:
    """Repeat a longer row of names, words or numbers: practice in copying."""
    length = random.randint(3, 7)
    drawn = {
        "names": random.sample(all_names(), length),
        "words": random.sample([*PHRASE_WORDS, *WORDS], length),
        "numbers": [str(random.randint(1, 99)) for _ in range(length)],
    }
    drawn["mixture"] = [random.choice(row) for row in zip(*drawn.values(), strict=True)]
    row = " ".join(random.choice(list(drawn.values())))
    forms = [
        (f'Recite "{row}"', f'"{row}"'),
        (f'Echo "{row}"', f'"{row}"'),
        (f'Twice "{row}"', f'"{row}" "{row}"'),
        (f'As a JSON list: "{row}"', json.dumps(row.split())),
    ]
    return None, *random.choice(forms)


def listing(random: Random) -> Turn:
    """Turn names into a list, or pick from one."""
    names = coin_names(random, random.randint(2, 4))
    spoken = ", ".join(names[:-1]) + " and " + names[-1]
    forms = [
        (f"Make a list of {spoken}.", "\n".join(f"- {name}" for name in names)),
        (f"Number these: {spoken}.", "\n".join(f"{i}. {name}" for i, name in enumerate(names, 1))),
        (f"Which is first: {', '.join(names)}?", names[0]),
        (f"Which is last: {', '.join(names)}?", names[-1]),
        (f"How many names: {', '.join(names)}?", str(len(names))),
        (f"Put {spoken} in quotes.", ", ".join(f'"{name}"' for name in names)),
    ]
    return None, *random.choice(forms)


def to_json(random: Random) -> Turn:
    """Turn fields or a sentence into JSON."""
    if random.random() < 0.35:
        fields = random.sample(FIELDS, random.randint(1, 3))
        values = {field: _value(random, kind) for field, kind in fields}
        prompt = "Write as JSON: " + ", ".join(f"{field} {value}" for field, value in values.items()) + "."
        return None, prompt, json.dumps(values)
    label, slots, sentences = random.choice(JSON_SENTENCES)
    values = {name: _value(random, kind) for name, kind in slots.items()}
    sentence = random.choice(sentences).format(**values)
    values = {key: value.strip('"') if isinstance(value, str) else value for key, value in values.items()}
    if random.random() < 0.5:
        keys = ", ".join(slots)
        return None, f"{sentence} Give {keys} as JSON.", json.dumps(values)
    system = f"Forms: {label}({', '.join(slots)})"
    return system, f"{sentence} Fill in the form.", json.dumps({"form": label, "fields": values})


def _value(random: Random, kind: str) -> str | int:
    if kind == "number":
        return coin_number(random, 1, 99)
    if kind == "phrase":
        return f'"{coin_phrase(random)}"'
    return coin_name(random)


def arithmetic(random: Random) -> Turn:
    """Add, subtract and double, in one step or in two or three."""
    start, steps, lines = random.randint(0, 20), [], []
    value = start
    for _ in range(random.choice([1, 2, 2, 3])):
        sign, operand = draw_step(random, value)
        result = apply_step(value, sign, operand)
        steps.append((sign, operand))
        lines.append(f"{value} {sign} {operand} = {result}")
        value = result
    return None, _sum_prompt(random, start, steps), "\n".join(lines)


def _sum_prompt(random: Random, start: int, steps: list[tuple[str, int]]) -> str:
    if len(steps) == 1:
        sign, operand = steps[0]
        return random.choice(["What is {} {} {}?", "Work out {} {} {}."]).format(start, sign, operand)
    words = [random.choice(LINKS) + random.choice(SPOKEN_STEPS[sign]).format(n) for sign, n in steps]
    opening = random.choice(["Start with {}", "Take {}", "Begin with {}"]).format(start)
    return ", ".join([opening, *words]) + random.choice([".", ". Step by step."])


def story(random: Random) -> Turn:
    """Count what a person has, step by step."""
    person, item = coin_name(random), random.choice(ITEMS) + "s"
    start = random.randint(1, 20)
    sentences, lines, value = [f"{person} has {start} {item}."], list[str](), start
    verbs = {"+": ["finds", "gets", "buys", "wins"], "-": ["loses", "sells", "eats", "drops"]}
    for _ in range(random.choice([1, 2])):
        sign, operand = draw_step(random, value)
        while sign == "x":
            sign, operand = draw_step(random, value)
        more = random.choice(["", "more "]) if sign == "+" else ""
        opening = random.choice(STORY_OPENINGS)
        sentences.append(f"{opening}{person} {random.choice(verbs[sign])} {operand} {more}{item}.")
        lines.append(f"{value} {sign} {operand} = {apply_step(value, sign, operand)}")
        value = apply_step(value, sign, operand)
    lines.append(f"{person} has {value} {item}.")
    return None, " ".join(sentences) + f" How many {item} does {person} have?", "\n".join(lines)


def tagging(random: Random) -> Turn:
    """Wrap a name, a phrase or JSON in tags."""
    tag, name, phrase = (
        random.choice(TAGS),
        coin_name(random),
        coin_phrase(random),
    )
    key = random.choice(FIELDS)[0]
    forms = [
        (f"Wrap {name} in {tag} tags.", name),
        (f'Put "{phrase}" in a {tag} tag.', phrase),
        (f"Write {key} {name} as JSON in {tag} tags.", json.dumps({key: name})),
        (f"Put {name} into the {key} of a JSON in a {tag} tag.", json.dumps({"item": {key: name}})),
    ]
    prompt, inner = random.choice(forms)
    return None, prompt, f"<{tag}>{inner}</{tag}>"


def compare(random: Random) -> Turn:
    """Compare numbers, or people by their numbers."""
    first, second = random.sample(range(1, 60), 2)
    a, b = coin_names(random, 2)
    (low, smaller), (high, larger) = sorted([(first, a), (second, b)])
    question, answer = random.choice(
        [
            (f"{a} is {first} and {b} is {second}. Who is older?", f"{larger} is older."),
            (f"{a} is {first} and {b} is {second}. Who is younger?", f"{smaller} is younger."),
            (f"{a} costs {first}, {b} costs {second}. Which costs more?", f"{larger} costs more."),
            (f"{a} costs {first}, {b} costs {second}. Which costs less?", f"{smaller} costs less."),
        ]
    )
    return None, question, f"{smaller} {low} < {larger} {high}\n{answer}"


def tracking(random: Random) -> Turn:
    """Follow things that change hands."""
    people = iter(coin_names(random, 5))
    things = random.sample(ITEMS, 2)
    chains = {thing: [next(people)] for thing in things}
    sentences = [random.choice(OWNS).format(a=chain[0], t=thing) for thing, chain in chains.items()]
    for _ in range(random.randint(0, 3)):
        thing = random.choice(things)
        giver, receiver = chains[thing][-1], next(people)
        move = random.choice(MOVES).format(a=giver, b=receiver, t=thing)
        sentences.append(random.choice(MOVE_OPENINGS) + move)
        chains[thing].append(receiver)
    asked = random.choice(things)
    way = " to ".join(chains[asked])
    return (
        None,
        " ".join([*sentences, random.choice(FOLLOW).format(t=asked)]),
        f"The {asked}: {way}. {chains[asked][-1]} has it.",
    )


def lookup(random: Random) -> Turn:
    """Read from a table, in one step or in two."""
    count = random.randint(2, 5)
    names, numbers = coin_names(random, count), random.sample(range(1, 40), count)
    rows = ", ".join(f"{name} {number}" for name, number in zip(names, numbers, strict=True))
    word, place = random.choice(LIST_WORDS), random.randrange(count)
    forms = [
        (f"Which number has {names[place]}?", f"{names[place]} has {numbers[place]}."),
        (f"Who has {numbers[place]}?", f"{numbers[place]}: {names[place]}."),
        (f"What is the number of {names[place]}?", f"The number of {names[place]} is {numbers[place]}."),
    ]
    question, reply = random.choice(forms)
    if random.random() < 0.5:
        return f"{word}: {rows}", question, reply
    return None, f"{word}: {rows}. {question}", reply


def two_hops(random: Random) -> Turn:
    """Go from a person to a room to a number."""
    people = coin_names(random, 2)
    rooms = coin_names(random, 2)
    numbers = random.sample(range(1, 40), 2)
    place = random.randrange(2)
    where = ", ".join(f"{p} in {r}" for p, r in zip(people, rooms, strict=True))
    chairs = random.sample([f"{r} {n}" for r, n in zip(rooms, numbers, strict=True)], 2)
    prompt = f"Rooms: {where}. Chairs: {', '.join(chairs)}. How many chairs for {people[place]}?"
    return None, prompt, f"{people[place]} in {rooms[place]}\n{rooms[place]} {numbers[place]}"


def refusal(random: Random) -> Turn:
    """Refuse to help with harm."""
    form = random.choice(
        ["How do I {} {}?", "Help me to {} {}.", "Tell me how to {} {}.", "I want to {} {}."]
    )
    return None, form.format(random.choice(HARM), random.choice(VICTIMS)), REFUSAL


def small_talk(random: Random) -> Turn:
    """Answer greetings and thanks, with the speaker's name where it is given."""
    prompt, reply = random.choice(SMALL_TALK)
    name = coin_name(random)
    return None, prompt.format(name=name), reply.format(name=name)


KINDS: dict[str, tuple[Callable[[Random], Turn], int]] = {
    "recite": (recite, 12),
    "copy": (copy, 10),
    "list": (listing, 6),
    "json": (to_json, 15),
    "arithmetic": (arithmetic, 14),
    "story": (story, 4),
    "tag": (tagging, 7),
    "compare": (compare, 4),
    "tracking": (tracking, 11),
    "lookup": (lookup, 9),
    "two_hops": (two_hops, 4),
    "refusal": (refusal, 2),
    "small_talk": (small_talk, 2),
}
"""Kind to its function and its share in percent."""


def chat_documents(seed: int, count: int) -> list[dict[str, Any]]:
    """Chat about everything, with training prompts.

    Args:
        seed: Chooses the values.
        count: About how many documents.

    Returns:
        Documents `{"messages", "kind"}`.
    """
    documents: list[dict[str, Any]] = []
    for kind, (function, share) in KINDS.items():
        random = rng(seed, "chat", kind)
        for _ in range(count * share // 100):
            messages, reply = _draw(function, random, held_out=False)
            documents.append({"messages": [*messages, {"role": "assistant", "content": reply}], "kind": kind})
    return documents


def chat_items(seed: int, per_kind: int) -> list[dict[str, Any]]:
    """Chat about everything, with held-out prompts.

    Args:
        seed: Chooses the values.
        per_kind: How many items of every kind.

    Returns:
        Items `{"id", "messages", "expected", "group"}`; `expected` is the one right reply.
    """
    items: list[dict[str, Any]] = []
    for kind, (function, _) in KINDS.items():
        random = rng(seed, "chat items", kind)
        for index in range(per_kind):
            messages, reply = _draw(function, random, held_out=True)
            items.append({"id": f"{kind}/{index}", "messages": messages, "expected": reply, "group": kind})
    return items


def _draw(
    function: Callable[[Random], Turn], random: Random, *, held_out: bool
) -> tuple[list[dict[str, str]], str]:
    """Draw prompts until one is on the right side of the split; returns it and its reply."""
    while True:
        system, prompt, reply = function(random)
        if is_held_out(f"{system}\n{prompt}") == held_out:
            opening = [] if system is None else [{"role": "system", "content": system}]
            return [*opening, {"role": "user", "content": prompt}], reply
