"""Growth events as a run writes them: when they happen, and that a resume repeats none."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from foam_cli.core.files import read_json, read_jsonl


def settings(tiny_run, *more):
    return [one for one in tiny_run if not one.startswith("growth.trigger.")] + list(more)


def tiny_folder_of(tiny_run):
    return Path(next(one.split("=", 1)[1] for one in tiny_run if one.startswith("model.path=")))


def blocks(tiny_run, *more):
    plain = [one for one in tiny_run if not one.startswith("growth.")]
    return [*plain, "growth=block_schedule", "train=grown", *more]


def folder_in(tmp_path):
    return next(tmp_path.glob("outputs/*/*/*/config.yaml")).parent


def test_once_grows_before_the_first_step(foam, tiny_run, tmp_path):
    said = foam("train", *blocks(tiny_run, "growth.trigger=once"))
    assert said.code == 0, said.err
    (event,) = read_jsonl(folder_in(tmp_path) / "growth.jsonl")
    assert (event["step"], len(event["blocks_after"])) == (0, 1)
    assert event["max_abs_dlogits"] <= 1e-5
    rows = read_jsonl(folder_in(tmp_path) / "metrics.jsonl")
    # from the very first step the new block has something to learn
    assert rows[0]["step"] == 1 and rows[0]["grad_norm"] > 0
    assert read_json(folder_in(tmp_path) / "result.json")["growth_events"] == 1


@pytest.mark.slow
def test_duplicate_gives_every_neuron_a_twin_and_trains_the_twins_alone(foam, tiny_run, tmp_path):
    plain = [one for one in tiny_run if not one.startswith("growth.")]
    said = foam("train", *plain, "growth=duplicate", "train=grown", "checkpoint.every_steps=24")
    assert said.code == 0, said.err
    folder = folder_in(tmp_path)
    (event,) = read_jsonl(folder / "growth.jsonl")
    assert (event["step"], event["born"]) == (0, {"0": 32, "1": 32})
    assert event["max_abs_dlogits"] <= 1e-6
    tensors = load_file(folder / "checkpoints" / "step_00000024" / "model.safetensors")
    from_base = load_file(tiny_folder_of(tiny_run) / "model.safetensors")
    for block in (0, 1):
        new, old = f"model.layers.{block}.mlp.core", f"model.layers.{block}.mlp"
        assert torch.equal(tensors[f"{new}.down_proj.weight"], 0.5 * from_base[f"{old}.down_proj.weight"])
        assert torch.equal(tensors[f"{new}.up_proj.weight"], from_base[f"{old}.up_proj.weight"])
        twins = tensors[f"{old}.bank.up_CD"][:32]
        assert not torch.equal(twins, from_base[f"{old}.up_proj.weight"])


NEURON_PLACEMENTS, BLOCK_PLACEMENTS = (
    ("expressivity", "top_pressure", "uniform"),
    ("after_blocks", "every_nth_block", "least_important_blocks"),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("growth", "words", "right"),
    [("v3", BLOCK_PLACEMENTS, NEURON_PLACEMENTS), ("block_schedule", NEURON_PLACEMENTS, BLOCK_PLACEMENTS)],
)
def test_a_placement_of_the_wrong_kind_is_refused_with_the_right_ones(growth, words, right, foam, tiny_run):
    plain = [one for one in tiny_run if not one.startswith("growth.")]
    for word in words:
        said = foam("train", *plain, f"growth={growth}", f"growth.placement={word}")
        assert said.code == 2 and "does not fit here" in said.err
        assert f"growth.placement={' or '.join(right)}." in said.err


@pytest.mark.parametrize("trigger", ["expressivity", "gradient_percentile"])
def test_a_trigger_that_looks_at_neurons_does_not_fit_blocks(trigger, foam, tiny_run):
    plain = [one for one in tiny_run if not one.startswith("growth.")]
    said = foam("train", *plain, "growth=block_schedule", f"growth.trigger={trigger}")
    assert said.code == 2 and "does not fit here: it looks at neurons" in said.err, said.err


@pytest.mark.parametrize("rule", ["wanda", "dormant"])
def test_recycling_before_anything_was_measured_is_refused(rule, foam, tiny_run):
    plain = [one for one in tiny_run if not one.startswith("growth.")]
    said = foam("train", *plain, "growth=duplicate", f"growth.recycling={rule}")
    assert said.code == 2 and "Choose recycling=none" in said.err, said.err


def test_a_block_growth_has_no_initializer(foam, tiny_run):
    plain = [one for one in tiny_run if not one.startswith("growth.")]
    said = foam("train", *plain, "growth=block_schedule", "growth.initializer=gradmax")
    assert said.code == 2 and "growth.initializer" in said.err, said.err


def test_plateau_without_validation_is_refused(foam, tiny_run):
    said = foam("train", *settings(tiny_run, "growth.trigger=plateau", "train.validate_every_steps=null"))
    assert said.code == 2 and "validate_every_steps" in said.err


@pytest.mark.parametrize("growth", ["v3", "grow_only"])
def test_once_with_pressure_is_refused(foam, tiny_run, growth):
    said = foam("train", *settings(tiny_run, f"growth={growth}", "growth.trigger=once"))
    assert said.code == 2 and "no pressure has been measured" in said.err


def test_measuring_old_data_where_there_is_none_is_refused(foam, tiny_run):
    without = [one for one in tiny_run if not one.startswith("replay.")]
    for words in ([*without, "replay=none"], tiny_run):
        said = foam("train", *words, "growth.initializer=nullspace")
        assert said.code == 2 and "name it in data.old_path" in said.err, said.err


@pytest.mark.slow
def test_old_data_may_be_measured_without_being_replayed(foam, tiny_run):
    data = next(one for one in tiny_run if one.startswith("data.path="))
    words = [one for one in tiny_run if not one.startswith("replay.")] + [data.replace("path", "old_path")]
    said = foam("train", *words, "growth.initializer=nullspace", "replay=none")
    assert said.code == 0 and "40 old examples" in said.out, said
