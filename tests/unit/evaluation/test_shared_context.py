"""Several continuations in one row score as each does alone, and only where the model allows it."""

import pytest
import torch
from tiny_language_model import make_model, naive_logprobs
from transformers import GPT2Config, GPT2LMHeadModel, MistralConfig, MistralForCausalLM

from foam_cli.evaluation import scoring
from foam_cli.evaluation.rows import branch_mask, row_of_continuations
from foam_cli.evaluation.scoring import continuation_logprobs

CONTEXT = [5, 9, 2, 77, 31, 8, 100, 4]
AFTER = [[7, 7, 1], [12], [7, 7, 1, 40], [12, 3], [13]]


def gpt2():
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=320, n_embd=32, n_layer=2, n_head=2, n_positions=64, initializer_range=0.3)
    return GPT2LMHeadModel(config).double().eval()


def windowed():
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=320, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, sliding_window=4, initializer_range=0.3,
    )  # fmt: skip
    return MistralForCausalLM(config).double().eval()


def counted(model, monkeypatch) -> list[int]:
    """Tokens of every scored batch."""
    seen: list[int] = []
    original = scoring._Scorer._hidden

    def hidden(self, rows):
        seen.append(sum(len(row.ids) for row in rows))
        return original(self, rows)

    monkeypatch.setattr(scoring._Scorer, "_hidden", hidden)
    return seen


@pytest.mark.parametrize("make", [lambda: make_model(torch.float64), gpt2])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_shared_context_changes_no_score(make, attention, monkeypatch):
    model = make()
    model.set_attn_implementation(attention)
    seen = counted(model, monkeypatch)
    requests = [(CONTEXT, after) for after in AFTER]
    scores = continuation_logprobs(model, requests, batch_tokens=200, max_length=40)
    for after, score in zip(AFTER, scores, strict=True):
        expected = sum(naive_logprobs(model, CONTEXT + after)[-len(after) :])
        assert score.logprob == pytest.approx(expected, abs=1e-9)
    # The context once, and every continuation but for its last token.
    assert seen[-1] == len(CONTEXT) + sum(len(after) - 1 for after in AFTER)


def test_a_model_that_cannot_share_is_asked_row_by_row(monkeypatch):
    model = windowed()
    seen = counted(model, monkeypatch)
    requests = [(CONTEXT, after) for after in AFTER]
    scores = continuation_logprobs(model, requests, batch_tokens=200, max_length=40)
    for after, score in zip(AFTER, scores, strict=True):
        expected = sum(naive_logprobs(model, CONTEXT + after)[-len(after) :])
        assert score.logprob == pytest.approx(expected, abs=1e-9)
    assert seen[-1] == len(AFTER) * len(CONTEXT) + sum(len(after) - 1 for after in AFTER)


def test_half_precision_is_not_shared(monkeypatch):
    model = make_model(torch.bfloat16)
    seen = counted(model, monkeypatch)
    continuation_logprobs(model, [(CONTEXT, after) for after in AFTER], batch_tokens=200, max_length=40)
    assert sum(seen) == len(AFTER) * len(CONTEXT) + sum(len(after) - 1 for after in AFTER)


def test_a_context_that_is_cut_is_not_shared(exact_model):
    requests = [(CONTEXT, after) for after in AFTER]
    scores = continuation_logprobs(exact_model, requests, batch_tokens=200, max_length=6)
    for after, score in zip(AFTER, scores, strict=True):
        expected = sum(naive_logprobs(exact_model, (CONTEXT + after)[-7:])[-len(after) :])
        assert score.logprob == pytest.approx(expected, abs=1e-9)


def test_what_is_asked_twice_is_computed_once(exact_model, monkeypatch):
    seen = counted(exact_model, monkeypatch)
    one, other = continuation_logprobs(exact_model, [([3, 4], [5, 6])] * 2, batch_tokens=64, max_length=40)
    assert one == other and seen == [3]


def test_the_mask_by_hand():
    mask = branch_mask(torch.tensor([[0, 0, 1, 2, 2, -1]]))[0, 0].int().tolist()
    assert mask == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 0, 1, 0, 0],
        [1, 1, 0, 1, 1, 0],
        [1, 1, 0, 0, 0, 1],
    ]


def test_a_row_by_hand():
    row = row_of_continuations([1, 2], [[3, 4, 5], [6], [7, 8]])
    assert row.ids == [1, 2, 3, 4, 7]
    assert row.positions == [0, 1, 2, 3, 2]
    assert row.branches == [0, 0, 1, 1, 3]
    assert row.sources == [1, 2, 3, 1, 1, 4]
    assert row.targets == [3, 4, 5, 6, 7, 8]
    assert row.counts == [3, 1, 2]
