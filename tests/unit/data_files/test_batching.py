"""Batches, and where the stream of them stands."""

import numpy as np
import pytest
import torch

from foam_cli.core.errors import DataError
from foam_cli.data.batching import IGNORED, TARGET_MULTIPLE, BatchStream, collate, padded, plan_epoch
from foam_cli.data.corpus import Corpus, Example


def corpus(num=300, longest=40, seed=0):
    random = np.random.default_rng(seed)
    examples = []
    for length in random.integers(2, longest, num):
        targets = random.random(length) < 0.5
        targets[0], targets[-1] = False, True
        examples.append(Example(ids=random.integers(1, 90, length).tolist(), targets=targets.tolist()))
    return Corpus.of(examples)


@pytest.mark.parametrize("num", [1, 7, 300, 9000])
def test_an_epoch_has_every_example_once_within_the_budget(num):
    lengths = np.random.default_rng(num).integers(2, 200, num)
    batches = plan_epoch(lengths, 512, seed=1, epoch=0)
    assert sorted(index for batch in batches for index in batch) == list(range(num))
    assert all(len(batch) * padded(int(lengths[batch].max())) <= 512 for batch in batches)


def test_one_example_beyond_the_budget_stands_alone():
    batches = plan_epoch(np.array([3, 100, 4]), 16, seed=0, epoch=0)
    assert sorted(map(sorted, batches)) == [[0, 2], [1]]


def test_batches_hold_examples_of_like_length():
    lengths = np.random.default_rng(0).integers(2, 200, 4000)
    batches = plan_epoch(lengths, 2048, seed=0, epoch=0)
    area = sum(len(batch) * padded(int(lengths[batch].max())) for batch in batches)
    assert (
        lengths.sum() / area > 0.9
    )  # in random order the longest of a batch would set the width: about 0.55


def test_the_order_follows_from_seed_and_epoch():
    lengths = corpus().lengths
    assert plan_epoch(lengths, 256, 1, 2) == plan_epoch(lengths, 256, 1, 2)
    assert plan_epoch(lengths, 256, 1, 2) != plan_epoch(lengths, 256, 1, 3)
    assert plan_epoch(lengths, 256, 1, 2) != plan_epoch(lengths, 256, 2, 2)


@pytest.mark.parametrize("steps", [0, 1, 9, 30, 100])
def test_a_stream_continues_where_it_was(steps):
    data = corpus()
    whole = BatchStream(data, 512, seed=3)
    for _ in range(steps):
        whole.next()
    resumed = BatchStream(data, 512, seed=3)
    resumed.load_state(whole.state())
    assert [resumed.next() for _ in range(40)] == [whole.next() for _ in range(40)]


def test_epochs_follow_each_other():
    stream = BatchStream(corpus(num=20), 128, seed=0)
    for epoch in range(3):
        seen = []
        while len(seen) < 20:
            seen += stream.next()
        assert sorted(seen) == list(range(20)) and stream.state()["epoch"] == epoch


def test_collate_pads_on_the_right_and_finds_every_target():
    data = corpus(num=9)
    batch = collate([data.example(index) for index in range(9)], 99, ["x"])
    rows, width = batch.input_ids_BT.shape
    assert rows == 9 and width == padded(int(data.lengths.max())) and batch.num_tokens == data.lengths.sum()
    wanted = []
    for row in range(9):
        one = data.example(row)
        assert batch.input_ids_BT[row, : len(one.ids)].tolist() == list(one.ids)
        assert (batch.input_ids_BT[row, len(one.ids) :] == 99).all()
        wanted += [
            (row, column - 1, one.ids[column]) for column in range(len(one.ids)) if one.targets[column]
        ]
    found = [
        (position // width, position % width, target)
        for position, target in zip(
            batch.target_positions_N.tolist(), batch.target_ids_N.tolist(), strict=True
        )
    ]
    assert found[: batch.num_targets] == wanted
    assert len(found) % TARGET_MULTIPLE == 0
    assert {target for _, _, target in found[batch.num_targets :]} <= {IGNORED}


def test_replayed_rows_and_their_targets_come_last():
    data = corpus(num=9)
    examples = [data.example(index) for index in range(9)]
    batch = collate(examples, 99, ["x"], range(9), 6)
    width = batch.input_ids_BT.shape[1]
    in_old_rows = batch.target_positions_N[: batch.num_targets] >= 6 * width
    assert in_old_rows.sum() == batch.num_old_targets == sum(sum(one.targets) for one in examples[6:])
    assert in_old_rows[-batch.num_old_targets :].all() and batch.num_new_rows == 6
    assert batch.numbers == list(range(9))
    everything_new = collate(examples, 99, ["x"])
    assert (everything_new.num_new_rows, everything_new.num_old_targets) == (9, 0)


def test_a_batch_without_a_target_names_its_examples():
    nothing = Example(ids=[1, 2], targets=[False, False])
    with pytest.raises(DataError, match="example 3, example 8"):
        collate([nothing, nothing], 0, ["example 3", "example 8"])


def test_padding_and_neighbours_change_nothing(tiny_model):
    """The reason for having no attention mask: logits of a row are the same alone and in a padded batch."""
    model = tiny_model("qwen2", torch.float64)
    data = corpus(num=5)
    batch = collate([data.example(index) for index in range(5)], 1, ["x"])
    together = model(input_ids=batch.input_ids_BT).logits
    for row in range(5):
        ids = torch.tensor([list(data.example(row).ids)])
        alone = model(input_ids=ids).logits[0]
        torch.testing.assert_close(together[row, : ids.shape[1]], alone, rtol=0, atol=1e-12)


def test_a_corpus_gives_back_what_it_was_made_of():
    examples = [
        Example(ids=[1, 2, 3], targets=[False, True, True]),
        Example(ids=[4, 5], targets=[False, True]),
    ]
    data = Corpus.of(examples)
    assert len(data) == 2 and data.lengths.tolist() == [3, 2]
    assert [list(data.example(i).ids) for i in range(2)] == [[1, 2, 3], [4, 5]]
    assert list(data.take([1]).example(0).targets) == [False, True]
    other = Corpus.of([examples[0], Example(ids=[4, 5], targets=[False, False])])
    assert data.sha256 == Corpus.of(examples).sha256 != other.sha256
