"""Stages one after the other: the matrix R, an exact resume in any stage, replay of what came before."""

from pathlib import Path

import pytest

from foam_cli.core.files import read_json, read_jsonl

STAGES = "data=[first,second]"


@pytest.fixture
def two_stages(tmp_path, tiny_run) -> list[str]:
    """Two sources of the user's own, each with a file and an evaluation of its name."""
    conf = tmp_path / "conf"
    (conf / "data").mkdir(parents=True)
    (conf / "evaluation").mkdir()
    for name, word in (("first", "ja"), ("second", "nein")):
        rows = [f'{{"instruction": "{name} {n}?", "output": "{word}"}}\n' for n in range(40)]
        (tmp_path / f"{name}.jsonl").write_text("".join(rows), encoding="utf-8")
        (conf / "data" / f"{name}.yaml").write_text(
            f"defaults: [files, _self_]\npath: {tmp_path}/{name}.jsonl\n"
        )
        (conf / "evaluation" / f"{name}.yaml").write_text("defaults: [heldout]\n")
    rest = [one for one in tiny_run if not one.startswith(("data.path", "evaluation="))]
    return ["--config-dir", str(conf), STAGES, *rest, "train.steps=10", "replay.max_examples=20"]


def only_run() -> Path:
    (found,) = [path.parent for path in Path("outputs").rglob("result.json")]
    return found


def losses(run: Path) -> dict[int, float]:
    return {row["step"]: row["loss"] for row in read_jsonl(run / "metrics.jsonl") if "loss" in row}


@pytest.mark.slow
def test_each_stage_trains_on_its_own_and_replays_what_came_before(foam, two_stages):
    said = foam("train", *two_stages)
    assert said.code == 0, said.err
    run = only_run()
    result = read_json(run / "result.json")
    assert result["status"] == "finished" and result["step"] == 20
    assert sorted(losses(run)) == list(range(1, 21))
    rates = {row["step"]: row["lr"] for row in read_jsonl(run / "metrics.jsonl") if "lr" in row}
    assert [rates[step] for step in range(1, 11)] == [rates[step] for step in range(11, 21)]
    whens = {key.split("/")[0] for key in result["metrics"]}
    assert whens == {"base", "start", "stage_1", "stage_2", "final"}
    data = read_json(run / "manifest.json")["data"]
    assert data["stage_1/train"] != data["stage_2/train"]
    # the files know no old data, so the second stage's old data is what the first one taught
    assert "stage_1/old" not in data
    assert data["stage_2/old"] == data["stage_1/train"]


@pytest.mark.slow
@pytest.mark.parametrize("stop_after", [7, 10, 13])
def test_a_resume_in_any_stage_is_exact(foam, two_stages, monkeypatch, stop_after):
    from foam_cli.engine import loop

    assert foam("train", *two_stages, "name.arm=whole").code == 0
    whole = losses(Path("outputs/train/whole/0"))
    taken = loop.clip_gradients
    count = iter(range(1, 1000))

    def killed(*args):
        if next(count) == stop_after + 1:
            raise RuntimeError("killed")
        return taken(*args)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "clip_gradients", killed)
        assert foam("train", *two_stages, "name.arm=cut", "checkpoint.every_steps=1").code == 1
    said = foam("train", "--resume", "outputs/train/cut/0")
    assert said.code == 0, said.err
    assert losses(Path("outputs/train/cut/0")) == whole
    cut, uncut = (read_json(Path(f"outputs/train/{arm}/0/result.json")) for arm in ("cut", "whole"))
    assert cut["metrics"] == uncut["metrics"]


@pytest.mark.slow
def test_the_embedded_skills_fill_the_matrix(foam):
    said = foam(
        "train", "data=[tool_use,identity]", "train.steps=2", "data.num_examples=60",
        "data.validation_examples=8", "train.batch_tokens=256", "evaluation.max_items=6", "export=none",
        "hardware.threads=1",
    )  # fmt: skip
    assert said.code == 0, said.err
    found = read_json(only_run() / "result.json")["transfer"]
    assert found["tasks"] == ["tool_use", "identity"]
    assert len(found["matrix"]) == 3 and all(len(row) == 2 for row in found["matrix"])
    assert {"average_accuracy", "bwt", "forgetting", "forward_transfer"} == set(found["metrics"])
    assert "scores after every stage" in said.out


@pytest.mark.slow
def test_distillation_over_stages_is_refused(foam, two_stages):
    said = foam("train", *two_stages, "regularizer=distillation")
    assert said.code == 2
    assert "its teacher is the base model" in said.err


@pytest.mark.slow
def test_a_stage_is_taken_in_once_though_the_run_is_killed_behind_it(foam, two_stages, monkeypatch):
    from foam_cli.engine import loop

    ewc = ["regularizer=ewc", "regularizer.ewc.online_decay=0.5", "regularizer.ewc.num_examples=4"]
    words = [*two_stages, *ewc, f"data.old_path={Path.cwd()}/first.jsonl", "train=full"]
    assert foam("train", *words, "name.arm=whole").code == 0
    whole = losses(Path("outputs/train/whole/0"))

    def killed(*args):
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:  # the second stage has taken no step when it is killed
        taken, count = loop.clip_gradients, iter(range(1, 1000))
        patched.setattr(loop, "clip_gradients", lambda *a: taken(*a) if next(count) <= 10 else killed())
        assert foam("train", *words, "name.arm=cut").code == 1
    assert foam("train", "--resume", "outputs/train/cut/0").code == 0
    assert losses(Path("outputs/train/cut/0")) == whole


@pytest.mark.slow
def test_online_ewc_takes_every_stage_in(foam, two_stages):
    settings = ["regularizer=ewc", "regularizer.ewc.online_decay=0.5", "regularizer.ewc.num_examples=4"]
    said = foam("train", *two_stages, *settings, f"data.old_path={Path.cwd()}/first.jsonl", "train=full")
    assert said.code == 0, said.err
    kept = sorted(path.name for path in (only_run() / "regularizers" / "ewc").glob("*.safetensors"))
    assert kept == ["step_00000000.safetensors", "step_00000010.safetensors"]
