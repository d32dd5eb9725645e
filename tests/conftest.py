"""Shared by all tests: tiny models with random weights."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_tokenizer import CHATML, byte_tokenizer
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, PreTrainedModel, Qwen2Config

pytest_plugins = ["command_line", "fake_trackers"]

FAMILIES = ("gpt2", "qwen2", "llama")


#: Files whose tests take long: they come first, so that no process is left alone with one at the end.
LONG = {
    "test_study.py", "test_settings.py", "test_architectures_page.py", "test_skills_data.py",
    "test_growth_cost.py", "test_harness_parity.py", "test_lm_eval.py", "test_train_speed.py",
    "test_english_solvers.py",
}  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What tests tokenise is kept in their own folder, never in the user's."""
    monkeypatch.setenv("FOAM_CACHE", str(tmp_path_factory.getbasetemp() / "foam_cache"))


def _config(family: str, width: int):
    shared = {"vocab_size": 97, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    if family == "gpt2":
        dropouts = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        return GPT2Config(n_embd=32, n_layer=3, n_head=4, n_positions=64, n_inner=width, **dropouts, **shared)
    llama_like = {
        "hidden_size": 32,
        "intermediate_size": width,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
    }
    return {"qwen2": Qwen2Config, "llama": LlamaConfig}[family](**llama_like, **shared)


@pytest.fixture
def tiny_model() -> Callable[..., PreTrainedModel]:
    """Make a random 3-block model: tiny_model(family, dtype=..., width=...)."""

    def make(family: str, dtype: torch.dtype = torch.float32, width: int = 80) -> PreTrainedModel:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = AutoModelForCausalLM.from_config(_config(family, width))
            for parameter in model.parameters():  # biases too, so that nothing is zero by construction
                torch.nn.init.normal_(parameter, std=0.15)
        return model.to(dtype).eval()

    return make


@pytest.fixture
def tokens_BT() -> torch.Tensor:
    """Four sequences of 16 tokens."""
    return torch.randint(2, 97, (4, 16), generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face folder with a random two-block model and its own byte-level tokenizer."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tokenizer = byte_tokenizer(chat_template=CHATML)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = Qwen2Config(
            vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=1024,
            tie_word_embeddings=True, bos_token_id=0, eos_token_id=0, pad_token_id=0,
        )  # fmt: skip
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def chat_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty short conversations as JSON Lines in the OpenAI layout."""
    file = tmp_path_factory.mktemp("data") / "chat.jsonl"
    rows = [[("user", f"say {n}"), ("assistant", f"{n} it is")] for n in range(40)]
    documents = [{"messages": [{"role": r, "content": c} for r, c in turns]} for turns in rows]
    file.write_text("".join(json.dumps(one) + "\n" for one in documents), encoding="utf-8")
    return file
