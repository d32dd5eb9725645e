"""What trackers are told, and that a run does not notice them."""

import importlib.util
import io
import json
import sys
from pathlib import Path

import pytest
import torch
from fake_trackers import TRACKERS
from rich.console import Console
from safetensors.torch import load_file

from foam_cli import config
from foam_cli.core.errors import ConfigError
from foam_cli.core.files import read_json, read_jsonl
from foam_cli.engine.display import Display
from foam_cli.engine.folder import RunFolder, run_id
from foam_cli.engine.run import build_settings, run_training
from foam_cli.trackers.mlflow import Mlflow
from foam_cli.trackers.tensorboard import TensorBoard
from foam_cli.trackers.trackio import Trackio
from foam_cli.trackers.wandb import Wandb

ALL = f"tracker=[{','.join(TRACKERS)}]"
TIMES = ("tokens_per_second", "seconds")


def train(words: list[str], resume: str | None = None) -> tuple[Path, str]:
    said = io.StringIO()
    outcome = run_training(words, Display(Console(file=said, width=500)), command="", resume=resume)
    return outcome.folder, said.getvalue()


@pytest.fixture
def settings(small: list[str], tmp_path: Path) -> list[str]:
    """Six steps, two events."""
    return [*small, f"output_dir={tmp_path / 'outputs'}", "train.log_every_steps=1"]


def kept(folder: Path) -> tuple:
    """Everything of a run that must not depend on trackers."""
    checkpoint = sorted((folder / "checkpoints").iterdir())[-1]
    tensors = {
        f"{name}/{key}": value
        for name in ("model", "optimizer", "rng")
        for key, value in load_file(checkpoint / f"{name}.safetensors").items()
    }
    rows = [
        {key: value for key, value in row.items() if key not in TIMES}
        for name in ("metrics.jsonl", "growth.jsonl")
        for row in read_jsonl(folder / name)
    ]
    return tensors, rows


def assert_same(one: Path, other: Path) -> None:
    (tensors, rows), (other_tensors, other_rows) = kept(one), kept(other)
    assert rows == other_rows and tensors.keys() == other_tensors.keys() and len(tensors) > 20
    assert all(torch.equal(tensor, other_tensors[name]) for name, tensor in tensors.items())


def written(folder: Path) -> set[tuple]:
    """(step, name, value) of every number that the run folder got, read from its files."""
    found = set()
    for row in read_jsonl(folder / "metrics.jsonl"):
        assert not any(isinstance(value, dict | list) for value in row.values())
        found |= {(row["step"], key, float(value)) for key, value in row.items() if key != "step"}
    for event in read_jsonl(folder / "growth.jsonl"):
        numbers = {
            "event": event["event"],
            "born": sum(event["born"].values()),
            "recycled": sum(len(one) for one in event["recycled"].values()),
            "blocks": len(event["blocks_after"]),
            "parameters": event["parameters_after"],
        }
        same = ("max_abs_dlogits", "loss_before_nats", "loss_after_nats", "seconds")
        numbers |= {key: event[key] for key in same}
        found |= {(event["step"], f"growth/{key}", float(value)) for key, value in numbers.items()}
    return found


# ---------------------------------------------------------------- what they are told


def test_every_tracker_is_told_what_the_folder_gets(settings, fake_trackers, monkeypatch, capsys):
    monkeypatch.setenv("A_SECRET", "do-not-tell")
    folder, said = train([*settings, ALL, "name.study=${oc.env:A_SECRET}"])
    assert "switched off" not in said and "talkative" not in capsys.readouterr().out
    expected, result = written(folder), read_json(folder / "result.json")
    assert len({name for _, name, _ in expected}) > 12
    reasons = [event["reason"] for event in read_jsonl(folder / "growth.jsonl")]
    for name, told in fake_trackers.items():
        assert {one for one in told.numbers if not one[1].startswith("result/")} == expected, name
        last = {key: value for _, key, value in told.numbers if key.startswith("result/")}
        assert last["result/parameters/final"] == result["parameters"]["final"]
        assert last["result/seconds"] == result["seconds"]
        assert last["result/growth_events"] == len(reasons) == 2
        assert all(any(reason in text for _, text in told.texts) for reason in reasons)
    ends = {name: told.ended for name, told in fake_trackers.items()}
    assert ends == {"mlflow": ["FINISHED"], "tensorboard": [None], "trackio": [None], "wandb": [0]}
    assert_nothing_leaves_the_machine(fake_trackers, folder.resolve())


def assert_nothing_leaves_the_machine(trackers, folder: Path) -> None:
    opened = {name: told.opened[0] for name, told in trackers.items()}
    assert opened["wandb"]["mode"] == "offline" and opened["wandb"]["dir"] == str(folder)
    assert opened["mlflow"]["uri"] == f"sqlite:///{folder}/mlflow.db"
    assert opened["tensorboard"]["log_dir"] == str(folder / "tensorboard")
    assert not {"space_id", "server_url"} & opened["trackio"].keys()
    settings = [json.dumps(opened[name]["config"]) for name in ("wandb", "trackio")]
    settings += [" ".join(text for _, text in trackers[name].texts) for name in ("mlflow", "tensorboard")]
    for text in settings:
        assert "A_SECRET" in text and "do-not-tell" not in text


