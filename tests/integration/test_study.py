"""Studies in real processes: killed, stopped, hanging, continued; here, through submitit and through Ray."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from foam_cli.core.files import read_json, read_jsonl
from foam_cli.core.seeds import rng

pytestmark = [pytest.mark.slow, pytest.mark.dist]

#: What may differ between two runs of the same thing.
TIMES = ("tokens_per_second", "seconds")


@pytest.fixture
def tiny(tiny_run: list[str], tmp_path: Path) -> list[str]:
    """Settings of the runs of a study whose arms differ in growth."""
    return [one for one in tiny_run if not one.startswith(("growth.", "output_dir="))]


def study_file(folder: Path, text: str) -> list[str]:
    """A study of one's own, as the command line names it."""
    (folder / "own" / "study").mkdir(parents=True)
    (folder / "own" / "study" / "mine.yaml").write_text(text)
    return ["mine", "--config-dir", str(folder / "own")]


def start(words: Sequence[str], folder: Path) -> "subprocess.Popen[bytes]":
    places = [f"output_dir={folder / 'outputs'}", f"results_dir={folder / 'results'}"]
    command = [sys.executable, "-m", "foam_cli.cli.main", "ablate", *words, *places]
    folder.mkdir(exist_ok=True)
    with (folder / "output.txt").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)


def finish(words: Sequence[str], folder: Path, code: int = 0) -> str:
    process = start(words, folder)
    found = process.wait(timeout=900)
    output = (folder / "output.txt").read_text()
    assert found == code, output
    return output


def runs(folder: Path) -> dict[str, Path]:
    found = sorted((folder / "outputs").glob("*/*/*/config.yaml"))
    return {"/".join(file.parent.parts[-2:]): file.parent for file in found}


def statuses(folder: Path) -> list[str]:
    return [
        read_json(run / "result.json")["status"] if (run / "result.json").exists() else "started"
        for run in runs(folder).values()
    ]


def workers(folder: Path) -> Iterator[int]:
    """Processes of runs that are running."""
    for file in (folder / "outputs").glob("*/*/*/attempt.json"):
        attempt = read_json(file)
        if attempt["status"] == "running" and Path(f"/proc/{attempt['process']}").exists():
            yield attempt["process"]


def reached(folder: Path, step: int) -> bool:
    """Whether a run that is running has come so far."""
    return any(
        read_json(run / "attempt.json")["status"] == "running"
        and len(read_jsonl(run / "metrics.jsonl")) > step
        for run in runs(folder).values()
        if (run / "attempt.json").exists()
    )


def wait_for(condition, process: "subprocess.Popen[bytes]", folder: Path, seconds: float = 300) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, (folder / "output.txt").read_text()
        assert time.monotonic() < until
        time.sleep(0.01)


def assert_same_run(one: Path, other: Path) -> None:
    """Bit for bit: weights, optimizers, generators, logs and the results."""
    last = [sorted((run / "checkpoints").iterdir())[-1] for run in (one, other)]
    for name in ("model", "optimizer", "rng"):
        a, b = (load_file(folder / f"{name}.safetensors") for folder in last)
        assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a), (one, name)
    for name in ("metrics", "growth"):
        a, b = (
            [{k: v for k, v in row.items() if k not in TIMES} for row in read_jsonl(run / f"{name}.jsonl")]
            for run in (one, other)
        )
        assert a == b, (one, name)
    a, b = (read_json(run / "result.json") for run in (one, other))
    for key in ("status", "metrics", "parameters", "tokens", "step", "growth_events"):
        assert a[key] == b[key], (one, key)


def kill_somebody(process: "subprocess.Popen[bytes]", folder: Path, draw) -> str:
    """SIGKILL for the study or for one of its runs."""
    found = list(workers(folder))
    if found and draw.random() < 0.5:
        os.kill(draw.choice(found), signal.SIGKILL)
        return "worker"
    process.kill()
    process.wait()
    return "study"


def test_ten_kills_at_random_moments_lose_nothing(tiny: list[str], tmp_path: Path) -> None:
    arms = "{none: [growth=none], v3: [growth.trigger.cooldown_steps=15]}"
    own = study_file(tmp_path, f"seeds: [0, 1, 2]\narms: {arms}\ngrid: {{train.lr: [1e-3, 2e-3]}}\n")
    words = [*own, *tiny, "train.steps=160", "evaluation=heldout", "checkpoint.every_steps=10"]
    finish(words, tmp_path / "whole")
    broken, draw = tmp_path / "broken", rng(5, "kills")
    killed: list[str] = []
    process = start(words, broken)
    while len(killed) < 10:
        # The first two come while the study is still being checked, the others at any step of a run.
        time.sleep(draw.uniform(0, 1.5))
        step = draw.randrange(150)
        while len(killed) >= 2 and process.poll() is None and not reached(broken, step):
            time.sleep(0.01)
        if process.poll() is None:
            killed.append(kill_somebody(process, broken, draw))
        if process.poll() is not None:
            process = start(words, broken)
    process.wait(timeout=900)
    for _ in range(3):  # runs that were killed are reported, and continue when the study is run again
        if process.returncode == 0:
            break
        process = start(words, broken)
        process.wait(timeout=900)
    assert process.returncode == 0, (broken / "output.txt").read_text()
    whole, again = runs(tmp_path / "whole"), runs(broken)
    assert again.keys() == whole.keys() and len(again) == 12
    assert {"study", "worker"} == set(killed)
    logs = [(run / "log.txt").read_text() for run in again.values()]
    assert sum(log.count("Continuing at step") for log in logs) >= 3
    events = [read_jsonl(run / "growth.jsonl") for label, run in again.items() if label.startswith("v3")]
    assert all(events)
    for label in whole:
        assert_same_run(whole[label], again[label])
    one, other = (read_json(f / "results" / "ablation_comparison.json") for f in (tmp_path / "whole", broken))
    assert one["comparisons"] == other["comparisons"] and one["verdicts"] == other["verdicts"]


