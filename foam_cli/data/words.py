"""Invented names, phrases and numbers, split once and for all into a training and a held-out side.

The split is a property of the value itself (its hash), so a held-out value can never reach training through
another generator or another seed.
"""

import random
from functools import cache

from foam_cli.core.seeds import derive_seed


def word_list(text: str) -> list[str]:
    """Split a text into its words.

    Args:
        text: Words between white space.

    Returns:
        The words.
    """
    return text.split()


ONSETS = word_list("b d f g k l m n p r s t v z")
VOWELS = word_list("a e i o u")
UNFIT_NAMES = frozenset(
    word_list(
        "Dago Dike Faga Fagi Fago Fuka Fuki Fuko Fuku Kaka Kike Loli Mofo Nazi Nega Niga Nige Nigi Nigo Nigu "
        "Paki Pedo Pene Pusi Puta Puto Rape Sida"
    )
)
"""What two random syllables must not spell."""
PHRASE_WORDS = word_list("""
apple bird blue boat book bread bring bus cake chair clean coat cold cup dance door early fish flower
friend garden green hat home honey house juice key lake lamp letter light milk money moon music new night
old open paper quiet rain red ring river road salt sing snow soup stone sugar sun sweet tall tea train
tree warm water white wind winter
""")
"""Words of quoted phrases. Every word is on both sides of the split; a phrase as a whole is on one."""


NUM_NAMES = 320


def is_held_out(value: str | int) -> bool:
    """Say on which side of the split a value is.

    Args:
        value: A name, a phrase or a number.

    Returns:
        Whether it is reserved for evaluation (about one value in four).
    """
    return derive_seed(0, "held out", value) % 4 == 0


@cache
def all_names() -> tuple[str, ...]:
    """List the capitalised names of two syllables that persons, towns and things have.

    They are few enough that each is one token of nano's and known to the base model, as a real name is to a
    large model: what a skill is asked with is new to the skill, not to the language.

    Returns:
        `NUM_NAMES` names of both sides, always the same.
    """
    syllables = [onset + vowel for onset in ONSETS for vowel in VOWELS]
    spelt = [(first + second).capitalize() for first in syllables for second in syllables]
    fit = [name for name in spelt if name not in UNFIT_NAMES]
    return tuple(sorted(fit, key=lambda name: derive_seed(0, "name", name))[:NUM_NAMES])


@cache
def _names(held_out: bool | None) -> tuple[str, ...]:
    return tuple(name for name in all_names() if held_out is None or is_held_out(name) == held_out)


def coin_name(rng: random.Random, *, held_out: bool | None = None) -> str:
    """Draw a name for a person, a town or a thing.

    Args:
        rng: Source of randomness.
        held_out: Which side of the split it shall be on; None for either.

    Returns:
        The name.
    """
    return rng.choice(_names(held_out))


def coin_names(rng: random.Random, count: int, *, held_out: bool | None = None) -> list[str]:
    """Invent several different names.

    Args:
        rng: Source of randomness.
        count: How many.
        held_out: Which side of the split they shall be on; None for either.

    Returns:
        The names.
    """
    return rng.sample(_names(held_out), count)


def coin_phrase(rng: random.Random, *, held_out: bool | None = None) -> str:
    """Put two to four common words together.

    Args:
        rng: Source of randomness.
        held_out: Which side of the split the phrase shall be on; None for either.

    Returns:
        The phrase, in lower case and without punctuation.
    """
    while True:
        phrase = " ".join(rng.sample(PHRASE_WORDS, rng.randint(2, 4)))
        if held_out is None or is_held_out(phrase) == held_out:
            return phrase


def coin_number(rng: random.Random, low: int, high: int, *, held_out: bool | None = None) -> int:
    """Draw a number.

    Args:
        rng: Source of randomness.
        low: Smallest number.
        high: Largest number.
        held_out: Which side of the split it shall be on; None for either.

    Returns:
        The number.

    Raises:
        ValueError: No number of the range is on that side.
    """
    numbers = [n for n in range(low, high + 1) if held_out is None or is_held_out(n) == held_out]
    if not numbers:
        raise ValueError(f"no {'held-out' if held_out else 'training'} number between {low} and {high}")
    return rng.choice(numbers)
