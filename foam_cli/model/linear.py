"""A single linear layer seen as a feed-forward module, so that neurons can grow beside it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import nn

from foam_cli.model.adapters.layout import FFNLayout, FFNViews

#: Where a growable linear layer keeps what an FFN keeps.
LINEAR_LAYOUT = FFNLayout(up="", gate=None, down="outputs", activation="activation", transposed=False)


@dataclass(frozen=True)
class LinearViews(FFNViews):
    """The rows of a linear layer as neurons: row i is an in-row, and its out-column is the unit vector e_i.

    y = Σ_i e_i (w_i x + b_i) holds exactly. Such neurons have no activation function, and `down` is the
    identity that the outputs go through.
    """

    @property
    def down_FD(self) -> Float[torch.Tensor, "F E"]:
        """Unit vectors; a matrix of the square of the number of outputs, made when it is asked for."""
        weight = self.up.get_parameter("weight")
        return torch.eye(self.width, dtype=weight.dtype, device=weight.device)

    @property
    def bias_F(self) -> None:
        """None: grown neurons have no bias of their own."""

    @property
    def width(self) -> int:
        """Number of outputs."""
        return self.up.get_parameter("weight").shape[0]

    @property
    def output_size(self) -> int:
        """Number of outputs."""
        return self.width

    def projections(self) -> list[nn.Module]:
        """The modules that hold the neurons.

        Returns:
            The layer and the identity.
        """
        return [self.up, self.down]

    def neuron_parameters(self) -> list[tuple[nn.Parameter, int]]:
        """Every parameter that holds something of a single neuron.

        Returns:
            Weight and bias, each with the dimension along which its neurons lie.
        """
        return [(parameter, 0) for parameter in self.up.parameters(recurse=False)]
