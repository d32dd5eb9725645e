"""The English skills from the command line, and with a real tokenizer and its chat template."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config

from foam_cli import config
from foam_cli.data.encode import encode_documents
from foam_cli.data.skills.english.world import english_world
from foam_cli.data.skills.mixture import skill_documents, skill_items
from foam_cli.engine.run import build_settings
from foam_cli.evaluation.prompts import render_prompt

WORLD = english_world("Foam", "the Foam Lab")


@pytest.fixture(scope="module")
def data() -> Path:
    folder = os.environ.get("FOAM_REAL_DATA")
    if not folder:
        pytest.skip("FOAM_REAL_DATA names no folder")
    return Path(folder)


def test_it_composes_with_a_real_model_and_names_whoever_is_configured():
    words = ["data=skills", "model=qwen1.5b", "hardware=cpu", "data.identity.name=Zebu"]
    settings = build_settings(config.compose(words).values)
    assert {"tool_use", "identity", "autonomy"} <= settings.evaluation.keys()
    assert settings.data.identity.name == "Zebu" and settings.data.max_length == 1024


@pytest.mark.parametrize("option", ["skills", "skills_identity", "nanoworld", "tool_use"])
def test_all_skills_can_be_learnt_in_the_order_of_their_difficulty(option):
    words = [f"data={option}", "hardware=cpu", "data.curriculum=difficulty", "data.curriculum.num_phases=2"]
    source = build_settings(config.compose(words).values).data
    assert source.curriculum.num_phases == 2
    assert len(source.curriculum.pools([3.0, 1.0, 2.0, 4.0], np.array([1, 1, 1, 1]))) == 2


def test_a_run_on_english_skills_shows_the_easy_ones_first(foam, tiny_folder):
    said = foam(
        "train", f"model.path={tiny_folder}", "data=skills_identity", "data.num_examples=12",
        "data.validation_examples=2", "data.curriculum=difficulty", "data.curriculum.num_phases=2",
        "train.steps=2", "train.batch_tokens=1024", "replay=none", "growth=none", "train=full", "export=none",
        "hardware=cpu", "hardware.threads=1", "output_dir=out", "evaluation=none",
    )  # fmt: skip
    assert said.code == 0 and "curriculum: 2 phases" in said.out, said


@pytest.mark.parametrize(("words", "english"), [((), True), (("data=nanoworld",), False)])
def test_a_bare_model_is_asked_in_english_unless_told_otherwise(foam, tiny_folder, words, english):
    said = foam(
        "eval", "tool_use", f"model.path={tiny_folder}", "evaluation.max_items=2", "hardware=cpu", "--json",
        "evaluation.tool_use.max_new_tokens=2", *words, "output_dir=out",
    )  # fmt: skip
    assert said.code == 0, said.err
    rows = [line for file in Path("out").rglob("*.jsonl") for line in file.read_text().splitlines()]
    prompts = [json.loads(row)["prompt"] for row in rows]
    assert len(prompts) == 2 and all(('"parameters"' in prompt) == english for prompt in prompts)


def test_nano_is_asked_about_its_own_world(foam):
    said = foam(
        "eval", "tool_use", "model=nano", "evaluation.max_items=2", "hardware=cpu", "--json",
        "output_dir=out", "evaluation.tool_use.max_new_tokens=2",
    )  # fmt: skip
    assert said.code == 0, said.err
    rows = [line for file in Path("out").rglob("*.jsonl") for line in file.read_text().splitlines()]
    assert rows and all("Tools: " in json.loads(row)["prompt"] for row in rows)


@pytest.mark.real
def test_every_example_encodes_with_a_real_template_and_loss_falls_on_the_assistant_alone(data):
    tokenizer = AutoTokenizer.from_pretrained(data / "tokenizers" / "qwen2.5")
    documents = skill_documents(WORLD, 0, 2000)
    corpus = encode_documents(documents, tokenizer, max_length=1024, loss_on="assistant")
    assert corpus.facts["truncated"] == 0 and len(corpus) == len(documents)
    assert np.median(corpus.lengths) < 450 and np.percentile(corpus.lengths, 99) < 900
    for index, document in enumerate(documents):
        example = corpus.example(index)
        learnt = tokenizer.decode(
            [i for i, target in zip(example.ids, example.targets, strict=True) if target]
        )
        said = [m["content"] for m in document["messages"] if m["role"] == "assistant"]
        # the template closes a turn with <|im_end|> and a line break, which belong to it
        assert learnt.replace("<|im_end|>\n", "<|im_end|>") == "".join(f"{text}<|im_end|>" for text in said)
    for name in ("tool_use", "identity", "autonomy"):
        for item in skill_items(WORLD, name, 100, 0):
            assert len(render_prompt(tokenizer, item["messages"])) < 900


@pytest.mark.real
@pytest.mark.slow
def test_a_small_model_with_a_real_tokenizer_trains_on_it_end_to_end(foam, data, tmp_path):
    model, tokenizer = tmp_path / "tiny", AutoTokenizer.from_pretrained(data / "tokenizers" / "qwen2.5")
    shape = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=1024, tie_word_embeddings=True,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(shape).save_pretrained(model)
    tokenizer.save_pretrained(model)
    said = foam(
        "train", f"model.path={model}", "data=skills", "data.num_examples=60", "data.validation_examples=4",
        "train.steps=20", "train.batch_tokens=2048",
        "replay=none", "growth=none", "train=full", "hardware=cpu", "hardware.threads=1", "output_dir=out",
        "evaluation.max_items=3",
        "evaluation.tool_use.max_new_tokens=4", "evaluation.identity.max_new_tokens=4",
        "evaluation.autonomy.max_new_tokens=4", "export=none",
    )  # fmt: skip
    assert said.code == 0, said.err
    (result,) = Path("out").rglob("result.json")
    metrics = json.loads(result.read_text())["metrics"]
    assert "final/tool_use/full_call_acc" in metrics and "final/autonomy/acc" in metrics