@pytest.mark.slow
def test_a_resumed_run_goes_on_where_it_is_tracked(settings, fake_trackers, monkeypatch, tmp_path):
    log, stop = RunFolder.log, True

    def log_or_fail(self, row):
        if row["step"] == 5 and stop:
            raise RuntimeError("the power is gone")
        log(self, row)

    monkeypatch.setattr(RunFolder, "log", log_or_fail)
    with pytest.raises(RuntimeError, match="power"):
        train([*settings, ALL])
    folder, stop = next((tmp_path / "outputs").glob("*/*/*/config.yaml")).parent, False
    train([], resume=str(folder))
    ids = read_json(folder / "trackers.json")
    first, second = ({name: told.opened[n] for name, told in fake_trackers.items()} for n in (0, 1))
    assert first["wandb"]["id"] is None and second["wandb"]["id"] == "given-by-wandb" == ids["wandb"]
    assert second["mlflow"]["id"] == "given-by-mlflow" == ids["mlflow"]
    assert second["trackio"]["name"] == first["trackio"]["name"] == ids["trackio"]
    assert (first["trackio"]["resume"], second["trackio"]["resume"]) == ("never", "must")
    # The checkpoint is of step 4, so from step 5 on everything is told anew.
    assert (first["tensorboard"]["purge_step"], second["tensorboard"]["purge_step"]) == (None, 5)
    assert fake_trackers["mlflow"].ended == ["FAILED", "FINISHED"]
    assert fake_trackers["wandb"].ended == [1, 0]
    steps = {step for step, name, _ in fake_trackers["wandb"].numbers if name == "loss"}
    assert steps == {1, 2, 3, 4, 5, 6}


# ---------------------------------------------------------------- how they fail


class Exploding:
    """A sink that spoils what it can reach, and fails at one moment."""

    id = "x"

    def __init__(self, moment):
        self.moment, self.calls = moment, []

    def __call__(self, facts):
        facts.settings.clear()
        self._at("open")
        return self

    def _at(self, moment):
        self.calls.append(moment)
        if moment == self.moment:
            raise ValueError(f"boom at {moment}\nand more")

    def log(self, step, numbers):
        numbers.clear()
        self._at("log")

    def event(self, record):
        record.born.clear()
        record.recycled.clear()
        self._at("event")

    def finish(self, step, status, result):
        self._at("finish")


@pytest.mark.slow
def test_a_tracker_that_fails_is_said_once_and_changes_nothing(
    settings, fake_trackers, monkeypatch, tmp_path
):
    untracked, said = train([*settings, f"output_dir={tmp_path / 'untracked'}"])
    assert "switched off" not in said and not (untracked / "trackers.json").exists()
    sinks = {TensorBoard: "open", Mlflow: "log", Trackio: "event", Wandb: "finish"}
    for cls, moment in sinks.items():
        sinks[cls] = Exploding(moment)
        monkeypatch.setattr(cls, "open", sinks[cls])
    folder, said = train([*settings, ALL])
    assert said.count("switched off") == 4
    for cls, sink in sinks.items():
        start = f"tracker={cls.package}: switched off, the run goes on without it."
        assert said.count(f"{start} ValueError: boom at {sink.moment}") == 1
        assert sink.calls.count(sink.moment) == 1 and sink.calls[-1] == sink.moment, "asked nothing more"
    assert sinks[Wandb].calls.count("log") > sinks[Mlflow].calls.count("log"), "the others go on"
    assert read_json(folder / "result.json")["status"] == "finished"
    assert folder.parent.name == untracked.parent.name, "the run is the same run"
    assert_same(folder, untracked)


def test_a_missing_library_is_said_before_the_run_starts(settings, tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "wandb" else found(name))
    with pytest.raises(ConfigError, match=r"tracker=wandb.*pip install wandb.*foam-cli\[trackers\]"):
        train([*settings, "tracker=wandb"])
    assert not (tmp_path / "outputs").exists()


def test_a_folder_called_wandb_is_no_library(settings, tmp_path, monkeypatch):
    (tmp_path / "wandb").mkdir()
    (tmp_path / "trackio").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    for name in ("wandb", "trackio"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        with pytest.raises(ConfigError, match=f"tracker={name}: {name} is not installed"):
            train([*settings, f"tracker={name}"])


def test_what_is_no_tracker_is_refused():
    made = config.compose(["tracker=tensorboard", "hardware=cpu"]).values
    made["tracker"]["mine"] = {"project": "foam"}
    with pytest.raises(ConfigError, match=r"tracker\.mine: is no tracker"):
        build_settings(made)


def test_a_tracker_makes_no_other_run_of_it():
    plain, tracked = (config.compose(["hardware=cpu", f"tracker={one}"]).values for one in ("none", "mlflow"))
    assert run_id(plain) == run_id(tracked)


# ---------------------------------------------------------------- for real


def test_tensorboard_for_real(settings):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder, said = train([*settings, "tracker=tensorboard"])
    assert "switched off" not in said
    read = EventAccumulator(str(folder / "tensorboard"))
    read.Reload()
    shown = {(one.step, one.value) for one in read.Scalars("loss")}
    rows = [row for row in read_jsonl(folder / "metrics.jsonl") if "loss" in row]
    assert shown == {(row["step"], torch.tensor(row["loss"]).item()) for row in rows}
