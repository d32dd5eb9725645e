"""Phases against an order worked out by hand, and an exact resume of the stream."""

import json

import numpy as np
import pytest

from foam_cli.data.corpus import Corpus, Example
from foam_cli.data.curricula.difficulty import Difficulty, PhasedStream

#: Sorted by (loss, length): 4 (0.1), 1 (0.5, 3 tokens), 0 (0.5, 4 tokens), 5 (0.9), 2 (2.0), 3 (7.0).
LOSSES = [0.5, 0.5, 2.0, 7.0, 0.1, 0.9]
LENGTHS = [4, 3, 9, 2, 5, 6]


def corpus(lengths=LENGTHS):
    return Corpus.of(Example(ids=[1] * n, targets=[False] + [True] * (n - 1)) for n in lengths)


def test_phases_are_the_hand_computed_ones():
    lengths = corpus().lengths
    alone = Difficulty(num_phases=3, cumulative=False).pools(LOSSES, lengths)
    assert alone == [[4, 1], [0, 5], [2, 3]]
    growing = Difficulty(num_phases=3, cumulative=True).pools(LOSSES, lengths)
    assert growing == [[4, 1], [4, 1, 0, 5], [4, 1, 0, 5, 2, 3]]


def test_one_phase_is_refused():
    with pytest.raises(ValueError, match=r"data\.curriculum=none"):
        Difficulty(num_phases=1, cumulative=True)


def stream_of(num_batches, batch_tokens=8, cumulative=False):
    data = corpus()
    pools = Difficulty(num_phases=3, cumulative=cumulative).pools(LOSSES, data.lengths)
    return PhasedStream(data, pools, batch_tokens, 5, num_batches), pools


@pytest.mark.parametrize("cumulative", [False, True])
def test_the_passes_are_shared_equally_and_every_phase_shows_its_own(cumulative):
    stream, pools = stream_of(12, cumulative=cumulative)
    shown = [set(stream.next()) for _ in range(15)]
    for phase, pool in enumerate(pools):
        part = shown[4 * phase : 4 * phase + 4]
        assert all(batch <= set(pool) for batch in part)
    assert set().union(*shown[8:]) == set(pools[2])  # the passes behind the last one stay in the last phase


def test_every_epoch_of_a_phase_shows_each_example_once():
    stream, pools = stream_of(300, batch_tokens=1)  # one example a batch
    first = [stream.next()[0] for _ in range(100)]
    assert [sorted(first[at : at + 2]) for at in range(0, 100, 2)] == [sorted(pools[0])] * 50


@pytest.mark.parametrize("cut", [0, 1, 4, 5, 11])
def test_it_continues_where_it_was(cut):
    whole, broken = stream_of(12)[0], stream_of(12)[0]
    expected = [whole.next() for _ in range(12)]
    assert [broken.next() for _ in range(cut)] == expected[:cut]
    resumed = stream_of(12)[0]
    resumed.load_state(json.loads(json.dumps(broken.state())))
    assert [resumed.next() for _ in range(12 - cut)] == expected[cut:]
    assert resumed.state() == whole.state()


def test_batches_keep_to_the_token_budget():
    rng = np.random.default_rng(0)
    data = corpus(rng.integers(2, 60, size=200).tolist())
    pools = Difficulty(num_phases=2, cumulative=True).pools(rng.random(200).tolist(), data.lengths)
    stream = PhasedStream(data, pools, 128, 0, 40)
    for _ in range(40):
        batch = stream.next()
        widest = max(-(-int(data.lengths[i]) // 8) * 8 for i in batch)
        assert len(batch) == 1 or len(batch) * widest <= 128
