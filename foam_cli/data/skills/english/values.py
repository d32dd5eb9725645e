"""Values of arguments: how they stand in JSON, how people say them, and their JSON Schema.

A value is on one side of the split by its hash (of four numbers in a row, one is held out); composed values
(a full name, a list) are made of parts of one side. Enumerations and yes/no have both sides in common: they
are part of the tool.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from foam_cli.core.seeds import derive_seed
from foam_cli.data.skills.english import words
from foam_cli.data.skills.example import Random
from foam_cli.data.words import is_held_out

#: The year in which everything takes place.
YEAR = 2027
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


@dataclass(frozen=True, kw_only=True)
class Value:
    """One value.

    Attributes:
        json: As an argument.
        text: As it is said.
    """

    json: Any
    text: str


Draw = Callable[[Random, bool], Value]


@dataclass(frozen=True, kw_only=True)
class Of:
    """A parameter of a tool.

    Attributes:
        schema: Its JSON Schema, without a description.
        draw: Draws a value on one side of the split.
        about: What it is, as training lists it and as the evaluation lists it.
        fields: For an object: its own parameters.
    """

    schema: dict[str, Any]
    draw: Draw
    about: tuple[str, str]
    fields: "dict[str, Of] | None" = None


_SIDES: dict[tuple[int, bool], list[str]] = {}


def side_of(options: Sequence[str], held_out: bool) -> list[str]:
    """The options on one side of the split.

    Args:
        options: A list of this package, always the same object.
        held_out: Which side.

    Returns:
        Those on it.
    """
    key = (id(options), held_out)
    if key not in _SIDES:
        _SIDES[key] = [option for option in options if is_held_out(option) == held_out]
    return _SIDES[key]


def one(random: Random, options: Sequence[str], held_out: bool) -> str:
    """Draw a word.

    Args:
        random: Source of randomness.
        options: Where from.
        held_out: From which side.

    Returns:
        The word.
    """
    return random.choice(side_of(options, held_out))


@cache
def _numbers(low: int, high: int, held_out: bool) -> list[int]:
    return [n for n in range(low, high + 1) if (n == _held_out_of((n - 2) // 4)) == held_out]


def _held_out_of(block: int) -> int:
    """The one of 4 * block + 2, ..., 4 * block + 5 that is held out, so that short ranges have both sides."""
    return 4 * block + 2 + derive_seed(0, "held-out number", block) % 4


def draw_number(random: Random, low: int, high: int, held_out: bool) -> int:
    """Draw a number.

    Args:
        random: Source of randomness.
        low: The smallest.
        high: The largest.
        held_out: From which side.

    Returns:
        The number.
    """
    return random.choice(_numbers(low, high, held_out))


def some(random: Random, options: Sequence[str], count: int, held_out: bool) -> list[str]:
    """Draw several different words.

    Args:
        random: Source of randomness.
        options: Where from.
        count: How many.
        held_out: From which side.

    Returns:
        The words.
    """
    return random.sample(side_of(options, held_out), count)


def listed(parts: Sequence[str]) -> str:
    """Join words as a sentence does.

    Args:
        parts: The words.

    Returns:
        For example `a, b and c`.
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def said_date(day: datetime.date, random: Random) -> str:
    """Say a date in one of three ways.

    Args:
        day: The date.
        random: Source of randomness.

    Returns:
        For example `14 March 2027`.
    """
    month = MONTHS[day.month - 1]
    ways = (f"{day.day} {month} {day.year}", f"{month} {day.day}, {day.year}", day.isoformat())
    return random.choice(ways)


def draw_date(random: Random, held_out: bool) -> datetime.date:
    """Draw a day of the year.

    Args:
        random: Source of randomness.
        held_out: From which side.

    Returns:
        The day.
    """
    while True:
        day = datetime.date(YEAR, 1, 1) + datetime.timedelta(days=random.randrange(365))
        if is_held_out(day.isoformat()) == held_out:
            return day


