"""The memory of old examples: how many, which, and what comes back."""

import json
import math
from collections import Counter

import pytest

from foam_cli import MemoryReplayBuffer
from foam_cli.core.errors import CheckpointError, DataError


def filled(num, size=100, seed=0, loss=lambda n: None):
    buffer = MemoryReplayBuffer(max_size=size, seed=seed)
    for n in range(num):
        buffer.add(f"p{n}", f"r{n}", loss=loss(n))
    return buffer


@pytest.mark.parametrize(
    ("num_new", "ratio", "num_old"), [(8, 0.2, 2), (80, 0.2, 20), (10, 0.5, 10), (3, 0.01, 1)]
)
def test_the_ratio_is_the_share_of_the_mixed_batch(num_new, ratio, num_old):
    new = [object() for _ in range(num_new)]
    mixed = filled(100).get_replay_batch(new, replay_ratio=ratio)
    assert mixed[:num_new] == new
    old = mixed[num_new:]
    assert len(old) == num_old == len({one["prompt"] for one in old})
    assert all(one == {"prompt": f"p{one['prompt'][1:]}", "response": f"r{one['prompt'][1:]}"} for one in old)


def test_nothing_is_mixed_in_where_nothing_is_wanted_or_there():
    assert filled(10).get_replay_batch([1, 2], replay_ratio=0.0) == [1, 2]
    assert filled(0).get_replay_batch([1, 2]) == [1, 2]
    assert filled(10).get_replay_batch([]) == []
    assert len(filled(2).get_replay_batch([1] * 100)) == 102


def test_it_holds_a_fair_bounded_sample():
    size, num, trials = 5, 20, 600
    buffers = [filled(num, size, seed) for seed in range(trials)]
    assert all(len(buffer) == size for buffer in buffers)
    held = Counter(one["prompt"] for buffer in buffers for one in buffer.state_dict()["examples"])
    sigma = math.sqrt(trials * 0.25 * 0.75)
    assert all(abs(held[f"p{n}"] - trials * size / num) < 4.5 * sigma for n in range(num))


def test_examples_come_back_in_proportion_to_their_loss():
    buffer = filled(3, loss=lambda n: (0.5, 1.0, 2.5)[n])
    drawn = Counter(buffer.get_replay_batch([0], 0.5)[1]["prompt"] for _ in range(4000))
    for n, share in enumerate((0.125, 0.25, 0.625)):
        assert abs(drawn[f"p{n}"] / 4000 - share) < 4.5 * math.sqrt(share * (1 - share) / 4000)


def test_an_example_without_a_loss_counts_as_the_mean():
    buffer = filled(3, loss=lambda n: (1.0, 3.0, None)[n])
    drawn = Counter(buffer.get_replay_batch([0], 0.5)[1]["prompt"] for _ in range(4000))
    share = 2 / 6
    assert abs(drawn["p2"] / 4000 - share) < 4.5 * math.sqrt(share * (1 - share) / 4000)


def test_it_continues_where_it_was_saved():
    buffer, other = filled(300, loss=lambda n: n / 10), MemoryReplayBuffer(max_size=100)
    buffer.get_replay_batch([1])
    other.load_state_dict(json.loads(json.dumps(buffer.state_dict())))
    for one in (buffer, other):
        one.add("new", "one")
    assert buffer.get_replay_batch([1] * 20) == other.get_replay_batch([1] * 20)
    assert buffer.state_dict() == other.state_dict()
    with pytest.raises(CheckpointError, match="max_size"):
        MemoryReplayBuffer(max_size=10).load_state_dict(buffer.state_dict())


def test_senseless_values_are_refused():
    with pytest.raises(DataError, match=r"ratio=1\.0"):
        filled(3).get_replay_batch([1], replay_ratio=1.0)
    with pytest.raises(DataError, match="max_examples=0"):
        MemoryReplayBuffer(max_size=0)
