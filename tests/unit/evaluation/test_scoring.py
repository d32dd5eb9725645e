import pytest
import torch
from tiny_language_model import make_model, naive_logprobs
from transformers import GPT2Config, GPT2LMHeadModel, GraniteConfig, GraniteForCausalLM

from foam_cli.core.errors import DataError
from foam_cli.core.seeds import rng
from foam_cli.evaluation import scoring
from foam_cli.evaluation.rows import NO_TARGET, batches_by_length
from foam_cli.evaluation.scoring import continuation_logprobs, rolling_windows, target_logprobs
from foam_cli.model.heads import direct_head


def random_requests(num: int = 9, longest: int = 14) -> list[tuple[list[int], list[int]]]:
    random = rng(0, "requests")
    row = lambda: [random.randrange(320) for _ in range(random.randint(1, longest))]  # noqa: E731
    return [(row(), row()) for _ in range(num)]


def gpt2() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=320, n_embd=32, n_layer=2, n_head=2, n_positions=64, initializer_range=0.3)
    return GPT2LMHeadModel(config).double().eval()


def scaled_logits() -> GraniteForCausalLM:
    torch.manual_seed(0)
    config = GraniteConfig(
        vocab_size=320,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.3,
        logits_scaling=3.0,
    )
    return GraniteForCausalLM(config).double().eval()


@pytest.mark.parametrize("make", [lambda: make_model(torch.float64), gpt2, scaled_logits])
def test_equals_a_loop_over_single_tokens(make):
    model = make()
    requests = random_requests()
    scores = continuation_logprobs(model, requests, batch_tokens=64, max_length=40)
    for (context, continuation), score in zip(requests, scores, strict=True):
        expected = naive_logprobs(model, context + continuation)[-len(continuation) :]
        assert score.logprob == pytest.approx(sum(expected), abs=1e-9)
        assert score.num_tokens == len(continuation)


def test_a_head_that_is_not_the_whole_truth_is_not_used():
    assert direct_head(scaled_logits()) is None
    assert direct_head(make_model()) is not None


def test_single_precision_is_close_and_independent_of_batching(model, exact_model):
    requests = random_requests()
    exact = continuation_logprobs(exact_model, requests, batch_tokens=64, max_length=40)
    for batch_tokens in (1, 50, 10_000):
        scores = continuation_logprobs(model, requests, batch_tokens=batch_tokens, max_length=40)
        for score, true in zip(scores, exact, strict=True):
            assert score.logprob == pytest.approx(true.logprob, abs=1e-4)


def test_scored_in_slices_it_is_the_same(exact_model, monkeypatch):
    requests = random_requests()
    whole = continuation_logprobs(exact_model, requests, batch_tokens=200, max_length=40)
    monkeypatch.setattr(scoring, "MAX_LOGITS", 3 * 320)
    sliced = continuation_logprobs(exact_model, requests, batch_tokens=200, max_length=40)
    assert [score.logprob for score in sliced] == pytest.approx([score.logprob for score in whole], abs=1e-12)


def test_bf16_logits_are_normalised_in_fp32():
    model = make_model(torch.bfloat16)
    requests = random_requests(3)
    for (context, continuation), score in zip(
        requests, continuation_logprobs(model, requests, batch_tokens=1, max_length=40), strict=True
    ):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([(context + continuation)[:-1]])).logits[0].double()
        rows = logits.log_softmax(-1)[-len(continuation) :]
        expected = sum(rows[i, token].item() for i, token in enumerate(continuation))
        assert score.logprob == pytest.approx(expected, rel=1e-5)


def test_a_long_context_loses_its_beginning(exact_model):
    context, continuation = [5] * 30 + [7, 8, 9], [10, 11, 12]
    [score] = continuation_logprobs(exact_model, [(context, continuation)], batch_tokens=64, max_length=4)
    expected = naive_logprobs(exact_model, [8, 9, 10, 11, 12])
    assert score.logprob == pytest.approx(sum(expected[-3:]), abs=1e-9)


def test_greedy_is_what_greedy_decoding_would_write(exact_model):
    written: list[int] = []
    with torch.no_grad():
        for _ in range(5):
            logits = exact_model(input_ids=torch.tensor([[3, 4, *written]])).logits[0, -1]
            written.append(int(logits.argmax()))
    other = [*written[:-1], (written[-1] + 1) % 320]
    scores = continuation_logprobs(
        exact_model, [([3, 4], written), ([3, 4], other)], batch_tokens=64, max_length=40
    )
    assert [score.greedy for score in scores] == [True, False]


def test_only_wanted_positions_are_scored(exact_model):
    tokens = [4, 9, 2, 7, 7, 1]
    expected = naive_logprobs(exact_model, tokens)
    targets = [NO_TARGET, tokens[2], NO_TARGET, tokens[4], NO_TARGET]
    [score, nothing] = target_logprobs(
        exact_model, [tokens[:-1], [5]], [targets, [NO_TARGET]], batch_tokens=64
    )
    assert score.logprob == pytest.approx(expected[1] + expected[3], abs=1e-9)
    assert (score.num_tokens, nothing.num_tokens, nothing.logprob) == (2, 0, 0)


@pytest.mark.parametrize("request_", [([], [1]), ([1], []), ([1], [1, 2, 3, 4, 5])])
def test_what_cannot_be_scored_is_refused(model, request_):
    with pytest.raises(DataError, match="request 0"):
        continuation_logprobs(model, [request_], batch_tokens=64, max_length=4)


def test_the_model_is_left_as_it_was():
    model = make_model()
    model.train()
    model.model.layers[1].eval()
    before = [module.training for module in model.modules()]
    continuation_logprobs(model, random_requests(2), batch_tokens=64, max_length=40)
    assert [module.training for module in model.modules()] == before
    model(input_ids=torch.tensor([[1, 2, 3]]), labels=torch.tensor([[1, 2, 3]])).loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_progress_counts_up_to_all(model):
    seen: list[tuple[int, int]] = []
    continuation_logprobs(
        model,
        random_requests(),
        batch_tokens=64,
        max_length=40,
        progress=lambda done, all_: seen.append((done, all_)),
    )
    assert seen == sorted(seen) and seen[-1] == (9, 9) and len(seen) > 1


def test_batches_hold_every_row_once_and_fit_the_budget():
    random = rng(0, "lengths")
    lengths = [random.randint(1, 90) for _ in range(200)]
    batches = batches_by_length(lengths, 64)
    assert sorted(i for batch in batches for i in batch) == list(range(200))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 64
    assert max(lengths) == lengths[batches[0][0]]
    # A row more would not have fitted: no batch could have taken the first row of the next one.
    assert all((len(batch) + 1) * lengths[batch[0]] > 64 for batch in batches[:-1])


def test_rolling_windows_by_hand():
    tokens = list(range(10))
    assert rolling_windows(tokens, 99, 4) == [
        ([99], [0, 1, 2, 3]),
        ([3], [4, 5, 6, 7]),
        ([5, 6, 7], [8, 9]),
    ]
    assert rolling_windows(tokens[:2], 99, 4) == [([99], [0, 1])]
    assert rolling_windows([], 99, 4) == []


@pytest.mark.parametrize("length", range(1, 23))
def test_rolling_windows_predict_every_token_once(length):
    tokens = list(range(length))
    windows = rolling_windows(tokens, 99, 5)
    assert [token for _, continuation in windows for token in continuation] == tokens
    stream = [99, *tokens]
    for context, continuation in windows:
        assert len(context) + len(continuation) - 1 <= 5
        end = stream.index(continuation[0])
        assert stream[end - len(context) : end] == context
