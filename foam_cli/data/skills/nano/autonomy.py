"""The wordings of nano's autonomy: sums, things that change hands, small tables."""

from dataclasses import dataclass
from itertools import pairwise

from foam_cli.data.skills.autonomy import Autonomy, Task
from foam_cli.data.skills.example import Random
from foam_cli.data.words import coin_names, word_list

SHARE = 0.41
LARGEST = 30
CHAIN_LENGTHS, HARD_CHAIN_LENGTHS = (2, 3), (4,)
NUM_MOVES, HARD_NUM_MOVES = (1, 2), (3,)
THINGS = word_list("""
            ball bell book box cup drum flag hammer hat key lamp map mug pen ring rope shoe spoon torch
            towel
        """)


@dataclass(frozen=True, kw_only=True)
class Wordings:
    """One side of the split of the wordings.

    Attributes:
        starts: Openings of a chain of sums, with the place {v}.
        links: What may stand before a step.
        steps: Sign to wordings of a step, with the place {n}.
        sum_questions: Questions behind a chain.
        owns: Who has a thing: {a} and {t}.
        openings: What may stand before a move.
        moves: How a thing changes hands: from {a} to {b}.
        owner_questions: Questions for a thing {t}.
        tables: Headings of a table of {rows}.
        total_questions: Questions for two names {a} and {b}.
    """

    starts: tuple[str, ...]
    links: tuple[str, ...]
    steps: dict[str, tuple[str, ...]]
    sum_questions: tuple[str, ...]
    owns: tuple[str, ...]
    openings: tuple[str, ...]
    moves: tuple[str, ...]
    owner_questions: tuple[str, ...]
    tables: tuple[str, ...]
    total_questions: tuple[str, ...]


TRAINING = Wordings(
    starts=(
        "Start with {v}",
        "Take {v}",
        "Begin with {v}",
        "Think of {v}",
        "You have {v}",
        "Let it be {v}",
        "First take {v}",
        "Here you have {v}",
        "Let us take {v}",
        "{v} to begin with",
        "At first there is {v}",
        "Now start with {v}",
    ),
    links=("", "", "", "", "next ", "after that ", "and ", "also ", "again ", "so "),
    steps={
        "+": (
            "add {n}",
            "plus {n}",
            "put {n} on top",
            "make it {n} more",
            "then add {n}",
            "now plus {n}",
            "now put {n} on top",
        ),
        "-": (
            "take away {n}",
            "minus {n}",
            "remove {n}",
            "make it {n} less",
            "then take away {n}",
            "now minus {n}",
            "now remove {n}",
        ),
        "x": (
            "double it",
            "times 2",
            "make it double",
            "then double it",
            "now times 2",
            "now make it double",
        ),
    },
    sum_questions=(
        "What is the result?",
        "What comes out?",
        "How much is it?",
        "Give the result.",
        "What do you have now?",
        "Work it out.",
        "Tell me the end value.",
    ),
    owns=(
        "{a} has the {t}.",
        "{a} holds the {t}.",
        "The {t} is with {a}.",
        "At first {a} has the {t}.",
        "Now {a} holds the {t}.",
        "Now the {t} is with {a}.",
        "Here is {a} with the {t}.",
        "Today {a} holds the {t}.",
        "Today the {t} is with {a}.",
    ),
    openings=("", "", "", "", "Next ", "Later ", "Soon ", "After that ", "Today ", "So "),
    moves=(
        "{a} gives the {t} to {b}.",
        "{b} gets the {t} from {a}.",
        "{a} hands {b} the {t}.",
        "{a} passes the {t} to {b}.",
        "{b} takes the {t} from {a}.",
        "{a} hands the {t} to {b}.",
        "{a} gives {b} the {t}.",
        "Now {a} gives the {t} to {b}.",
        "Now {a} passes the {t} to {b}.",
        "Now {a} hands {b} the {t}.",
        "Then {b} gets the {t} from {a}.",
        "Then {a} hands the {t} to {b}.",
        "Then {b} takes the {t} from {a}.",
    ),
    owner_questions=(
        "Who holds the {t}?",
        "Who holds the {t} now?",
        "With whom is the {t}?",
        "Find the {t}.",
        "Where is the {t} now?",
        "Who holds the {t} after that?",
        "Who holds the {t} at this time?",
        "With whom is the {t} today?",
        "Find the {t} for me.",
        "Tell me where the {t} is.",
    ),
    tables=(
        "Table: {rows}.",
        "List: {rows}.",
        "Numbers: {rows}.",
        "Here are numbers: {rows}.",
        "Points: {rows}.",
    ),
    total_questions=(
        "How much do {a} and {b} have together?",
        "What is the sum of {a} and {b}?",
        "Add {a} and {b}.",
        "Give the total of {a} and {b}.",
        "What do {a} and {b} have in all?",
    ),
)
HELD_OUT = Wordings(
    starts=("Let us begin with {v}", "Now take {v}", "At first you have {v}"),
    links=("",),
    steps={
        "+": ("then plus {n}", "now add {n}", "then put {n} on top"),
        "-": ("then minus {n}", "now take away {n}", "then remove {n}"),
        "x": ("now double it", "then times 2", "then make it double"),
    },
    sum_questions=("Tell me the result.", "What is the end value?", "How much do you have now?"),
    owns=("At first the {t} is with {a}.", "At first {a} holds the {t}."),
    openings=("",),
    moves=("Then {a} gives {b} the {t}.", "Now {b} gets the {t} from {a}.", "Then {a} passes {b} the {t}."),
    owner_questions=("Who has the {t} now?", "Tell me who has the {t}.", "Who holds the {t} in the end?"),
    tables=("Here is a table: {rows}.", "List of numbers: {rows}.", "Table of points: {rows}."),
    total_questions=(
        "What is the total of {a} and {b}?",
        "How much is {a} and {b} together?",
        "Give the sum of {a} and {b}.",
    ),
)


