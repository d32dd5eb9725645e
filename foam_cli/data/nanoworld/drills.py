"""Drills: rows of plain text that practise one thing many times over, as a schoolbook has them.

A chat that looks one number up teaches looking up once. What attention must learn (find where this came
before, and read on) is learnt where almost every token depends on it; a small model needs that to learn it
at all. Drills share no wording with the new skills.
"""

import random as stdlib_random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from foam_cli.core.seeds import rng
from foam_cli.data.nanoworld.chat_words import ITEMS
from foam_cli.data.nanoworld.language import WORDS
from foam_cli.data.words import PHRASE_WORDS, all_names, coin_names

Random = stdlib_random.Random
LARGEST = 30
SUMS_PER_DOCUMENT = 5


def apply_step(value: int, sign: str, operand: int) -> int:
    """Do one step of a sum.

    Args:
        value: What there is.
        sign: `+`, `-` or `x`.
        operand: What is added, taken away or multiplied by.

    Returns:
        The new value.
    """
    return {"+": value + operand, "-": value - operand, "x": value * operand}[sign]


def draw_step(random: Random, value: int) -> tuple[str, int]:
    """Draw a step that stays between 0 and `LARGEST`.

    Args:
        random: Source of randomness.
        value: What there is before the step.

    Returns:
        Sign and operand.
    """
    while True:
        sign = random.choice("++--x")
        operand = 2 if sign == "x" else random.randint(1, 9)
        if 0 <= apply_step(value, sign, operand) <= LARGEST:
            return sign, operand


def sums(random: Random) -> str:
    """Sums, one a line."""
    lines: list[str] = []
    for _ in range(SUMS_PER_DOCUMENT):
        value = random.randint(0, LARGEST)
        sign, operand = draw_step(random, value)
        lines.append(f"{value} {sign} {operand} = {apply_step(value, sign, operand)}")
    return "\n".join(lines)


def order(random: Random) -> str:
    """Numbers and who has them, from small to large."""
    names, numbers = coin_names(random, 5), sorted(random.sample(range(1, 60), 5))
    lines = [" < ".join(map(str, numbers)), " < ".join(map(str, sorted(random.sample(range(1, 60), 5))))]
    people = list(zip(names, numbers, strict=True))
    shown = random.sample(people, 3)
    lines.append(", ".join(f"{name} {number}" for name, number in shown))
    lines.append(" < ".join(name for name, _ in sorted(shown, key=lambda pair: pair[1])))
    return "\n".join(lines)


def rows(random: Random) -> str:
    """A row of names, words or numbers, written two or three times."""
    length = random.randint(3, 10)
    pool = random.choice(
        [all_names(), [*PHRASE_WORDS, *WORDS], range(100), [*all_names(), *PHRASE_WORDS, *WORDS, *range(100)]]
    )
    row = " ".join(str(entry) for entry in random.choices(list(pool), k=length))
    return "\n".join([row] * random.choice([2, 2, 3]))


def tables(random: Random) -> str:
    """A table, and then its entries in another order: by name, or by number."""
    count = random.randint(2, 6)
    names, numbers = coin_names(random, count), random.sample(range(1, 60), count)
    entries = list(zip(names, numbers, strict=True))
    first = random.choice([", ", "\n"]).join(f"{name} {number}" for name, number in entries)
    lines = [first]
    for name, number in [*random.sample(entries, count), *random.sample(entries, count)]:
        lines.append(
            random.choice(["{a} {n}", "{a} has {n}", "{n}: {a}", "{n}: {a}"]).format(a=name, n=number)
        )
    return "\n".join(lines)


def handovers(random: Random) -> str:
    """Things that change hands, and then the way of each."""
    things = random.sample(ITEMS, random.choice([2, 3]))
    people = iter(coin_names(random, 12))
    chains = {thing: [next(people)] for thing in things}
    opening = random.choice(["{a} has the {t}.", "The {t} is of {a}.", "{a}, the {t}."])
    sentences = [opening.format(a=chains[thing][0], t=thing) for thing in things]
    for _ in range(random.randint(1, 5)):
        thing = random.choice(things)
        giver, receiver = chains[thing][-1], next(people)
        form = random.choice(
            [
                "{a} gives the {t} to {b}.",
                "{b} gets the {t} from {a}.",
                "{a} hands {b} the {t}.",
                "The {t} goes from {a} to {b}.",
            ]
        )
        sentences.append(form.format(a=giver, b=receiver, t=thing))
        chains[thing].append(receiver)
    ways = [f"The {thing}: {', '.join(chain)}." for thing, chain in chains.items()]
    ends = [f"{chain[-1]} has the {thing}." for thing, chain in chains.items()]
    return "\n".join([" ".join(sentences), *random.sample(ways, len(ways)), *random.sample(ends, len(ends))])


def chains(random: Random) -> str:
    """Pairs in any order that make a chain, and then the chain from its beginning."""
    links = coin_names(random, random.randint(3, 6))
    pairs = [f"{a} to {b}" for a, b in pairwise(links)]
    random.shuffle(pairs)
    return ", ".join(pairs) + "\n" + "\n".join([" ".join(links)] * 2)


KINDS: dict[str, tuple[Callable[[Random], str], int]] = {
    "sums": (sums, 16),
    "order": (order, 14),
    "rows": (rows, 20),
    "tables": (tables, 20),
    "handovers": (handovers, 20),
    "chains": (chains, 10),
}
"""Kind to its function and its share in percent."""


def drill_documents(seed: int, count: int) -> list[dict[str, Any]]:
    """Write drills.

    Args:
        seed: Chooses the values.
        count: About how many documents.

    Returns:
        Documents `{"text", "kind"}`.
    """
    documents: list[dict[str, Any]] = []
    for kind, (function, share) in KINDS.items():
        random = rng(seed, "drill", kind)
        documents.extend({"text": function(random), "kind": kind} for _ in range(count * share // 100))
    return documents
