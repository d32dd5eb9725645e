"""A run that was killed and resumed ends bit-identical to one that was never killed."""

import io
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from foam_cli.core.errors import CheckpointError
from foam_cli.core.files import read_json, read_jsonl
from foam_cli.engine import run as engine
from foam_cli.engine.display import Display
from foam_cli.engine.folder import RunFolder


class Killed(BaseException):
    """Stands for SIGKILL: nothing of foam's may catch it."""


def start(settings: list[str], resume: str | None = None) -> Path:
    display = Display(Console(file=io.StringIO()))
    return engine.run_training(settings, display, command="foam train", resume=resume).folder


def folder_of(settings: list[str]) -> Path:
    outputs = next(s.split("=", 1)[1] for s in settings if s.startswith("output_dir="))
    return next(Path(outputs).glob("*/*/*/config.yaml")).parent


def kill_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill the run while it logs a step: the step is taken, its checkpoint is not."""
    log = RunFolder.log

    def log_or_die(self: RunFolder, row: dict) -> None:
        if row["step"] == step:
            raise Killed
        log(self, row)

    monkeypatch.setattr(RunFolder, "log", log_or_die)


def outcome(folder: Path) -> tuple[dict[str, torch.Tensor], list[dict], list[dict]]:
    """Everything of a finished run that must not depend on having been killed."""
    checkpoint = sorted((folder / "checkpoints").iterdir())[-1]
    names = ("model", "optimizer", "rng")
    tensors = {f"{n}/{k}": v for n in names for k, v in load_file(checkpoint / f"{n}.safetensors").items()}
    timings = ("tokens_per_second", "seconds")
    metrics = [
        {k: v for k, v in row.items() if k not in timings} for row in read_jsonl(folder / "metrics.jsonl")
    ]
    growth = [
        {k: v for k, v in row.items() if k not in timings} for row in read_jsonl(folder / "growth.jsonl")
    ]
    return tensors, metrics, growth


def assert_identical(one: Path, other: Path) -> None:
    tensors, metrics, growth = outcome(one)
    other_tensors, other_metrics, other_growth = outcome(other)
    assert tensors.keys() == other_tensors.keys()
    assert len(tensors) > 20
    for name, tensor in tensors.items():
        assert torch.equal(tensor, other_tensors[name]), name
    assert metrics == other_metrics
    assert growth == other_growth


REGULARIZERS = ["regularizer.ewc.num_examples=3", "regularizer.l2_init.beta=0.1", "OLD"]
VARIANTS: dict[str, list[str]] = {
    "v3": [],
    "frozen core": ["train=grown"],
    "8-bit Adam": ["hardware.optimizer=adamw8bit", "train=full"],
    "Muon": ["hardware.optimizer=muon", "train=full"],
    "bf16 weights": ["hardware.precision=bf16"],
    "bf16 autocast": ["hardware.precision=bf16_autocast"],
    "blocks": ["growth=block_schedule", "growth.trigger.every_steps=6", "growth.placement.every_blocks=1"],
    "blocks, all learns": ["growth=block_schedule", "train=full", "growth.trigger.every_steps=6"],
    "split, frozen core": ["train=grown", "growth.initializer=split"],
    "split, bf16 weights": ["hardware.precision=bf16", "growth.initializer=split"],
    "gradmax": ["growth.initializer=gradmax"],
    "tiny, bf16 weights": ["growth.initializer=tiny", "hardware.precision=bf16"],
    "nullspace": ["growth.initializer=nullspace", "OLD"],
    "regularizers": ["regularizer=[distillation,ewc,l2_init]", *REGULARIZERS],
    "regularizers, bf16 weights": [
        "regularizer=[distillation,ewc,l2_init]", "train=full", *REGULARIZERS, "hardware.precision=bf16",
        "train.accumulate=2",
    ],
    "regularizers, blocks": [
        "growth=block_schedule", "growth.trigger.every_steps=6", "growth.placement.every_blocks=1",
        "regularizer=[distillation,ewc,l2_init]", "train=full", *REGULARIZERS,
    ],
    "regularizers, frozen core": [
        "train=grown", "growth.recycling=none", "regularizer=[distillation,l2_init]", "OLD",
        "regularizer.l2_init.alpha=null", "regularizer.l2_init.beta=0.1",
    ],
    "plateau": ["growth.trigger=plateau", "growth.trigger.patience=2", "growth.trigger.min_delta_nats=9"],
    "loss-weighted": ["replay=loss_weighted"],
    "loss-weighted, old data, bf16": ["replay=loss_weighted", "hardware.precision=bf16", "OLD"],
    "self-generated": [
        "replay=self_generated",
        "replay.num_documents=12",
        "replay.max_tokens=40",
        "replay.keep_unended=true",
    ],
    "curriculum": ["data.curriculum=difficulty", "train.accumulate=2"],
    "LoRA": ["growth=none", "train=lora"],
    "LoRA, bf16 weights": ["growth=none", "train=lora", "hardware.precision=bf16"],
    "once": ["growth=block_schedule", "growth.trigger=once", "train=grown"],
}  # fmt: skip
QUICK = ("v3",)
NEVER = ("LoRA", "LoRA, bf16 weights")
#: Events before the run is killed; elsewhere there is one before and one behind the last checkpoint.
EVENTS = {"plateau": [6, 10], "once": [0], **{one: [] for one in NEVER}}


def settings_of(variant: str, tiny_run: list[str]) -> list[str]:
    data = next(one for one in tiny_run if one.startswith("data.path="))
    extra = [one if one != "OLD" else data.replace("path", "old_path") for one in VARIANTS[variant]]
    only_neurons = ("growth.trigger.cooldown", "growth.max_neurons", "growth.track", "growth.maturation")
    if "growth.trigger=plateau" in extra:  # the first validation, at 2, sets the mark
        tiny_run = [s for s in tiny_run if "cooldown" not in s] + ["train.validate_every_steps=2"]
    if "replay=self_generated" in extra:
        tiny_run = [s for s in tiny_run if not s.startswith("replay.")]
    if "growth=none" in extra:
        tiny_run = [s for s in tiny_run if not s.startswith("growth.")]
    if "growth=block_schedule" in extra:
        tiny_run = [s for s in tiny_run if not s.startswith(only_neurons)]
    return [*tiny_run, *extra]


@pytest.mark.parametrize(
    "variant", [one if one in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in VARIANTS]
)
def test_killed_and_resumed_equals_never_killed(
    variant: str, tiny_run: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(variant, tiny_run)
    whole = start([*settings, f"output_dir={tmp_path / 'whole'}"])
    broken = [*settings, f"output_dir={tmp_path / 'broken'}"]
    with monkeypatch.context() as patch:
        kill_at(13, patch)
        with pytest.raises(Killed):
            start(broken)
    folder = folder_of(broken[-1:])
    events = read_jsonl(folder / "growth.jsonl")
    assert [event["step"] for event in events] == EVENTS.get(variant, [6, 12])
    start([], resume=str(folder))
    assert len(read_jsonl(folder / "growth.jsonl")) > len(events) or variant in ("once", *NEVER)
    assert_identical(whole, folder)


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 4, 5, 6, 7, 18, 23])
def test_killed_at_any_step(
    step: int, tiny_run: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = start([*tiny_run, f"output_dir={tmp_path / 'whole'}"])
    broken = [*tiny_run, f"output_dir={tmp_path / 'broken'}"]
    with monkeypatch.context() as patch:
        kill_at(step, patch)
        with pytest.raises(Killed):
            start(broken)
    folder = folder_of(broken[-1:])
    start([], resume=str(folder))
    assert_identical(whole, folder)


@pytest.mark.slow
def test_resume_auto_finds_the_newest_unfinished_run_of_the_same_settings(
    tiny_run: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        kill_at(8, patch)
        with pytest.raises(Killed):
            start(tiny_run)
    folder = start(tiny_run, resume="auto")
    assert folder == folder_of(tiny_run)
    assert read_json(folder / "result.json")["status"] == "finished"


@pytest.mark.slow
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(
    tiny_run: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = start([*tiny_run, f"output_dir={tmp_path / 'whole'}"])
    with monkeypatch.context() as patch:
        kill_at(13, patch)
        with pytest.raises(Killed):
            start(tiny_run)
    folder = folder_of(tiny_run)
    newest = folder / "checkpoints" / "step_00000010" / "model.safetensors"
    content = bytearray(newest.read_bytes())
    content[-3] ^= 1  # one bit of one weight: neither safetensors nor torch would notice
    newest.write_bytes(content)
    output = io.StringIO()
    engine.run_training([], Display(Console(file=output, width=500)), command="", resume=str(folder))
    assert "step_00000010 is damaged: model.safetensors has changed" in output.getvalue()
    assert "Continuing at step 5" in output.getvalue()
    assert_identical(whole, folder)


def test_all_checkpoints_damaged_is_an_error(tiny_run: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        kill_at(8, patch)
        with pytest.raises(Killed):
            start(tiny_run)
    folder = folder_of(tiny_run)
    for manifest in (folder / "checkpoints").glob("*/manifest.json"):
        manifest.write_text("{")
    with pytest.raises(CheckpointError, match="every checkpoint is damaged"):
        start([], resume=str(folder))


def _running(settings: list[str], wait_for: Callable[[], bool]) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-m", "foam_cli.cli.main", "train", *settings],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not wait_for():
        assert process.poll() is None, process.communicate()[0].decode()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_leaves_with_its_own_exit_code(
    number: signal.Signals, tiny_run: list[str], tmp_path: Path
) -> None:
    long_run = [*tiny_run, "train.steps=200"]
    whole = start([*long_run, f"output_dir={tmp_path / 'whole'}"])

    def has_trained() -> bool:
        return any(len(read_jsonl(f)) > 20 for f in (tmp_path / "outputs").glob("*/*/*/metrics.jsonl"))

    process = _running(long_run, has_trained)
    process.send_signal(number)
    output = process.communicate(timeout=60)[0].decode()
    assert process.returncode == 3, output
    folder = folder_of(long_run)
    assert read_json(folder / "result.json")["status"] == "interrupted"
    assert f"foam train --resume {folder}" in output.replace("\n", "")
    start([], resume=str(folder))
    assert_identical(whole, folder)


@pytest.mark.slow
def test_sigkill_loses_nothing(tiny_run: list[str], tmp_path: Path) -> None:
    long_run = [*tiny_run, "train.steps=200"]
    whole = start([*long_run, f"output_dir={tmp_path / 'whole'}"])

    def has_trained() -> bool:
        return any(len(read_jsonl(f)) > 40 for f in (tmp_path / "outputs").glob("*/*/*/metrics.jsonl"))

    process = _running(long_run, has_trained)
    process.kill()
    process.communicate()
    folder = folder_of(long_run)
    start([], resume=str(folder))
    assert_identical(whole, folder)