def _words(held_out: bool) -> Wordings:
    return HELD_OUT if held_out else TRAINING


def arithmetic(random: Random, *, held_out: bool, hard: bool) -> Task:
    """Add, subtract and double in a chain."""
    words = _words(held_out)
    value = random.randint(1, 20)
    spoken, lines = [random.choice(words.starts).format(v=value)], list[str]()
    for _ in range(random.choice(HARD_CHAIN_LENGTHS if hard else CHAIN_LENGTHS)):
        sign, operand = _draw_step(random, value)
        result = {"+": value + operand, "-": value - operand, "x": value * operand}[sign]
        step = random.choice(words.steps[sign]).format(n=operand)
        linked = step.startswith(("then ", "now "))
        spoken.append(step if linked else random.choice(words.links) + step)
        lines.append(f"{value} {sign} {operand} = {result}")
        value = result
    prompt = f"{', '.join(spoken)}. {random.choice(words.sum_questions)}"
    return Task(prompt=prompt, lines=lines, answer=value, chance=1 / (LARGEST + 1))


def _draw_step(random: Random, value: int) -> tuple[str, int]:
    while True:
        sign = random.choice("++--x")
        operand = 2 if sign == "x" else random.randint(1, 9)
        if 0 <= {"+": value + operand, "-": value - operand, "x": value * operand}[sign] <= LARGEST:
            return sign, operand


def tracking(random: Random, *, held_out: bool, hard: bool) -> Task:
    """Follow one of two things that change hands."""
    words = _words(held_out)
    num_moves = random.choice(HARD_NUM_MOVES if hard else NUM_MOVES)
    people = coin_names(random, num_moves + 3, held_out=held_out)
    asked, other = random.sample(THINGS, 2)
    path, rest = people[: num_moves + 1], people[num_moves + 1 :]
    begin = [
        random.choice(words.owns).format(a=path[0], t=asked),
        random.choice(words.owns).format(a=rest[0], t=other),
    ]
    random.shuffle(begin)
    moves = [_move(random, words, a, b, asked) for a, b in pairwise(path)]
    distraction = _move(random, words, rest[0], rest[1], other)
    moves.insert(random.randint(0, len(moves)), distraction)
    prompt = " ".join([*begin, *moves, random.choice(words.owner_questions).format(t=asked)])
    lines = [f"The {asked}: {' to '.join(path)}"]
    return Task(prompt=prompt, lines=lines, answer=path[-1], chance=1 / len(people))


def _move(random: Random, words: Wordings, giver: str, receiver: str, thing: str) -> str:
    move = random.choice(words.moves)
    opening = "" if move.startswith(("Then ", "Now ")) else random.choice(words.openings)
    return opening + move.format(a=giver, b=receiver, t=thing)


def lookup(random: Random, *, held_out: bool, hard: bool) -> Task:
    """Find two numbers in a table and add them."""
    words = _words(held_out)
    names = coin_names(random, 5 if hard else 3, held_out=held_out)
    numbers = [random.randint(1, 20), *(random.randint(1, 9) for _ in names[1:])]
    random.shuffle(numbers)
    rows = ", ".join(f"{name} {number}" for name, number in zip(names, numbers, strict=True))
    first, second = random.sample(range(len(names)), 2)
    if numbers[second] > 9:
        first, second = second, first
    prompt = random.choice(words.tables).format(rows=rows) + " "
    prompt += random.choice(words.total_questions).format(a=names[first], b=names[second])
    total = numbers[first] + numbers[second]
    lines = [f"{names[i]} {numbers[i]}" for i in (first, second)]
    lines.append(f"{numbers[first]} + {numbers[second]} = {total}")
    return Task(prompt=prompt, lines=lines, answer=total, chance=1 / (LARGEST + 1))


def autonomy() -> Autonomy:
    """Make the skill.

    Returns:
        It.
    """
    kinds = {"arithmetic": arithmetic, "tracking": tracking, "lookup": lookup}
    return Autonomy(share=SHARE, kinds=kinds, loop_share=0.0, loop=None)
