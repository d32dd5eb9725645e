"""The reservoir holds a fair, bounded sample."""

import json
import math
from collections import Counter

import pytest

from foam_cli.data.replay.of_data import OfData
from foam_cli.data.replay.reservoir import Reservoir


def filled(num, seed, size=10, chunk=7):
    reservoir = Reservoir(ratio=0.2, max_examples=size, source=OfData())
    state = reservoir.initial_state()
    for start in range(0, num, chunk):
        state = reservoir.observe(state, range(start, min(num, start + chunk)), seed)
        state = json.loads(json.dumps(state))  # it travels through a checkpoint
    return reservoir, state


def test_every_example_is_as_likely_to_be_held():
    num, size, trials = 50, 10, 2000
    held = Counter(index for seed in range(trials) for index in filled(num, seed, size)[1]["held"])
    p = size / num
    sigma = math.sqrt(trials * p * (1 - p))
    # 50 normal variables stay within 4.5 sigma in all but 0.03 % of the cases; the seeds are fixed.
    assert all(abs(held[index] - trials * p) < 4.5 * sigma for index in range(num))
    chi_squared = sum((held[index] - trials * p) ** 2 / (trials * p * (1 - p)) for index in range(num))
    assert chi_squared < 85  # 49 degrees of freedom: 99.9th percentile


def test_it_is_bounded_and_holds_no_example_twice():
    _, state = filled(500, seed=1)
    assert len(state["held"]) == len(set(state["held"])) == 10 and state["seen"] == 500
    assert sorted(filled(6, seed=1)[1]["held"]) == list(range(6))


def test_it_is_a_function_of_seed_and_history():
    assert filled(500, seed=1)[1] == filled(500, seed=1)[1] != filled(500, seed=2)[1]


def test_draws_differ_by_step_and_repeat_by_step():
    reservoir, state = filled(500, seed=1)
    draws = [reservoir.draw(state, 4, 1, step) for step in range(20)]
    assert draws == [reservoir.draw(state, 4, 1, step) for step in range(20)]
    assert len({tuple(one) for one in draws}) > 10
    assert all(len(set(one)) == 4 and set(one) <= set(state["held"]) for one in draws)
    assert len(reservoir.draw(state, 99, 1, 0)) == 10
    assert reservoir.draw(reservoir.initial_state(), 4, 1, 0) == []


@pytest.mark.parametrize(("ratio", "size"), [(0.0, 1), (1.0, 1), (-0.1, 1), (0.5, 0)])
def test_senseless_values_are_refused(ratio, size):
    with pytest.raises(ValueError, match=r"replay\."):
        Reservoir(ratio=ratio, max_examples=size, source=OfData())
