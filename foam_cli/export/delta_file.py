"""The file of a growth delta: tensors by name, the rest as metadata, all under one checksum."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from foam_cli.core.errors import ModelError

_FORMAT = "foam_growth_delta 1"


@dataclass(frozen=True, kw_only=True)
class Delta:
    """What growth added to a base.

    Attributes:
        births: For each block of the grown model the step after which it was inserted; None: pretrained.
        tensors: `N.bank.ROWS`: living slots of block N; `N.block.NAME`: tensors of block N, where it is new.
        base_fingerprint: By which the base is known.
        provenance: What the run says about itself, for people.
    """

    births: list[int | None]
    tensors: dict[str, torch.Tensor]
    base_fingerprint: str
    provenance: dict[str, str]

    def part(self, prefix: str) -> dict[str, torch.Tensor]:
        """Select tensors.

        Args:
            prefix: How their names begin.

        Returns:
            The tensors, by the rest of their names.
        """
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(prefix)
        }


def write_delta(file: Path, delta: Delta) -> None:
    """Write a delta.

    Args:
        file: Where.
        delta: What.
    """
    metadata = {
        "format": _FORMAT,
        "sha256": digest(delta.tensors),
        "base_fingerprint": delta.base_fingerprint,
        "births": json.dumps(delta.births),
        "provenance": json.dumps(delta.provenance),
    }
    save_file(delta.tensors, file, metadata=metadata)


def read_delta(file: Path) -> Delta:
    """Read a delta and check that it is whole.

    Args:
        file: Where it is.

    Returns:
        What it holds.

    Raises:
        ModelError: There is no such file, it is damaged, or it is no delta.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            metadata: dict[str, str] = opened.metadata() or {}
            # what is opened has keys, but is no mapping that could be gone through
            tensors: dict[str, torch.Tensor] = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{file}: cannot be read as a growth delta: {error}") from error
    if metadata.get("format") != _FORMAT:
        raise ModelError(f"{file}: is no growth delta; foam export RUN format=delta writes one")
    if metadata["sha256"] != digest(tensors):
        raise ModelError(f"{file}: is damaged, its checksum does not fit; copy or export it again")
    return Delta(
        births=json.loads(metadata["births"]),
        tensors=tensors,
        base_fingerprint=metadata["base_fingerprint"],
        provenance=json.loads(metadata["provenance"]),
    )


def digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """Hash tensors.

    Args:
        tensors: The tensors by name; their order does not matter.

    Returns:
        SHA-256 in hex over names, shapes, types and values.
    """
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        total.update(tensor.view(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()
