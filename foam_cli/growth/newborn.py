"""Newborn neurons that are not part of a model yet: what they would add, and larger or smaller ones."""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch.nn import functional as F

from foam_cli.core.growth import NeuronBirths


def newborn_output(
    births: NeuronBirths,
    activation: Callable[[torch.Tensor], torch.Tensor],
    x: Float[torch.Tensor, "*B D"],
) -> Float[torch.Tensor, "*B D"]:
    """What newborns of one FFN would add to its output.

    Args:
        births: The newborns.
        activation: The FFN's activation.
        x: Its input.

    Returns:
        The sum over the newborns.
    """
    up = F.linear(x, births.up_GD.to(x), None if births.bias_G is None else births.bias_G.to(x))
    if births.gate_GD is None:
        hidden = activation(up)
    else:
        gate_bias = None if births.gate_bias_G is None else births.gate_bias_G.to(x)
        hidden = activation(F.linear(x, births.gate_GD.to(x), gate_bias)) * up
    return F.linear(hidden, births.down_GD.to(hidden).T)


def scaled(births: NeuronBirths, up_factor: float, down_factor: float) -> NeuronBirths:
    """Scale the linear parts of newborns; gates stay as they are.

    Args:
        births: The newborns.
        up_factor: Of in-rows and biases.
        down_factor: Of out-columns.

    Returns:
        Newborns whose output, where they are gated, is that of before times both factors.
    """
    return replace(
        births,
        up_GD=up_factor * births.up_GD,
        bias_G=None if births.bias_G is None else up_factor * births.bias_G,
        down_GD=down_factor * births.down_GD,
    )
