"""Tools that no training example lists."""

from collections.abc import Callable
from typing import Any

from foam_cli.data.skills.english import words
from foam_cli.data.skills.english.tool import Tool
from foam_cli.data.skills.english.values import (
    Of,
    choice,
    city,
    date,
    flag,
    full_name,
    integer,
    record,
    several,
    time,
    title,
    word,
)


def _tool(name: str, about: str, parameters: dict[str, Of], *held_out: str) -> Tool:
    return Tool(
        name=name,
        about=(about, about),
        parameters=parameters,
        asks=(),
        held_out=held_out,
        result={},
        answers=(),
    )


def _of(make: Callable[..., Of], about: str, *rest: Any, **options: Any) -> Of:
    return make(about, about, *rest, **options)


TOOLS = (
    _tool(
        "plan_hike",
        "Plans a walk in the mountains.",
        {"region": _of(city, "Town nearby"), "kilometres": _of(integer, "Distance", 4, 30)},
        "Near {region} I'd like to hike {kilometres} kilometres.",
        "plan a hike of {kilometres} kilometres around {region}",
    ),
    _tool(
        "lend_book",
        "Lends a book to a reader.",
        {"book": _of(title, "Which book"), "reader": _of(full_name, "To whom")},
        "{reader} would like to borrow {book}.",
        "lend {book} to {reader}",
    ),
    _tool(
        "water_garden",
        "Waters part of the garden.",
        {
            "zone": _of(
                choice, "Part of it", lawn="the lawn", beds="the flower beds", greenhouse="the greenhouse"
            ),
            "litres": _of(integer, "Water to use", 10, 90),
        },
        "give {zone} {litres} litres of water",
        "It hasn't rained; {zone} should get {litres} litres.",
    ),
    _tool(
        "adopt_pet",
        "Files a request at the shelter.",
        {
            "animal": _of(choice, "Species", dog="a dog", cat="a cat", rabbit="a rabbit"),
            "owner": _of(full_name, "Applicant"),
            "has_garden": _of(flag, "Garden or not", "who has a garden", "who has no garden"),
        },
        "apply for {animal} in the name of {owner}, {has_garden}",
        "{owner}, {has_garden}, wants to adopt {animal}.",
    ),
    _tool(
        "print_labels",
        "Prints stickers.",
        {
            "texts": _of(several, "One for each sticker", words.THINGS),
            "copies": _of(integer, "Of each", 2, 30),
        },
        "print {copies} labels each for {texts}",
        "I want stickers for {texts}, {copies} of each.",
    ),
    _tool(
        "book_court",
        "Reserves a place to play.",
        {
            "sport": _of(choice, "Game", tennis="tennis", squash="squash", badminton="badminton"),
            "day": _of(date, "Which day"),
            "start": _of(time, "From when"),
        },
        "get a {sport} court on {day} at {start}",
        "We want to play {sport} on {day}. Is {start} possible? Book it.",
    ),
    _tool(
        "mix_paint",
        "Mixes paint in a shop.",
        {
            "parts": _of(
                record,
                "Litres of each colour",
                "{red} litres of red and {blue} litres of blue",
                red=_of(integer, "Red", 2, 20),
                blue=_of(integer, "Blue", 2, 20),
            ),
            "gloss": _of(flag, "Shiny or matt", "glossy", "matt"),
        },
        "mix {parts}, {gloss}",
        "I need paint made of {parts}. It should be {gloss}.",
    ),
    _tool(
        "order_flowers",
        "Has flowers sent to somebody.",
        {
            "flower": _of(choice, "Kind", roses="roses", tulips="tulips", lilies="lilies"),
            "count": _of(integer, "How many stems", 5, 60),
            "recipient": _of(full_name, "Who gets them"),
        },
        "send {recipient} {count} {flower}",
        "It's {recipient}'s birthday. I want {count} {flower} delivered.",
    ),
    _tool(
        "measure_air",
        "Reads a sensor outdoors.",
        {
            "place": _of(city, "Location of the sensor"),
            "gas": _of(choice, "Substance", ozone="ozone", no2="nitrogen dioxide"),
        },
        "How much {gas} is in the air of {place}?",
        "read the {gas} sensor in {place}",
    ),
    _tool(
        "hire_cook",
        "Finds someone to cook at a party.",
        {
            "menu": _of(word, "Main dish", words.DISHES),
            "evening": _of(date, "When"),
            "guests": _of(integer, "People to feed", 8, 60),
        },
        "On {evening} I have {guests} guests. Somebody should cook {menu}.",
        "find a cook for {menu} for {guests} people on {evening}",
    ),
)
