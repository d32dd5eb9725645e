"""What a plain architecture, built anew from its config, makes of each block: an export has nothing else."""

from typing import Any

import torch
from torch import nn

from foam_cli.core.errors import ModelError
from foam_cli.model.sites import find_blocks

#: What a block knows of its own place, which changes when it moves.
_PLACE = "layer_idx"


def block_settings(model: nn.Module) -> list[dict[str, Any]]:
    """Build the model's class from its config, on the meta device, and read the plain settings of its blocks.

    Args:
        model: A causal language model of transformers; only its class and its config are used.

    Returns:
        For each block its modules' numbers, flags and words by dotted name, save its own number.

    Raises:
        ModelError: The class cannot be built from the config.
    """
    plain_class: Any = type(model)
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            plain = plain_class(model.config)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{plain_class.__name__} cannot be built from its config with "
            f"{len(find_blocks(model)[1])} blocks, so a grown one could not be loaded: {error}"
        ) from error
    return [_settings(block) for block in find_blocks(plain)[1]]


def _settings(block: nn.Module) -> dict[str, Any]:
    return {
        f"{path}.{name}": value
        for path, module in block.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, bool | int | float | str) and name != _PLACE
    }
