"""A tiny base model with a tokenizer, and data files: everything a run needs, made in a second."""

import json
import os
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, Qwen2Config

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="session")
def rows() -> list[dict]:
    """Sixty short conversations."""
    return [
        {
            "messages": [
                {"role": "user", "content": f"What is {i} plus {i % 7}?"},
                {"role": "assistant", "content": f"{i} plus {i % 7} is {i + i % 7}."},
            ]
        }
        for i in range(60)
    ]


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory, rows: list[dict]) -> Path:
    """A random Qwen2-shaped model of 30 k parameters with a byte-level tokenizer."""
    folder = tmp_path_factory.mktemp("base")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator((m["content"] for row in rows for m in row["messages"]), trainer)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=CHATML
    ).save_pretrained(folder)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = Qwen2Config(
        vocab_size=320, num_key_value_heads=2, max_position_embeddings=128, tie_word_embeddings=True,
        bos_token_id=None, eos_token_id=2, pad_token_id=0, **shape,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def data_file(tmp_path_factory: pytest.TempPathFactory, rows: list[dict]) -> Path:
    """The conversations as JSON Lines."""
    file = tmp_path_factory.mktemp("data") / "chat.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return file


@pytest.fixture
def tiny_run(base_folder: Path, data_file: Path, tmp_path: Path) -> list[str]:
    """Settings of a run that takes a second: 24 steps, a growth event every 6."""
    return [
        f"model.path={base_folder}",
        f"data.path={data_file}",
        f"output_dir={tmp_path / 'outputs'}",
        "hardware=cpu",
        "hardware.precision=fp32",
        "hardware.threads=1",
        "growth.trigger.cooldown_steps=6",
        "growth.max_neurons_per_event=3",
        "growth.track_every_steps=2",
        "growth.maturation.mature_steps=10",
        "replay.max_examples=20",
        "train.steps=24",
        "train.batch_tokens=256",
        "train.log_every_steps=1",
        "train.validate_every_steps=8",
        "checkpoint.every_steps=5",
        "evaluation=none",
        "export=none",
    ]


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "HF_HUB_OFFLINE", "1")
