"""What penalties on weights share: copies of weights, and springs between a weight and its copy."""

from collections.abc import Mapping

import torch
from torch import nn

from foam_cli.core.errors import ConfigError
from foam_cli.core.settings import Settings


def copies(parameters: Mapping[str, nn.Parameter]) -> dict[str, torch.Tensor]:
    """Remember weights.

    Args:
        parameters: The parameters by name.

    Returns:
        Copies in the weights' own dtype, named `anchor.NAME`.
    """
    return {f"anchor.{name}": parameter.detach().clone() for name, parameter in parameters.items()}


def copies_bytes(parameters: Mapping[str, nn.Parameter]) -> int:
    """The memory of `copies`.

    Args:
        parameters: The parameters by name.

    Returns:
        Bytes.
    """
    return sum(parameter.numel() * parameter.element_size() for parameter in parameters.values())


@torch.no_grad()
def pull(
    parameter: nn.Parameter, strength: float, anchor: torch.Tensor | None, stiffness: torch.Tensor | None
) -> torch.Tensor:
    """Add the gradient of ½ strength Σ_i stiffness_i (θ_i - anchor_i)² to a parameter's gradient.

    Only parameters whose gradient is there already are pulled: no other one is stepped.

    Args:
        parameter: θ.
        strength: A factor.
        anchor: Where it is pulled to, or None for zero.
        stiffness: A factor for every weight, or None for 1.

    Returns:
        The penalty, in fp32 or what is wider.
    """
    moved = parameter.to(torch.promote_types(parameter.dtype, torch.float32))
    moved = moved if anchor is None else moved - anchor
    force = strength * moved if stiffness is None else strength * moved * stiffness
    if parameter.grad is not None:
        parameter.grad.add_(force)
    return 0.5 * (force * moved).sum()


def require_moving_core(name: str, settings: Settings) -> None:
    """Refuse an anchor for weights that do not move, or that growth itself moves away from it.

    Args:
        name: The setting that anchors pretrained weights.
        settings: The configuration.

    Raises:
        ConfigError: The core is frozen, or newborn neurons take a part of it over.
    """
    trained = settings.train.parameters
    if trained in ("grown", "lora"):
        raise ConfigError(
            f"{name}: holds pretrained weights, and train={trained} trains none, so it has no effect. Use "
            "train=ffn or train=full."
        )
    initializer = getattr(settings.growth, "initializer", None)
    if getattr(initializer, "edits_sources", False):
        raise ConfigError(
            f"{name}: holds pretrained weights where they were, and growth.initializer="
            f"{type(initializer).__name__} divides some of them between a neuron and its copy: the two would "
            "pull against each other. Choose another initializer, such as growth.initializer=copy_noise."
        )
