"""`train=lora` from its first step to its export; that it resumes exactly is in test_resume.py."""

import importlib.util
import io
import json
from pathlib import Path

import pytest
import torch
from rich.console import Console
from transformers import AutoModelForCausalLM

from foam_cli.core.files import read_json, read_jsonl
from foam_cli.engine.display import Display
from foam_cli.engine.run import restore
from foam_cli.model.lora import lora_layers

LORA = ["growth=none", "train=lora", "train.lora.rank=4", "train.grown_lr=2e-2"]
#: Of the tiny model, per rank: two blocks of q, o (16 to 16), k, v (16 to 8) and three of 16 to 32.
PER_RANK = 2 * (2 * 32 + 2 * 24 + 3 * 48)


@pytest.fixture
def words(tiny_run):
    return [one for one in tiny_run if not one.startswith(("growth.", "output_dir="))]


@pytest.mark.slow
def test_it_learns_and_its_export_is_a_plain_model_of_the_same_logits(foam, words, tiny_folder):
    said = foam("train", *words, *LORA, "export=hf", "interpolate=wise_ft", "interpolate.alphas=[0.5]")
    assert said.code == 0, said.err
    (run,) = [path.parent for path in Path("outputs").rglob("result.json")]
    result = read_json(run / "result.json")
    assert result["parameters"]["trainable"] == 4 * PER_RANK
    assert result["parameters"]["final"] == result["parameters"]["base"]
    assert result["start_max_abs_dlogits"] == 0
    assert 0 < result["export_max_abs_dlogits"] < 1e-4
    losses = [row["validation_loss"] for row in read_jsonl(run / "metrics.jsonl") if "validation_loss" in row]
    assert losses[-1] < losses[0]

    said = foam("plan", *words, *LORA, "--json")
    assert json.loads(said.out)["parameters"]["trainable"] == 4 * PER_RANK

    running = restore(run, Display(Console(file=io.StringIO()))).base.model
    assert len(lora_layers(running)) == 14
    ids = torch.arange(2, 60)[None]
    with torch.no_grad():
        found, wanted, base = (
            model(input_ids=ids).logits
            for model in (
                AutoModelForCausalLM.from_pretrained(run / "export"), running,
                AutoModelForCausalLM.from_pretrained(tiny_folder),
            )
        )  # fmt: skip
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    assert (wanted - base).abs().max() > 1e-2

    said = foam("export", str(run), "format=delta")
    assert said.code == 1 and "train=lora" in said.err and not (run / "growth.safetensors").exists()


@pytest.mark.slow
def test_the_adapters_taken_away_are_the_teacher_of_a_distillation(foam, words, chat_file):
    said = foam(
        "train", *words, *LORA, f"data.old_path={chat_file}", "regularizer=distillation",
        "hardware.precision=bf16", "hardware.optimizer=adamw8bit", "export=hf",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert "the teacher is the model with growth detached" in said.out
    (run,) = [path.parent for path in Path("outputs").rglob("result.json")]
    assert read_json(run / "result.json")["export_max_abs_dlogits"] < 1e-4
    first, *_, last = [row["penalties"] for row in read_jsonl(run / "metrics.jsonl") if "penalties" in row]
    assert first["distillation"] == pytest.approx(0, abs=1e-6) and last["distillation"] > 1e-4


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["train=lora", "growth=v3"], "Add growth=none"),
        (["train=lora", "growth=none", "regularizer=ewc"], "train=lora trains none"),
        (["train=lora", "growth=none", "train.lora.targets=[wo]"], "theirs are down_proj"),
        (["train=lora", "growth=none", "train.lora.rank=0"], "rank=0"),
        (["train=full", "growth=none", "train.lora.rank=4"], "train.lora.rank"),
        (["train=full", "growth=none", "train.parameters=lora"], "train=lora and to nothing else"),
    ],
)
def test_what_makes_no_sense_is_refused(foam, words, more, told):
    said = foam("train", *words, *more)
    assert said.code == 2 and told in said.err, said.err


def test_a_missing_library_is_named(foam, words, monkeypatch):
    find = importlib.util.find_spec

    def without_peft(name, package=None):
        return None if name == "peft" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without_peft)
    said = foam("train", *words, *LORA)
    assert said.code == 2 and "pip install 'foam-cli[lora]'" in said.err
