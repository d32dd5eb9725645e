"""Optimizer state as named tensors: checked by name, shape and dtype, never matched by position."""

from collections.abc import Mapping

import torch

from foam_cli.core.errors import CheckpointError


def check_names(found: Mapping[str, object], expected: Mapping[str, object], owner: str) -> None:
    """Refuse state that belongs to other parameters.

    Args:
        found: State by name, as it was saved.
        expected: What there has to be.
        owner: Whose state it is, for the message.

    Raises:
        CheckpointError: Names are missing or unknown.
    """
    missing, unknown = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    if missing or unknown:
        raise CheckpointError(
            f"the state of {owner} is of another model: {len(missing)} names missing (first: {missing[:1]}), "
            f"{len(unknown)} unknown (first: {unknown[:1]}); resume with the run's own configuration"
        )


def check_tensor(name: str, found: torch.Tensor, shape: torch.Size, dtype: torch.dtype) -> None:
    """Refuse a tensor that does not fit its parameter.

    Args:
        name: The tensor's name.
        found: The tensor, as it was saved.
        shape: The shape it must have.
        dtype: The dtype it must have.

    Raises:
        CheckpointError: Shape or dtype differ.
    """
    if found.shape != shape or found.dtype != dtype:
        raise CheckpointError(
            f"optimizer state {name} is {tuple(found.shape)} {found.dtype}, expected {tuple(shape)} {dtype}; "
            "resume with the run's own configuration"
        )
