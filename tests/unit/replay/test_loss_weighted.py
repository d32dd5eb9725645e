"""Draws in proportion to the last loss, and a memory that stays bounded."""

import json
import math
from collections import Counter

from foam_cli.data.replay.loss_weighted import LossWeighted
from foam_cli.data.replay.of_data import OfData
from foam_cli.data.replay.weighted import loss_weights


def memory_of(losses, size=100):
    replay = LossWeighted(ratio=0.5, max_examples=size, source=OfData())
    state = replay.observe(replay.initial_state(), range(len(losses)), 0)
    known = {index: loss for index, loss in enumerate(losses) if loss is not None}
    return replay, json.loads(json.dumps(replay.note_losses(state, known)))


def test_single_draws_follow_the_losses():
    losses = [0.5, 1.0, 2.5, 4.0]
    replay, state = memory_of(losses)
    trials = 4000
    drawn = Counter(replay.draw(state, 1, 7, step)[0] for step in range(trials))
    expected = [trials * loss / sum(losses) for loss in losses]
    chi_squared = sum((drawn[i] - e) ** 2 / e for i, e in enumerate(expected))
    assert chi_squared < 16.3  # 3 degrees of freedom: 99.9th percentile


def test_pairs_follow_successive_draws_without_replacement():
    losses = [1.0, 2.0, 3.0]
    replay, state = memory_of(losses)
    trials = 6000
    drawn = Counter(tuple(replay.draw(state, 2, 3, step)) for step in range(trials))
    total = sum(losses)
    chi_squared = 0.0
    for i in range(3):
        for j in set(range(3)) - {i}:
            expected = trials * losses[i] / total * losses[j] / (total - losses[i])
            chi_squared += (drawn[i, j] - expected) ** 2 / expected
    assert sum(drawn.values()) == trials and chi_squared < 20.5  # 5 degrees of freedom: 99.9th percentile


def test_what_was_not_met_counts_as_the_mean_and_nothing_counts_as_zero():
    assert loss_weights([1.0, None, 3.0]) == [1.0, 2.0, 3.0]
    assert loss_weights([None, None]) == [1.0, 1.0]
    assert loss_weights([0.0, 2.0]) == [0.001, 2.0]


def test_the_memory_is_bounded_and_a_newcomer_has_no_loss():
    replay, state = memory_of([1.0] * 10, size=10)
    state = replay.observe(state, range(10, 300), 0)
    assert len(state["held"]) == len(state["losses"]) == 10 and state["seen"] == 300
    for index, loss in zip(state["held"], state["losses"], strict=True):
        assert loss == (1.0 if index < 10 else None)
    noted = replay.note_losses(state, {state["held"][3]: 9.0, 10**6: 1.0})
    assert noted["losses"][3] == 9.0 and len(noted["losses"]) == 10


def test_it_holds_a_fair_sample():
    num, size, trials = 20, 5, 800
    replay = LossWeighted(ratio=0.5, max_examples=size, source=OfData())
    held = Counter(
        index
        for seed in range(trials)
        for index in replay.observe(replay.initial_state(), range(num), seed)["held"]
    )
    p = size / num
    assert all(abs(held[i] - trials * p) < 4.5 * math.sqrt(trials * p * (1 - p)) for i in range(num))