def test_a_killed_run_is_reported_at_once_and_the_others_go_on(tiny: list[str], tmp_path: Path) -> None:
    words = ["sweep", *tiny, "study.seeds=[0,1]", "jobs=2", "train.steps=120"]
    process = start(words, tmp_path)
    wait_for(lambda: len(list(workers(tmp_path))) == 2, process, tmp_path)
    os.kill(next(workers(tmp_path)), signal.SIGKILL)
    wait_for(lambda: "was killed by SIGKILL" in (tmp_path / "output.txt").read_text(), process, tmp_path, 5)
    assert process.wait(timeout=300) == 1
    document = read_json(tmp_path / "results" / "ablation_comparison.json")
    assert list(document["failures"].values()) == ["its process was killed by SIGKILL"]
    assert sorted(statuses(tmp_path)).count("finished") == 3
    output = finish(words, tmp_path)
    assert "3 of 4 runs were finished before" in output
    assert statuses(tmp_path) == ["finished"] * 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_study_saves_compares_what_is_finished_and_says_how_to_continue(
    number: signal.Signals, tiny: list[str], tmp_path: Path
) -> None:
    own = study_file(tmp_path, "seeds: [0]\narms: {short: [train.steps=8], long: [train.steps=100000]}\n")
    tiny = [one for one in tiny if not one.startswith("train.steps")]
    process = start([*own, *tiny], tmp_path)
    wait_for(lambda: reached(tmp_path, 20), process, tmp_path)
    process.send_signal(number)
    assert process.wait(timeout=60) == 3
    output = " ".join((tmp_path / "output.txt").read_text().split())
    assert "Stopped: 1 of 2 runs are finished. Continue with: foam ablate mine" in output
    assert sorted(statuses(tmp_path)) == ["finished", "interrupted"]
    document = read_json(tmp_path / "results" / "ablation_comparison.json")
    assert {name: arm["seeds"] for name, arm in document["arms"].items()} == {"short": [0], "long": []}
    assert (tmp_path / "results" / "report.html").exists()


def test_a_run_that_takes_too_long_does_not_hold_the_others_up(tiny: list[str], tmp_path: Path) -> None:
    own = study_file(tmp_path, "seeds: [0]\narms: {long: [train.steps=100000], short: [train.steps=8]}\n")
    tiny = [one for one in tiny if not one.startswith("train.steps")]
    output = finish([*own, *tiny, "run_limit_s=15"], tmp_path, code=1)
    assert "it took longer than run_limit_s=15" in output
    assert sorted(statuses(tmp_path)) == ["finished", "interrupted"]


@pytest.mark.parametrize(
    "launcher",
    [["launcher=submitit", "launcher.cluster=local", "launcher.gpus=0", "launcher.cpus=1"], ["launcher=ray"]],
)
def test_other_launchers_come_to_the_same(launcher: list[str], tiny: list[str], tmp_path: Path) -> None:
    pytest.importorskip(launcher[0].partition("=")[2])
    words = ["sweep", *tiny, "study.seeds=[0]", "evaluation=heldout"]
    finish(words, tmp_path / "here")
    finish([*words, *launcher, "jobs=2"], tmp_path / "there")
    here, there = runs(tmp_path / "here"), runs(tmp_path / "there")
    assert here.keys() == there.keys() and len(here) == 2
    for label in here:
        assert_same_run(here[label], there[label])


def test_a_dry_run_starts_nothing_and_estimates_from_what_is_finished(
    tiny: list[str], tmp_path: Path
) -> None:
    words = ["sweep", *tiny, "study.seeds=[0]"]
    told = finish([*words, "--dry-run", "--json"], tmp_path)
    assert not (tmp_path / "outputs").exists()
    planned = json.loads(told[told.index('{"study"') :])["runs"]
    assert all(row["seconds"] > 0 and "plan" in row["source"] for row in planned)
    (tmp_path / "output.txt").unlink()
    finish(words, tmp_path)
    (tmp_path / "output.txt").unlink()
    told = finish(["sweep", *tiny, "study.seeds=[0,1]", "--dry-run", "--json"], tmp_path)
    document = json.loads(told[told.index('{"study"') :])
    assert [row["status"] for row in document["runs"]] == ["finished", "finished", "new", "new"]
    assert 0 < document["seconds_left"] < 100


def test_a_search_goes_through_real_runs(tiny: list[str], tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    tiny = [one for one in tiny if not one.startswith(("evaluation=", "export="))]
    finish(["search", "search_example", *tiny, "study.search.trials=2", "study.seeds=[0]"], tmp_path)
    document = read_json(tmp_path / "results" / "search_search_example.json")
    assert [one["state"] for one in document["trials"]] == ["complete", "complete"]
    assert len(runs(tmp_path)) == 2
