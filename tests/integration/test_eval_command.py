"""`foam eval` from the command line: two targets, a stopped call that goes on, failures, one document."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foam_cli.core.files import read_jsonl
from foam_cli.evaluation.compare import mcnemar
from foam_cli.evaluation.tasks.heldout import Heldout


@pytest.fixture
def questions(tmp_path) -> Path:
    rows = [
        {
            "id": f"q{n}", "question": f"what is {n} of {n * n}", "answerKey": "AB"[n % 2],
            "choices": {"text": [f"thing {n}", f"{n + 1} things"], "label": ["A", "B"]},
        }
        for n in range(60)
    ]  # fmt: skip
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture
def settings(questions) -> list[str]:
    return [f"evaluation.arc.path={questions}", "hardware=cpu", "hardware.threads=1", "output_dir=outputs"]


@pytest.mark.slow
def test_two_targets_are_compared_item_by_item(foam, tiny_folder, settings):
    said = foam("eval", "arc_easy", str(tiny_folder), "model=nano", *settings, "--json")
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert [one["target"] for one in document["targets"]] == [str(tiny_folder), "nano"]
    row = document["comparison"]["arc_easy"]
    (folder,) = Path("outputs/eval").glob("tiny-vs-nano-*")
    before, after = (
        {item["id"]: item["correct"] for item in read_jsonl(folder / which / "arc_easy.jsonl")}
        for which in ("before", "after")
    )
    gained = sum(after[name] and not before[name] for name in before)
    lost = sum(before[name] and not after[name] for name in before)
    assert (row["num_gained"], row["num_lost"]) == (gained, lost)
    assert row["difference"]["value"] == pytest.approx((gained - lost) / 60)
    assert row["p_value"] == mcnemar(gained, lost)
    assert "McNemar p" in said.err and "2 - 1" in said.err
    assert f"1: {tiny_folder}" in said.err.replace("\n", "") and "2: nano\n" in said.err
    assert json.loads((folder / "result.json").read_text())["comparison"] == document["comparison"]


@pytest.mark.slow
def test_a_model_differs_from_itself_in_nothing(foam, tiny_folder, settings, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("some words that somebody wrote " * 9)
    said = foam(
        "eval", "arc_easy", "perplexity", f"run={tiny_folder}", str(tiny_folder), *settings, "--json",
        f"evaluation.perplexity.path={text}",
    )  # fmt: skip
    document = json.loads(said.out)
    rows = document["comparison"]
    assert all(row["difference"]["value"] == 0 for row in rows.values())
    assert (rows["arc_easy"]["p_value"], rows["arc_easy"]["before_at_chance"]) == (1, True)
    assert rows["perplexity"]["metric"] == "bits_per_byte_128" and "p_value" not in rows["perplexity"]
    assert "*: at chance" in said.err


def test_a_failing_task_is_told_and_the_other_is_scored(foam, tiny_folder, settings):
    said = foam(
        "eval", "arc_easy", "perplexity", str(tiny_folder), *settings, "--json",
        "evaluation.perplexity.path=nowhere.txt",
    )  # fmt: skip
    document = json.loads(said.out)
    assert said.code == 1
    assert "arc_easy/acc" in document["metrics"] and "nowhere.txt" in document["failed"]["perplexity"]
    (folder,) = Path("outputs/eval").glob("tiny-*")
    assert json.loads((folder / "result.json").read_text())["failed"] == document["failed"]
    assert {path.name for path in folder.iterdir()} == {"result.json", "results.json", "arc_easy.jsonl"}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_evaluation_goes_on_where_it_was(foam, tiny_folder, settings, number, tmp_path):
    """One row a batch and a long wait behind each, so that the signal finds it at work on any machine."""
    words = ["eval", "arc_easy", str(tiny_folder), *settings, "evaluation.batch_tokens=1"]
    # What a shell starts in the background ignores SIGINT, and so do its children.
    slow = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"sys.argv = ['foam', *{words!r}]\n"
        "from foam_cli.evaluation.journal import Journal\n"
        "add = Journal.add\n"
        "Journal.add = lambda self, rows: (add(self, rows), time.sleep(1))\n"
        "from foam_cli.cli.main import run\nrun()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", slow], cwd=tmp_path, env={**os.environ}, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    unfinished = tmp_path / "outputs" / "eval" / "unfinished"
    end = time.monotonic() + 120
    while time.monotonic() < end and not any(map(read_jsonl, unfinished.glob("*.jsonl"))):
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(number)
    try:
        said_first, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == (3 if number == signal.SIGINT else -signal.SIGKILL), said_first
    assert number == signal.SIGKILL or str(Path("outputs/eval/unfinished")) in said_first.replace("\n", "")
    (file,) = unfinished.glob("*.jsonl")
    kept = len(read_jsonl(file))
    assert 0 < kept < 120
    said = foam(*words, "--json")
    assert said.code == 0 and f"goes on behind {kept} answers" in said.err
    document = json.loads(said.out)
    fresh = json.loads(foam(*words, "--json").out)
    assert document["metrics"] == fresh["metrics"]
    assert not list(unfinished.iterdir())


@pytest.mark.slow
def test_out_of_memory_while_training_is_recorded(foam, small, monkeypatch):
    """One task fails at every step, the other one goes on; both are in result.json."""
    run, calls = Heldout.run, []

    def sometimes(self, subject, items, progress=None):
        calls.append(subject.batch_tokens)
        if len(calls) == 2:
            raise RuntimeError("the disk is on fire")
        return run(self, subject, items, progress)

    monkeypatch.setattr(Heldout, "run", sometimes)
    said = foam("train", *small, "evaluation=heldout", "evaluation.every_steps=2", "output_dir=outputs")
    assert said.code == 0, said.err
    (folder,) = Path("outputs").glob("train/*/0")
    result = json.loads((folder / "result.json").read_text())
    (where,) = result["failed"]
    assert where.endswith("/heldout") and result["failed"][where] == "RuntimeError: the disk is on fire"
    assert result["status"] == "finished"
    curve = result["curves"]["heldout/loss_nats"]
    assert 1 <= len(curve) < 3 and all(step in (2, 4, 6) for step, _ in curve)
