"""Where old documents come from, on the command line: named, written by the model, or refused."""

import json

import pytest


@pytest.fixture
def run(foam, small, tmp_path):
    plain = [one for one in small if not one.startswith("growth.")]
    (tmp_path / "old.jsonl").write_text(
        "".join(json.dumps({"text": f"what was {n} and more"}) + "\n" for n in range(9)), encoding="utf-8"
    )
    steps = ["growth=none", "train=full", "train.steps=3", f"output_dir={tmp_path / 'out'}"]
    return lambda *words: foam("train", *plain, *steps, *words)


def state_of(tmp_path):
    newest = sorted((tmp_path / "out").glob("*/*/*/checkpoints/step_*/state.json"))[-1]
    return json.loads(newest.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_a_source_of_its_own_is_read_and_losses_are_remembered(run, tmp_path):
    said = run("replay=loss_weighted", "replay.source=files", "replay.source.path=old.jsonl")
    assert said.code == 0, said.err
    assert "9 old examples" in said.out and "LossWeighted holds" in said.out
    memory = state_of(tmp_path)["replay"]
    assert sorted(memory["held"]) == list(range(9))
    met = [loss for loss in memory["losses"] if loss is not None]
    assert met and all(2 < loss < 9 for loss in met)  # about log of the vocabulary's 259


@pytest.mark.slow
def test_the_model_writes_its_own_old_documents_once(run, tmp_path):
    words = ["replay=self_generated", "replay.num_documents=10", "replay.max_tokens=30"]
    said = run(*words, "replay.min_tokens=29")
    assert said.code == 1 and "none can be used (10 written, 0 kept" in said.err and "unended" in said.err
    kept = [*words, "replay.keep_unended=true", "replay.ratio=0.3"]
    said = run(*kept)
    assert said.code == 0 and "the base model's own documents: 10 written, 10 kept" in said.out
    files = list((tmp_path / "out" / ".cache" / "self_generated").iterdir())
    before = [file.stat().st_mtime_ns for file in files]
    assert run(*kept).code == 0
    assert [file.stat().st_mtime_ns for file in files] == before
    manifest = json.loads(next((tmp_path / "out").glob("*/*/0-2/manifest.json")).read_text(encoding="utf-8"))
    assert manifest["data"]["old_counts"].startswith("10 written, 10 kept") and manifest["data"]["old"]


@pytest.mark.slow
def test_a_curriculum_trains_and_tells_its_phases(run):
    said = run("data.curriculum=difficulty", "data.curriculum.cumulative=false")
    assert said.code == 0 and "curriculum: 3 phases of up to" in said.out, said.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["data.curriculum=dificulty"], "Did you mean 'difficulty'?"),
        (["data.curriculum=difficulty", "data.curriculum.num_phases=1"], "data.curriculum=none"),
        (["replay=self_generated", "data.old_path=old.jsonl"], "data.old_path=old.jsonl: has no effect"),
        (
            ["replay.source=files", "replay.source.path=old.jsonl", "data.old_path=old.jsonl"],
            "has no effect beside replay.source",
        ),
        (["replay.source=files"], "replay.source.path: has no value"),
        (["replay=self_generated", "replay.source=files"], "replay"),
        (["+replay.source.path=x"], "replay.source.path: there is no such setting"),
    ],
)
def test_what_makes_no_sense_is_refused(run, words, told):
    said = run(*words)
    assert said.code == 2 and told in said.err, said.err
