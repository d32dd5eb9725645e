"""Every preset of conf/growth, as the command line runs it."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from foam_cli import config
from foam_cli.core.files import read_json, read_jsonl

pytestmark = pytest.mark.slow  # a run for every preset

#: Whatever the trigger of a preset waits for comes within six steps.
SOON = {"every_steps": 2, "cooldown_steps": 2, "patience": 1, "min_delta_nats": 99}
#: Presets in which only what has grown learns, unless the command line says otherwise.
FROZEN = ("block_plateau", "block_schedule", "duplicate", "llama_pro", "nullspace")


@pytest.mark.parametrize("name", config.groups()["growth"])
def test_a_preset_runs_and_grows(name, foam, small, tiny_folder, chat_file, tmp_path):
    composed = config.compose([f"growth={name}"]).values
    trigger = composed["growth"].get("trigger", {})
    soon = [f"growth.trigger.{key}={SOON[key]}" for key in trigger if key in SOON]
    plain = [one for one in small if not one.startswith("growth.")]
    said = foam(
        "train", *plain, f"growth={name}", *soon, f"data.old_path={chat_file}", "data.max_length=128",
        "train.validate_every_steps=1", "train.log_every_steps=1",
    )  # fmt: skip
    assert said.code == 0, said.err
    (folder,) = [file.parent for file in tmp_path.glob("outputs/*/*/*/config.yaml")]
    assert read_json(folder / "result.json")["status"] == "finished"
    events = read_jsonl(folder / "growth.jsonl") if (folder / "growth.jsonl").exists() else []
    assert bool(events) == bool(composed["growth"])
    for event in events:
        assert bool(event["blocks_after"]) == ("placement" in composed["growth"] and not event["born"])
        if not event["recycled"]:
            assert event["max_abs_dlogits"] <= 1e-5
    assert (composed["train"]["parameters"] == "grown") == (name in FROZEN)
    if name in FROZEN:
        numbers = read_json(folder / "result.json")["parameters"]
        assert numbers["trainable"] == numbers["final"] - numbers["base"]
        if not any(event["blocks_after"] for event in events):
            assert_untouched(folder, tiny_folder, but=".down_proj." if name == "duplicate" else " ")
        assert any(row.get("grad_norm", 0) > 0 for row in read_jsonl(folder / "metrics.jsonl"))


def assert_untouched(folder: Path, tiny_folder: Path, but: str) -> None:
    """No tensor of the base is in a checkpoint with another value."""
    newest = max((folder / "checkpoints").glob("step_*"))
    saved, base = load_file(newest / "model.safetensors"), load_file(tiny_folder / "model.safetensors")
    pretrained = {name.replace(".core.", "."): tensor for name, tensor in saved.items() if ".core." in name}
    assert len(pretrained) >= 6
    for name, tensor in pretrained.items():
        assert but in name or torch.equal(tensor, base[name]), name


def test_the_command_line_has_the_last_word_on_what_learns():
    for words in (["growth=llama_pro", "train=full"], ["train=full", "growth=llama_pro"]):
        assert config.compose(words).values["train"]["parameters"] == "full"
    assert config.compose(["growth=v3"]).values["train"]["parameters"] == "ffn"
