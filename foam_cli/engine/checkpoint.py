"""Checkpoints: a folder of safetensors and JSON, written aside and renamed, verified when it is read.

`growth.json` comes first: it says how to rebuild the model before any tensor is read. A SHA-256 manifest
covers every file, because neither safetensors nor JSON notices a flipped bit.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from foam_cli.core.errors import CheckpointError
from foam_cli.core.files import folder_written_aside, read_json, sha256_file, write_json
from foam_cli.engine.state import RunState

Tensors = dict[str, torch.Tensor]

_MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        state: Everything that is not a tensor.
        model: Tensors of the model that differ from the base model's, by name.
        optimizer: Tensors of the optimizers, by name.
        optimizer_scalars: Whatever else the optimizers need, as plain data.
        rng: State of torch's generators, for models with dropout.
        base_sha256: The base model that the run started from.
    """

    state: RunState
    model: Tensors
    optimizer: Tensors
    optimizer_scalars: dict[str, Any]
    rng: Tensors
    base_sha256: str


def save(folder: Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Write a checkpoint and drop the oldest ones.

    Args:
        folder: The run's `checkpoints` folder.
        checkpoint: What to write.
        keep: How many checkpoints to keep, this one included.

    Returns:
        The new checkpoint's folder.

    Raises:
        CheckpointError: It cannot be written; earlier checkpoints are untouched.
    """
    target = folder / f"step_{checkpoint.state.step:08d}"
    try:
        with folder_written_aside(target, may_replace=lambda _: True) as aside:
            write_json(
                aside / "growth.json", [record["step"] for record in checkpoint.state.as_dict()["records"]]
            )
            write_json(
                aside / "state.json", {**checkpoint.state.as_dict(), "base_sha256": checkpoint.base_sha256}
            )
            write_json(aside / "optimizer.json", checkpoint.optimizer_scalars)
            for name in ("model", "optimizer", "rng"):
                save_file(_savable(getattr(checkpoint, name)), aside / f"{name}.safetensors")
            hashes = {file.name: sha256_file(file) for file in sorted(aside.iterdir())}
            write_json(aside / _MANIFEST, hashes)
    except OSError as error:
        raise CheckpointError(
            f"{target}: cannot be written: {error}. The earlier checkpoints are whole; free some space and "
            f"continue with --resume {folder.parent}."
        ) from error
    for old in sorted(folder.glob("step_*"))[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def _savable(tensors: Mapping[str, torch.Tensor]) -> Tensors:
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def damage(folder: Path) -> str | None:
    """Check a checkpoint against its manifest.

    Args:
        folder: The checkpoint.

    Returns:
        What is wrong with it, or None.
    """
    try:
        hashes = read_json(folder / _MANIFEST)
    except (OSError, ValueError) as error:
        return f"its manifest cannot be read ({error})"
    for name, expected in hashes.items():
        file = folder / name
        if not file.is_file():
            return f"{name} is missing"
        if sha256_file(file) != expected:
            return f"{name} has changed since it was written"
    return None


def load_newest(folder: Path, warn: Callable[[str], None]) -> Checkpoint | None:
    """Read the newest checkpoint that is whole.

    Args:
        folder: The run's `checkpoints` folder.
        warn: Told of every damaged checkpoint that is passed over.

    Returns:
        The checkpoint, or None where none has been written yet.

    Raises:
        CheckpointError: There are checkpoints, and all of them are damaged.
    """
    candidates = sorted(folder.glob("step_*"), reverse=True)
    for candidate in candidates:
        wrong = damage(candidate)
        if wrong is None:
            return _read(candidate)
        warn(f"Checkpoint {candidate} is damaged: {wrong}. Trying the one before.")
    if candidates:
        raise CheckpointError(f"{folder}: every checkpoint is damaged. Start the run anew.")
    return None


def _read(folder: Path) -> Checkpoint:
    values = read_json(folder / "state.json")
    base_sha256 = values.pop("base_sha256")
    return Checkpoint(
        state=RunState.from_dict(values),
        model=load_file(folder / "model.safetensors"),
        optimizer=load_file(folder / "optimizer.safetensors"),
        optimizer_scalars=read_json(folder / "optimizer.json"),
        rng=load_file(folder / "rng.safetensors"),
        base_sha256=base_sha256,
    )


def copy_by_name(source: Tensors, target: Mapping[str, torch.Tensor], what: str) -> None:
    """Copy tensors into tensors of the same name, shape and dtype; anything else is an error.

    Args:
        source: From a checkpoint.
        target: The live tensors.
        what: What they are, for messages.

    Raises:
        CheckpointError: A name is missing or unknown, or a shape or dtype differs.
    """
    if source.keys() != target.keys():
        odd = sorted(source.keys() ^ target.keys())
        raise CheckpointError(
            f"{what}: the checkpoint and the run differ in {len(odd)} tensors, e.g. {odd[0]}."
        )
    with torch.no_grad():
        for name, tensor in source.items():
            live = target[name]
            if tensor.shape != live.shape or tensor.dtype != live.dtype:
                raise CheckpointError(
                    f"{what}: {name} is {tuple(tensor.shape)} {tensor.dtype} in the checkpoint and "
                    f"{tuple(live.shape)} {live.dtype} in the run."
                )
            live.copy_(tensor)
