import random

import pytest

from foam_cli.data.words import (
    NUM_NAMES,
    PHRASE_WORDS,
    UNFIT_NAMES,
    all_names,
    coin_name,
    coin_names,
    coin_number,
    coin_phrase,
    is_held_out,
)


def test_about_a_quarter_of_all_names_is_held_out() -> None:
    generator = random.Random(0)
    names = {coin_name(generator, held_out=side) for side in (True, False) for _ in range(3000)}
    letters = {f"{a}{b}" for a in "abcdefghijklmnopqrstuvwxyz" for b in "abcdefghijklmnopqrstuvwxyz"}
    share = sum(map(is_held_out, letters)) / len(letters)
    assert len(names) == NUM_NAMES
    assert abs(share - 0.25) < 3 * (0.25 * 0.75 / len(letters)) ** 0.5


@pytest.mark.parametrize("held_out", [True, False])
def test_values_come_from_the_side_that_was_asked_for(held_out: bool) -> None:
    generator = random.Random(1)
    for _ in range(50):
        assert is_held_out(coin_name(generator, held_out=held_out)) == held_out
        assert is_held_out(coin_phrase(generator, held_out=held_out)) == held_out
        assert is_held_out(coin_number(generator, 1, 99, held_out=held_out)) == held_out
    assert len(set(coin_names(generator, 6, held_out=held_out))) == 6


def test_words_of_phrases_are_different() -> None:
    assert len(set(PHRASE_WORDS)) == len(PHRASE_WORDS)


def test_a_range_without_a_number_of_that_side_is_refused() -> None:
    number = next(n for n in range(100) if not is_held_out(n))
    with pytest.raises(ValueError, match="no held-out number"):
        coin_number(random.Random(0), number, number, held_out=True)


def test_names_never_spell_a_slur() -> None:
    assert len(all_names()) == len(set(all_names())) == NUM_NAMES
    assert UNFIT_NAMES.isdisjoint(all_names())
