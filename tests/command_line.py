"""Fixtures: the command line, run within the test's own process, and the smallest settings for it."""

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from foam_cli.cli.main import run


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def foam(monkeypatch, capfd, tmp_path) -> Callable[..., Said]:
    """Run `foam WORDS...` in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["foam", *map(str, words)])
        capfd.readouterr()
        try:
            run()
            code = 0
        except SystemExit as error:
            code = int(error.code or 0)
        return Said(code, *capfd.readouterr())

    return call


@pytest.fixture
def small(tiny_folder, chat_file) -> list[str]:
    """Settings of the smallest run that still trains and grows."""
    return [
        f"model.path={tiny_folder}", f"data.path={chat_file}", "evaluation=none", "hardware=cpu",
        "hardware.threads=1", "train.steps=6", "train.batch_tokens=256", "train.warmup_steps=1",
        "train.validate_every_steps=3", "growth.trigger=schedule", "growth.trigger.every_steps=2",
        "checkpoint.every_steps=2", "export=none",
    ]  # fmt: skip


@pytest.fixture
def tiny_run(tiny_folder, chat_file, tmp_path) -> list[str]:
    """Settings of a run that takes a second: 24 steps, a growth event every 6."""
    return [
        f"model.path={tiny_folder}",
        f"data.path={chat_file}",
        f"output_dir={tmp_path / 'outputs'}",
        "hardware=cpu",
        "hardware.precision=fp32",
        "hardware.threads=1",
        "growth.trigger.cooldown_steps=6",
        "growth.max_neurons_per_event=3",
        "growth.track_every_steps=2",
        "growth.maturation.mature_steps=10",
        "replay.max_examples=20",
        "train.steps=24",
        "train.batch_tokens=256",
        "train.log_every_steps=1",
        "train.validate_every_steps=8",
        "checkpoint.every_steps=5",
        "evaluation=none",
        "export=none",
    ]
