"""The loss of every example of a batch, against each example asked alone."""

import io

import pytest
import torch
from rich.console import Console
from torch.nn import functional as F

from foam_cli.core.settings import HardwareSettings
from foam_cli.data.batching import collate
from foam_cli.data.corpus import Corpus, Example
from foam_cli.engine.display import Display
from foam_cli.engine.row_losses import corpus_losses, row_means

HARDWARE = HardwareSettings(
    device="cpu",
    precision="fp32",
    optimizer="adamw",
    threads=1,
    compile=False,
    deterministic=True,
    memory_gib=None,
    nominal_tflops=None,
)


def corpus():
    generator = torch.Generator().manual_seed(2)
    examples = []
    for length in (5, 17, 9, 30, 3, 12):
        ids = torch.randint(2, 97, (length,), generator=generator).tolist()
        targets = [False] + [n % 3 != 0 for n in range(1, length)]
        examples.append(Example(ids=ids, targets=targets))
    return Corpus.of(examples)


def test_row_means_are_means_over_each_rows_own_targets():
    batch = collate([corpus().example(n) for n in (0, 4, 2)], 1, ["x"], [0, 4, 2], 2)
    losses = torch.where(batch.target_ids_N == -100, 0.0, batch.target_ids_N.float())
    wanted = []
    for n in (0, 4, 2):
        one = corpus().example(n)
        kept = [token for token, target in zip(one.ids, one.targets, strict=True) if target]
        wanted.append(sum(kept) / len(kept))
    torch.testing.assert_close(row_means(losses, batch), torch.tensor(wanted, dtype=torch.float32))
    assert (batch.numbers, batch.num_new_rows) == ([0, 4, 2], 2)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_losses_of_a_corpus_are_those_of_each_example_alone(tiny_model, family):
    model, data = tiny_model(family), corpus()
    display = Display(Console(file=io.StringIO()))
    found = corpus_losses(model, data, pad_id=1, batch_tokens=64, hardware=HARDWARE, display=display)
    for n, loss in enumerate(found):
        one = data.example(n)
        ids = torch.tensor(one.ids).long()
        with torch.no_grad():
            logits = model(ids[None]).logits[0, :-1]
        marks = torch.tensor(one.targets)[1:]
        assert loss == pytest.approx(float(F.cross_entropy(logits[marks], ids[1:][marks])), rel=1e-4)