def draw_time(random: Random, held_out: bool, first: int = 7, last: int = 21) -> int:
    """Draw a time of day in steps of five minutes.

    Args:
        random: Source of randomness.
        held_out: From which side.
        first: The earliest hour.
        last: The latest hour.

    Returns:
        Minutes since midnight.
    """
    while True:
        minutes = random.randrange(first * 60, last * 60 + 1, 5)
        if is_held_out(clock(minutes)) == held_out:
            return minutes


def clock(minutes: int) -> str:
    """Write a time of day.

    Args:
        minutes: Since midnight; days are left out.

    Returns:
        For example `09:05`.
    """
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"


def said_time(minutes: int, random: Random) -> str:
    """Say a time of day in one of two ways.

    Args:
        minutes: Since midnight.
        random: Source of randomness.

    Returns:
        For example `9:05 am` or `09:05`.
    """
    hour, minute = divmod(minutes, 60)
    half = "am" if hour < 12 else "pm"
    twelve = f"{(hour - 1) % 12 + 1}:{minute:02d} {half}" if minute else f"{(hour - 1) % 12 + 1} {half}"
    return random.choice((clock(minutes), twelve))


def phrase(random: Random, frames: Sequence[str], held_out: bool) -> str:
    """Fill one of some sentences with words of one side.

    Args:
        random: Source of randomness.
        frames: The sentences.
        held_out: Which side.

    Returns:
        The sentence.
    """
    food, food2 = some(random, words.FOODS, 2, held_out)
    return random.choice(frames).format(
        food=food,
        food2=food2,
        person=one(random, words.FIRST_NAMES, held_out),
        thing=one(random, words.ONE_THING, held_out),
        company=company(random, held_out),
        topic=one(random, words.TOPICS, held_out),
        city=one(random, words.CITIES, held_out),
        dish=one(random, words.DISHES, held_out),
        number=draw_number(random, 3, 60, held_out),
    )


def company(random: Random, held_out: bool) -> str:
    """Draw the name of a company.

    Args:
        random: Source of randomness.
        held_out: From which side.

    Returns:
        For example `Cobalt Books`.
    """
    return f"{one(random, words.COMPANY_WORDS, held_out)} {random.choice(words.COMPANY_KINDS)}"


# ------------------------------------------------------------ parameters


def _text(about: str, held_out: str, draw: Callable[[Random, bool], str]) -> Of:
    def both(random: Random, side: bool) -> Value:
        text = draw(random, side)
        return Value(json=text, text=text)

    return Of(schema={"type": "string"}, draw=both, about=(about, held_out))


def word(about: str, held_out: str, options: Sequence[str]) -> Of:
    """A word of a list.

    Args:
        about: What it is, in training.
        held_out: What it is, in evaluation.
        options: The list.

    Returns:
        The parameter.
    """
    return _text(about, held_out, lambda random, side: one(random, options, side))


def city(about: str, held_out: str) -> Of:  # noqa: D103
    return word(about, held_out, words.CITIES)


def first_name(about: str, held_out: str) -> Of:  # noqa: D103
    return word(about, held_out, words.FIRST_NAMES)


def full_name(about: str, held_out: str) -> Of:  # noqa: D103
    return _text(
        about,
        held_out,
        lambda r, side: f"{one(r, words.FIRST_NAMES, side)} {one(r, words.LAST_NAMES, side)}",
    )


def title(about: str, held_out: str) -> Of:  # noqa: D103
    return _text(
        about,
        held_out,
        lambda r, side: f"The {one(r, words.TITLE_WORDS, side)} {one(r, words.TITLE_NOUNS, side)}",
    )


def firm(about: str, held_out: str) -> Of:  # noqa: D103
    return _text(about, held_out, company)


def sentence(about: str, held_out: str, frames: Sequence[str]) -> Of:  # noqa: D103
    return _text(about, held_out, lambda random, side: phrase(random, frames, side))


def email(about: str, held_out: str) -> Of:  # noqa: D103
    def draw(random: Random, side: bool) -> str:
        first, last = one(random, words.FIRST_NAMES, side), one(random, words.LAST_NAMES, side)
        return f"{first}.{last}@{one(random, words.COMPANY_WORDS, side)}.example".lower()

    return _text(about, held_out, draw)


