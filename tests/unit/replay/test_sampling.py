"""What is drawn follows the model's own probabilities, whatever is drawn beside it."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from foam_cli.model.sampling import draw, sample_documents

START, A, B, END = range(4)
#: P(next | previous) of a model that sees one token back: rows sum to 1.
CHAIN = torch.tensor(
    [[0.0, 0.5, 0.3, 0.2], [0.0, 0.1, 0.6, 0.3], [0.0, 0.4, 0.1, 0.5], [0.25, 0.25, 0.25, 0.25]]
)


@pytest.fixture
def chain():
    """A transformer whose blocks do nothing and whose embeddings spell out a Markov chain."""
    config = GPT2Config(
        vocab_size=4, n_embd=4, n_layer=1, n_head=1, n_positions=32, tie_word_embeddings=False,
        bos_token_id=START, eos_token_id=END,
    )  # fmt: skip
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        # The last norm makes a one-hot vector take one of two values per place, so log p is linear in it.
        model.transformer.wte.weight.copy_(torch.eye(4))
        model.transformer.ln_f.weight.fill_(1.0)
        one_hot = torch.nn.functional.layer_norm(torch.eye(4), (4,), eps=config.layer_norm_epsilon)
        log_p = CHAIN.clamp(min=1e-30).log()
        # one_hot = a I + c 1 with zero mean, so only differences along a remain: solve by least squares.
        centred = log_p - log_p.mean(0, keepdim=True)
        weight = torch.linalg.lstsq(one_hot, centred).solution.T
        model.lm_head.weight.copy_(weight)
        model.lm_head.bias = torch.nn.Parameter(log_p.mean(0))
    return model


def written(model, num, *, seed=0, batch_tokens=4096, max_length=12, temperature=1.0):
    return sample_documents(
        model,
        [[START]] * num,
        lambda number: np.random.default_rng([seed, number]).random(max_length),
        lambda number, ids: ids[-1] == END,
        max_length=max_length,
        temperature=temperature,
        batch_tokens=batch_tokens,
        progress=lambda done, total: None,
    )


def test_the_model_is_the_chain_it_is_meant_to_be(chain):
    with torch.no_grad():
        p = chain(torch.tensor([[START, A, B, END]])).logits[0].softmax(-1)
    torch.testing.assert_close(p, CHAIN, atol=1e-5, rtol=1e-4)


def test_whole_documents_have_their_known_probabilities(chain):
    num = 3000
    found = Counter(tuple(one.ids) for one in written(chain, num))

    def probability(ids):
        return math.prod(float(CHAIN[a, b]) for a, b in zip((START, *ids), ids, strict=False))

    chosen = [(END,), (A, END), (B, END), (A, B, END), (B, A, END), (A, B, A, END), (B, B, END), (A, A, END)]
    expected = [num * probability(ids) for ids in chosen]
    rest = num - sum(expected)
    chi_squared = sum((found[ids] - e) ** 2 / e for ids, e in zip(chosen, expected, strict=True))
    chi_squared += (num - sum(found[ids] for ids in chosen) - rest) ** 2 / rest
    assert min(expected) > 30 and chi_squared < 26.1  # 8 degrees of freedom: 99.9th percentile


def test_a_document_does_not_depend_on_what_is_written_beside_it(chain):
    together = written(chain, 50)
    apart = written(chain, 50, batch_tokens=12 * 7)
    assert [one.ids for one in together] == [one.ids for one in apart]
    assert [one.ids for one in written(chain, 50, seed=1)] != [one.ids for one in together]


def test_nats_and_ends_are_those_of_the_tokens(chain):
    for one in written(chain, 40, max_length=5):
        steps = zip([START, *one.ids], one.ids, strict=False)
        assert one.nats == pytest.approx(-sum(math.log(CHAIN[a, b]) for a, b in steps), abs=1e-3)
        assert one.over == (one.ids[-1] == END) and len(one.ids) <= 4
        assert one.over or len(one.ids) == 4


def test_temperature_divides_logits_and_impossible_tokens_are_never_drawn():
    logits = torch.tensor([[0.0, math.log(4.0), -math.inf]]).expand(4000, 3)
    u = torch.from_numpy(np.random.default_rng(0).random(4000))
    for temperature, share in ((1.0, 0.8), (0.5, 16 / 17), (2.0, 2 / 3)):
        ids, nats = draw(logits, u, temperature)
        assert abs(float((ids == 1).float().mean()) - share) < 4.5 * math.sqrt(share * (1 - share) / 4000)
        assert not (ids == 2).any()
        assert float(nats[ids == 1][0]) == pytest.approx(-math.log(share), abs=1e-6)
    for edge, token in ((0.0, 0), (1 - 2**-53, 1), (1.0, 1)):
        assert int(draw(logits[:1], torch.tensor([edge]).double(), 1.0)[0]) == token
