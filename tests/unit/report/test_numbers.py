"""Numbers as people read them; the expected texts are written by hand."""

import math

import pytest

from foam_cli.report import numbers


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (numbers.count(2103424), "2 103 424"),
        (numbers.count(None), "–"),
        (numbers.short_count(2103424), "2.1 M"),
        (numbers.short_count(1.5e9), "1.5 B"),
        (numbers.short_count(12), "12"),
        (numbers.score(0.9825, "acc_norm"), "98.2 %"),
        (numbers.score(1, "accuracy"), "100 %"),
        (numbers.score(0.25, "leak_rate", unit=False), "25"),
        (numbers.score(3.14159, "bits_per_byte"), "3.142"),
        (numbers.score(math.nan, "acc"), "–"),
        (numbers.change(0.0, 0.95, "acc"), "+95"),
        (numbers.change(0.99, 0.983, "acc"), "−0.7"),
        (numbers.change(0.5, 0.5, "acc"), "0"),
        (numbers.change(None, 0.5, "acc"), "–"),
        (numbers.change(3.41, 3.2, "word_perplexity"), "−0.21"),
        (numbers.small(0.0), "0"),
        (numbers.small(2.4e-7), "2.4e-07"),
        (numbers.duration(7.25), "7.25 s"),
        (numbers.duration(97.3), "1 min 37 s"),
        (numbers.duration(7320), "2 h 2 min"),
        (numbers.memory(2**30 * 1.5), "1.5 GiB"),
        (numbers.memory(2**20 * 910), "910 MiB"),
        (numbers.block_ranges([3, 0, 1, 2, 7, 7]), "0–3, 7"),
        (numbers.block_ranges([]), ""),
        (numbers.words("tool_use\n\u202e"), "tool use \\u202e"),
        (numbers.visible("a\x00b\ud800\n👩\u200d🚀\u00a0é"), "a\\x00b\\ud800\n👩\u200d🚀\u00a0é"),
        (numbers.plural(1, "event"), "1 event"),
        (numbers.plural(2000, "event"), "2 000 events"),
    ],
)
def test_what_is_written(text: str, said: str):
    assert text.replace("\u202f", " ") == said


@pytest.mark.parametrize("value", ["1", True, None, math.inf, math.nan, [1], {}])
def test_what_is_no_number(value: object):
    assert numbers.as_number(value) is None


@pytest.mark.parametrize("metric", ["word_perplexity", "loss", "bits_per_byte", "leak_rate", "invalid_rate"])
def test_lower_is_better(metric: str):
    assert numbers.lower_is_better(metric)


@pytest.mark.parametrize("metric", ["acc", "acc_norm", "full_call_acc", "parse_rate", "accuracy"])
def test_higher_is_better(metric: str):
    assert not numbers.lower_is_better(metric)
    assert numbers.is_fraction(metric)
