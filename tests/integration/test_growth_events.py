"""Growth events as a run writes them: when they happen, and that a resume repeats none."""

import pytest

from foam_cli.core.files import read_json, read_jsonl


def settings(tiny_run, *more):
    return [one for one in tiny_run if not one.startswith("growth.trigger.")] + list(more)


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


def test_plateau_without_validation_is_refused(foam, tiny_run):
    said = foam("train", *settings(tiny_run, "growth.trigger=plateau", "train.validate_every_steps=null"))
    assert said.code == 2 and "validate_every_steps" in said.err


@pytest.mark.parametrize("growth", ["v3", "grow_only"])
def test_once_with_pressure_is_refused(foam, tiny_run, growth):
    said = foam("train", *settings(tiny_run, f"growth={growth}", "growth.trigger=once"))
    assert said.code == 2 and "no pressure has been measured" in said.err
