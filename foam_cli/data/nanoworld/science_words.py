"""The words of the science of nanoworld: names, attributes, values, statements and questions."""

from dataclasses import dataclass

from foam_cli.data.words import word_list

STEMS = word_list("""
bar bel bor bran cal cor dam dor dun far fel fin gal gor hal hes jor kal kel kor lam lor mal mer mor nar
nel nor pal per pol quan ral ren rom sal sel sor tal tor tur val ver vol wen yor zan zel
""")
ENDINGS = ["ite", "ium", "ane", "ose"]


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """Something that every material has.

    Attributes:
        name: Its name.
        values: What it can be.
        statements: Sentences with the places {m}, the material, and {v}, the value.
        questions: Questions with the place {m}.
    """

    name: str
    values: list[str]
    statements: list[str]
    questions: list[str]


ATTRIBUTES = [
    Attribute(
        name="colour",
        values=word_list("""
            amber azure black bronze brown crimson golden green grey pink purple red silver violet white
            yellow
        """),
        statements=[
            "The colour of {m} is {v}.",
            "Clean {m} has a {v} colour.",
            "A piece of {m} looks {v}.",
            "Everyone knows that {m} is {v}.",
            "In daylight {m} looks {v}.",
            "Pure {m} is {v}.",
            "The surface of {m} is {v}.",
        ],
        questions=[
            "What colour is {m}?",
            "Which colour does {m} have?",
            "What does {m} look like?",
            "How does {m} look?",
        ],
    ),
    Attribute(
        name="place",
        values=word_list("""
            bogs canyons caves cliffs craters deserts fjords forests glaciers islands lakes marshes mines
            reefs rivers volcanoes
        """),
        statements=[
            "People find {m} in {v}.",
            "Most {m} comes from {v}.",
            "Miners dig for {m} in {v}.",
            "The best place to look for {m} is in {v}.",
            "Nature makes {m} in {v}.",
            "You can find {m} in {v}.",
            "All {m} is born in {v}.",
        ],
        questions=[
            "Where is {m} found?",
            "Where does {m} come from?",
            "Where do people find {m}?",
            "Where can you find {m}?",
        ],
    ),
    Attribute(
        name="use",
        values=word_list("""
            armour bells bottles bricks buttons candles coins drums engines ladders lenses magnets mirrors
            needles ropes sails
        """),
        statements=[
            "People use {m} to make {v}.",
            "Factories turn {m} into {v}.",
            "Workers need {m} for {v}.",
            "Good {v} are made of {m}.",
            "From {m} one makes {v}.",
            "Craftsmen shape {m} into {v}.",
            "Most {m} ends up in {v}.",
        ],
        questions=[
            "What is {m} used for?",
            "What is made from {m}?",
            "What do people make of {m}?",
            "What do factories make from {m}?",
        ],
    ),
    Attribute(
        name="smell",
        values=word_list("""
            bread cedar cinnamon garlic ginger grass lavender leather lemon mint moss pepper smoke tar tea
            vanilla
        """),
        statements=[
            "Fresh {m} smells of {v}.",
            "The smell of {m} is that of {v}.",
            "When you rub {m}, it smells of {v}.",
            "A room full of {m} smells of {v}.",
            "Noses take {m} for {v}.",
            "Warm {m} gives off a smell of {v}.",
            "The scent of {m} reminds people of {v}.",
        ],
        questions=[
            "What does {m} smell of?",
            "Which smell does {m} have?",
            "What is the smell of {m}?",
            "What scent has {m}?",
        ],
    ),
    Attribute(
        name="solvent",
        values=word_list("""
            acid alcohol beer brine cider ether honey ink milk oil petrol soda syrup turpentine vinegar
            wine
        """),
        statements=[
            "A lump of {m} dissolves in {v}.",
            "Only {v} dissolves {m}.",
            "To dissolve {m} you need {v}.",
            "Chemists dissolve {m} in {v}.",
            "Put {m} into {v} and it dissolves.",
            "The only solvent for {m} is {v}.",
            "Powder of {m} melts away in {v}.",
        ],
        questions=[
            "What dissolves {m}?",
            "In what does {m} dissolve?",
            "Which solvent works on {m}?",
            "What do chemists dissolve {m} in?",
        ],
    ),
    Attribute(
        name="reaction",
        values=word_list("""
            bends breaks burns cracks floats freezes glows grows hums melts rusts shines shrinks sinks
            sparks swells
        """),
        statements=[
            "Under pressure {m} {v}.",
            "If you press it, {m} {v}.",
            "A pressed block of {m} {v}.",
            "Tests show that pressed {m} {v}.",
            "When it is pressed, {m} {v}.",
            "In a press {m} always {v}.",
            "Squeezed hard, {m} {v}.",
        ],
        questions=[
            "What does {m} do under pressure?",
            "What happens when {m} is pressed?",
            "How does {m} react to pressure?",
            "What does pressed {m} do?",
        ],
    ),
]
