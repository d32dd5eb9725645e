"""The experiments neural_foam_v3 and growing_llm: all published parameters, and the recipes in small."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_families import tiny_family
from tiny_tokenizer import CHATML, byte_tokenizer
from transformers import AutoModelForCausalLM

from foam_cli import config
from foam_cli.core.files import read_json, read_jsonl
from foam_cli.core.settings import Settings
from foam_cli.engine.run import build_settings

#: Neural Foam's own figures and names, and where foam keeps them.
NEURAL_FOAM = {
    "model.path": "Qwen/Qwen2.5-1.5B-Instruct",
    "data.skills": ["tool_use", "identity", "autonomy"],
    "data.curriculum.num_phases": 3,
    "growth.trigger.percentile": 90.0,
    "growth.trigger.cooldown_steps": 200,
    "growth.max_neurons_per_event": 10,
    "growth.max_events": None,
    "growth.pressure_decay": 0.9,
    "growth.maturation.mature_steps": 500,
    "growth.maturation.multiplier": 2.0,
    "growth.maturation.protected": True,
    "replay.ratio": 0.2,
    "replay.max_examples": 10_000,
    "train.parameters": "ffn",  # freeze_attention
    "hardware.precision": "bf16",
    "hardware.optimizer": "adamw8bit",
}
#: Growing LLM's.
GROWING_LLM = {
    "model.path": "openai-community/gpt2",
    "data.window_tokens": 128,
    "growth.trigger.every_steps": 500,
    "growth.max_events": 3,
    "growth.max_blocks_per_event": 1,
    "growth.warmup_steps": 100,
    "train.parameters": "grown",
    "train.steps": 2000,
    "train.grown_lr": 5e-5,
    "train.weight_decay": 0.01,
    "train.batch_tokens": 8 * 128,
    "train.accumulate": 1,
    "hardware.optimizer": "adamw",
    "replay": {},
    "regularizer": {},
}


def settings_of(*words: str) -> Settings:
    return build_settings(config.compose(["hardware=cpu", *words]).values)


def value(settings: Settings, key: str):
    found = settings
    for part in key.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize(
    ("experiment", "published"), [("neural_foam_v3", NEURAL_FOAM), ("growing_llm", GROWING_LLM)]
)
def test_every_published_parameter_is_what_the_recipe_says(experiment, published):
    settings = settings_of(f"experiment={experiment}")
    assert {key: value(settings, key) for key in published} == published


def test_the_methods_are_those_of_the_recipes():
    foam = settings_of("experiment=neural_foam_v3")
    parts = ("trigger", "placement", "initializer", "maturation", "recycling")
    assert [type(getattr(foam.growth, part)).__name__ for part in parts] == [
        "GradientPercentile", "TopPressure", "CopyNoise", "YoungMultiplier", "Wanda",
    ]  # fmt: skip
    assert type(foam.data.curriculum).__name__ == "Difficulty"
    assert type(foam.replay.source).__name__ == "ArcReplay"
    tasks = {"tool_use", "identity", "autonomy", "arc_easy", "arc_challenge"}
    assert tasks <= foam.evaluation.keys()
    assert foam.train.grown_lr == foam.train.lr  # the young have twice that by their multiplier alone


def test_the_other_trigger_of_growing_llm_is_one_word():
    trigger = settings_of("experiment=growing_llm", "growth.trigger=plateau").growth.trigger
    assert (trigger.patience, trigger.min_delta_nats) == (5, 0.01)


def test_the_hardware_profile_of_a_12_gb_card_keeps_the_recipes_precision():
    for experiment, expected in (("neural_foam_v3", "bf16"), ("growing_llm", "fp32")):
        hardware = config.compose([f"experiment={experiment}", "hardware=rtx3060"]).values["hardware"]
        assert (hardware["device"], hardware["memory_gib"], hardware["precision"]) == ("cuda", 12, expected)


# ---------------------------------------------------------------- in small


def save_family(folder: Path, name: str, **shape: int) -> Path:
    tokenizer = byte_tokenizer(chat_template=CHATML)
    ends = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0, "max_position_embeddings": 1024}
    tiny_family(name, vocab_size=len(tokenizer), **ends, **shape).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def run_of(foam, *words: object) -> Path:
    said = foam("train", *words, "hardware=cpu", "hardware.threads=1", "output_dir=outputs")
    assert said.code == 0, said.err
    (folder,) = Path("outputs").glob("*/*/0")
    return folder


def events_of(folder: Path, *fields: str):
    return [tuple(row[field] for field in fields) for row in read_jsonl(folder / "growth.jsonl")]


@pytest.mark.slow
def test_neural_foam_in_small(foam, tmp_path, chat_file):
    folder = run_of(
        foam, "experiment=neural_foam_v3", f"model.path={save_family(tmp_path / 'qwen', 'qwen2')}",
        f"data.path={chat_file}", "evaluation=none", "replay.source=data", "train.steps=12",
        "train.warmup_steps=0", "growth.trigger.cooldown_steps=5", "growth.track_every_steps=1",
        "growth.max_neurons_per_event=3", "train.lr=1e-3", "export=none", "checkpoint.every_steps=12",
    )  # fmt: skip
    assert [step for (step,) in events_of(folder, "step")] == [5, 10]
    for born, recycled, moved in events_of(folder, "born", "recycled", "max_abs_dlogits"):
        assert born == {"0": 3, "1": 3}
        assert recycled or moved == 0
    base = load_file(tmp_path / "qwen" / "model.safetensors")
    (checkpoint,) = (folder / "checkpoints").glob("step_*/model.safetensors")
    saved = load_file(checkpoint)
    # Of the pretrained model nothing but feed-forward layers is in a checkpoint: the rest was not trained.
    learnt = {name.replace(".core.", "."): tensor for name, tensor in saved.items() if ".bank." not in name}
    assert learnt and all(".mlp." in name for name in learnt)
    pretrained = {name: tensor for name, tensor in learnt.items() if name in base}
    assert len(pretrained) == 2 * 3
    assert all(not torch.equal(t, base[name].to(t.dtype)) for name, t in pretrained.items())
    assert {tensor.dtype for tensor in pretrained.values()} == {torch.bfloat16}


def grown_gpt2(foam, tmp_path, *words: str) -> tuple[Path, Path]:
    """The recipe on a tiny GPT-2, a hundred times shorter."""
    base = save_family(tmp_path / "gpt2", "gpt2", num_hidden_layers=4)
    (tmp_path / "text").write_text("\n".join(f"line {n}: {n * n} squares" for n in range(400)) + "\n")
    folder = run_of(
        foam, "experiment=growing_llm", f"model.path={base}", "data=wikitext2",
        f"data.path={tmp_path / 'text'}", "train.steps=20", "growth.warmup_steps=1", "train.grown_lr=1e-2",
        "train.validate_every_steps=1", "train.log_every_steps=1", "evaluation=none", *words,
    )  # fmt: skip
    return base, folder


@pytest.mark.slow
def test_growing_llm_in_small(foam, tmp_path):
    base, folder = grown_gpt2(foam, tmp_path, "growth.trigger.every_steps=5")
    events = events_of(folder, "step", "max_abs_dlogits", "loss_before_nats", "loss_after_nats")
    assert [event[0] for event in events] == [5, 10, 15]
    for _, moved, before, after in events:
        assert moved == 0.0 and after - before == 0.0
    # Before the first block there is nothing to learn, and the base's loss stands still; then it falls.
    rows = read_jsonl(folder / "metrics.jsonl")
    losses = [row["validation_loss"] for row in rows if "validation_loss" in row]
    assert len(set(losses[:5])) == 1 and losses[-1] < losses[0] - 0.1
    assert_frozen(base, folder / "export", num_blocks=4)


@pytest.mark.slow
def test_growing_llm_in_small_by_plateau(foam, tmp_path):
    # What stands still reaches a plateau by itself: five validations after the first one.
    _, folder = grown_gpt2(foam, tmp_path, "growth.trigger=plateau", "growth.max_events=1")
    ((step, before, after),) = events_of(folder, "step", "loss_before_nats", "loss_after_nats")
    assert step == 6 and after == before


def assert_frozen(base: Path, export: Path, num_blocks: int) -> None:
    """All tensors of the base are in the export, bit for bit; three blocks are new, and have learnt."""
    old = AutoModelForCausalLM.from_pretrained(base).state_dict()
    new = AutoModelForCausalLM.from_pretrained(export).state_dict()
    blocks = sorted({key for name in new if (key := block_of(name)) is not None})
    assert len(blocks) == num_blocks + 3
    left = {index: tensors_of(new, index) for index in blocks}
    for index in range(num_blocks):
        same = [at for at, tensors in left.items() if equal(tensors_of(old, index), tensors)]
        assert len(same) == 1, f"block {index}"
        left.pop(same[0])
    for tensors in left.values():
        ends = [t for name, t in tensors.items() if name.endswith(("c_proj.weight", "o_proj.weight"))]
        assert ends and all(bool(tensor.any()) for tensor in ends)
    assert equal(*({n: t for n, t in one.items() if block_of(n) is None} for one in (old, new)))


def block_of(name: str) -> int | None:
    return next((int(part) for part in name.split(".") if part.isdigit()), None)


def tensors_of(state: dict[str, torch.Tensor], index: int) -> dict[str, torch.Tensor]:
    part = f".{index}."
    return {name.split(part, 1)[1]: tensor for name, tensor in state.items() if block_of(name) == index}


def equal(old: dict[str, torch.Tensor], new: dict[str, torch.Tensor]) -> bool:
    return old.keys() == new.keys() and all(stands_in(tensor, new[name]) for name, tensor in old.items())


def stands_in(old: torch.Tensor, new: torch.Tensor) -> bool:
    """Whether a tensor is the corner of another one that is zero elsewhere: exports pad FFNs."""
    corner = new[tuple(slice(size) for size in old.shape)]
    return torch.equal(corner, old) and new.count_nonzero() == old.count_nonzero()


@pytest.mark.real
def test_growing_llm_on_a_pretrained_model(foam):
    if not (data := os.environ.get("FOAM_REAL_DATA")):
        pytest.skip("FOAM_REAL_DATA names no folder")
    base = Path(data) / "models" / "stories260K"
    folder = run_of(
        foam, "experiment=growing_llm", f"model.path={base}", "data=wikitext2",
        f"data.path={Path(data) / 'wikitext2' / 'wiki.valid.tokens'}", "train.steps=40",
        "growth.trigger.every_steps=10", "growth.warmup_steps=2", "train.grown_lr=1e-3",
        "train.validate_every_steps=40", "evaluation=none",
    )  # fmt: skip
    sizes = events_of(folder, "step", "parameters_before", "parameters_after")
    # A block of it: q and o 64 x 64, k and v 64 x 32, three matrices 64 x 172, two norms of 64.
    block = 2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 172 + 2 * 64
    assert sizes == [(10 * n, 260_032 + (n - 1) * block, 260_032 + n * block) for n in (1, 2, 3)]
    for moved, before, after in events_of(folder, "max_abs_dlogits", "loss_before_nats", "loss_after_nats"):
        assert moved == 0.0 and after - before == 0.0
    assert read_json(folder / "result.json")["parameters"]["trainable"] == 3 * block
    assert_frozen(base, folder / "export", num_blocks=5)
