"""A change that should not change results shows the same losses: compared with losses.json.

Where a change is meant to change them, write them anew and say why in the commit:

    FOAM_UPDATE_GOLDEN=1 pytest tests/golden
"""

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from foam_cli.core.files import read_json, read_jsonl, write_json
from foam_cli.engine.display import Display
from foam_cli.engine.run import run_training

FILE = Path(__file__).parent / "losses.json"
ARMS = {
    "full fine-tuning": ["growth=none", "train=full", "replay=none"],
    "v3": ["growth.trigger.cooldown_steps=5", "growth.max_neurons_per_event=3", "growth.track_every_steps=2"],
    "frozen core": ["growth=grow_only", "growth.trigger.cooldown_steps=5", "train=grown"],
    "blocks": [
        "growth=block_schedule", "train=ffn", "growth.trigger.every_steps=5",
        "growth.placement.every_blocks=1",
    ],
    "8-bit, bf16": ["hardware.precision=bf16", "hardware.optimizer=adamw8bit"],
}  # fmt: skip


@pytest.mark.parametrize("arm", ARMS)
def test_losses_are_what_they_were(arm: str, tiny_folder: Path, chat_file: Path, tmp_path: Path) -> None:
    settings = [
        f"model.path={tiny_folder}", f"data.path={chat_file}", f"output_dir={tmp_path}", "hardware=cpu",
        "hardware.threads=1", "train.steps=16", "train.batch_tokens=256", "train.log_every_steps=1",
        "train.accumulate=1", "train.lr=5e-3", "train.grown_lr=5e-3", "evaluation=none", "export=none",
    ]  # fmt: skip
    folder = run_training(
        [*settings, *ARMS[arm]], Display(Console(file=io.StringIO())), command="foam train"
    ).folder
    losses = [row["loss"] for row in read_jsonl(folder / "metrics.jsonl") if "loss" in row]
    golden = read_json(FILE) if FILE.exists() else {}
    if os.environ.get("FOAM_UPDATE_GOLDEN"):
        golden[arm] = losses
        write_json(FILE, golden)
    # bf16 rounds differently where a processor has other instructions for it.
    assert losses == pytest.approx(golden[arm], rel=2e-2 if "bf16" in arm else 1e-4)
