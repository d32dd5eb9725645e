"""A tiny model, its tokenizer, and both together."""

import pytest
import torch
from tiny_language_model import make_model, make_tokenizer
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from foam_cli.evaluation.subject import Subject


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return make_tokenizer()


@pytest.fixture(scope="session")
def model() -> Qwen2ForCausalLM:
    return make_model()


@pytest.fixture(scope="session")
def exact_model() -> Qwen2ForCausalLM:
    return make_model(torch.float64)


@pytest.fixture(scope="session")
def subject(model, tokenizer) -> Subject:
    return Subject(model=model, tokenizer=tokenizer, max_length=64, batch_tokens=256)


@pytest.fixture(scope="session")
def exact_subject(exact_model, tokenizer) -> Subject:
    return Subject(model=exact_model, tokenizer=tokenizer, max_length=64, batch_tokens=256)
