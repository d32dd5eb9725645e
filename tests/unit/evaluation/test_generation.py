import pytest
import torch
from tiny_language_model import make_model
from transformers import GPT2Config, GPT2LMHeadModel

from foam_cli.core.errors import DataError
from foam_cli.core.seeds import rng
from foam_cli.evaluation import generation
from foam_cli.evaluation.generation import greedy_replies
from foam_cli.model import decoding

NUM_NEW = 12


def gpt2() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=320, n_embd=32, n_layer=2, n_head=2, n_positions=128, initializer_range=0.3,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return GPT2LMHeadModel(config).eval()


@torch.no_grad()
def naive_reply(model, prompt: list[int], stop: frozenset[int]) -> list[int]:
    """One prompt, no cache, no padding."""
    reply: list[int] = []
    for _ in range(NUM_NEW):
        token = int(model(input_ids=torch.tensor([prompt + reply])).logits[0, -1].argmax())
        if token in stop:
            break
        reply.append(token)
    return reply


@pytest.fixture(autouse=True)
def ids_instead_of_text(monkeypatch):
    monkeypatch.setattr(generation, "reply_text", lambda tokenizer, ids: " ".join(map(str, ids)))


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    random = rng(1, "prompts")
    return [[random.randrange(320) for _ in range(random.randint(1, 25))] for _ in range(12)]


@pytest.mark.parametrize("make", [make_model, gpt2])
def test_equals_decoding_one_prompt_at_a_time(make, prompts, tokenizer):
    model = make()
    free = [naive_reply(model, prompt, frozenset()) for prompt in prompts]
    stop = frozenset(reply[4 + place % 5] for place, reply in enumerate(free) if place % 3)
    expected = [" ".join(map(str, naive_reply(model, prompt, stop))) for prompt in prompts]
    assert len({len(text.split()) for text in expected}) > 2, "rows must finish at different steps"
    for batch_tokens in (1, 130, 100_000):
        found = greedy_replies(
            model,
            tokenizer,
            prompts,
            max_new_tokens=NUM_NEW,
            stop_ids=stop,
            batch_tokens=batch_tokens,
            max_length=64,
        )
        assert found == expected


@pytest.mark.parametrize("drop_frac", [0.01, 2.0])
def test_dropping_finished_rows_changes_nothing(model, prompts, tokenizer, monkeypatch, drop_frac):
    stop = frozenset(range(0, 320, 9))
    settings = {"max_new_tokens": NUM_NEW, "stop_ids": stop, "batch_tokens": 10_000, "max_length": 64}
    expected = [" ".join(map(str, naive_reply(model, prompt, stop))) for prompt in prompts]
    monkeypatch.setattr(decoding, "DROP_FRAC", drop_frac)
    assert greedy_replies(model, tokenizer, prompts, **settings) == expected
    assert greedy_replies(model, tokenizer, prompts[::-1], **settings) == expected[::-1]


def test_settings_for_sampling_are_ignored(prompts, tokenizer):
    model = make_model()
    expected = " ".join(map(str, naive_reply(model, prompts[0], frozenset())))
    model.generation_config.do_sample = True
    model.generation_config.repetition_penalty = 5.0
    [found] = greedy_replies(
        model,
        tokenizer,
        prompts[:1],
        max_new_tokens=NUM_NEW,
        stop_ids=frozenset(),
        batch_tokens=99,
        max_length=64,
    )
    assert found == expected


def test_a_long_prompt_loses_its_beginning(model, tokenizer):
    prompt = [rng(2, "long").randrange(320) for _ in range(70)]
    [found] = greedy_replies(
        model,
        tokenizer,
        [prompt],
        max_new_tokens=NUM_NEW,
        stop_ids=frozenset(),
        batch_tokens=99,
        max_length=20,
    )
    assert found == " ".join(map(str, naive_reply(model, prompt[-8:], frozenset())))


def test_no_room_is_an_error(model, tokenizer):
    with pytest.raises(DataError, match="max_new_tokens"):
        greedy_replies(
            model, tokenizer, [[1]], max_new_tokens=64, stop_ids=frozenset(), batch_tokens=99, max_length=64
        )


def test_progress_reaches_all(model, prompts, tokenizer):
    seen: list[tuple[int, int]] = []
    greedy_replies(
        model, tokenizer, prompts, max_new_tokens=2, stop_ids=frozenset(), batch_tokens=60, max_length=64,
        progress=lambda done, all_: seen.append((done, all_)),
    )  # fmt: skip
    assert seen[-1] == (12, 12) and len(seen) > 1