def code(about: str, held_out: str, letters: str) -> Of:  # noqa: D103
    def draw(random: Random, side: bool) -> str:
        while True:
            found = f"{letters}{random.randint(1000, 9999)}"
            if is_held_out(found) == side:
                return found

    return _text(about, held_out, draw)


def integer(about: str, held_out: str, low: int, high: int) -> Of:
    """A whole number.

    Args:
        about: What it is, in training.
        held_out: What it is, in evaluation.
        low: The smallest.
        high: The largest.

    Returns:
        The parameter.
    """

    def draw(random: Random, side: bool) -> Value:
        number = draw_number(random, low, high, side)
        return Value(json=number, text=str(number))

    return Of(schema={"type": "integer"}, draw=draw, about=(about, held_out))


def decimal(about: str, held_out: str, low: int, high: int) -> Of:  # noqa: D103
    def draw(random: Random, side: bool) -> Value:
        number = draw_number(random, low, high, side) + random.choice((0.25, 0.5, 0.75))
        return Value(json=number, text=f"{number:.2f}")

    return Of(schema={"type": "number"}, draw=draw, about=(about, held_out))


def date(about: str, held_out: str) -> Of:  # noqa: D103
    def draw(random: Random, side: bool) -> Value:
        day = draw_date(random, side)
        return Value(json=day.isoformat(), text=said_date(day, random))

    return Of(
        schema={"type": "string"}, draw=draw, about=(f"{about} (YYYY-MM-DD)", f"{held_out}, YYYY-MM-DD")
    )


def time(about: str, held_out: str, first: int = 7, last: int = 21) -> Of:  # noqa: D103
    def draw(random: Random, side: bool) -> Value:
        minutes = draw_time(random, side, first, last)
        return Value(json=clock(minutes), text=said_time(minutes, random))

    return Of(
        schema={"type": "string"}, draw=draw, about=(f"{about} (HH:MM, 24 hours)", f"{held_out}, HH:MM")
    )


def choice(about: str, held_out: str, **options: str) -> Of:
    """One of a few.

    Args:
        about: What it is, in training.
        held_out: What it is, in evaluation.
        **options: Value to how it is said.

    Returns:
        The parameter.
    """

    def draw(random: Random, side: bool) -> Value:
        del side
        picked = random.choice(list(options))
        return Value(json=picked, text=options[picked])

    return Of(schema={"type": "string", "enum": list(options)}, draw=draw, about=(about, held_out))


def flag(about: str, held_out: str, yes: str, no: str) -> Of:  # noqa: D103
    def draw(random: Random, side: bool) -> Value:
        del side
        picked = random.random() < 0.5
        return Value(json=picked, text=yes if picked else no)

    return Of(schema={"type": "boolean"}, draw=draw, about=(about, held_out))


def several(about: str, held_out: str, options: Sequence[str], most: int = 3) -> Of:  # noqa: D103
    def draw(random: Random, side: bool) -> Value:
        found = some(random, options, random.randint(2, most), side)
        return Value(json=found, text=listed(found))

    return Of(schema={"type": "array", "items": {"type": "string"}}, draw=draw, about=(about, held_out))


def numbers(about: str, held_out: str, low: int, high: int) -> Of:  # noqa: D103
    def draw(random: Random, side: bool) -> Value:
        found = [draw_number(random, low, high, side) for _ in range(random.randint(3, 6))]
        return Value(json=found, text=listed([str(number) for number in found]))

    return Of(schema={"type": "array", "items": {"type": "integer"}}, draw=draw, about=(about, held_out))


def record(about: str, held_out: str, said: str, **fields: Of) -> Of:
    """An object with parts of its own.

    Args:
        about: What it is, in training.
        held_out: What it is, in evaluation.
        said: How it is said, with a place for each part.
        **fields: Its parts.

    Returns:
        The parameter.
    """

    def draw(random: Random, side: bool) -> Value:
        parts = {name: field.draw(random, side) for name, field in fields.items()}
        text = said.format(**{name: part.text for name, part in parts.items()})
        return Value(json={name: part.json for name, part in parts.items()}, text=text)

    return Of(schema={"type": "object"}, draw=draw, about=(about, held_out), fields=fields)
