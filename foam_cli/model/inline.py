"""Blocks without a module for their FFN, such as OPT's: its parts are gathered into one."""

import torch
from jaxtyping import Float
from torch import nn

from foam_cli.model.adapters.layout import FFNLayout, FFNViews


class InlineFFN(nn.Module):
    """A plain FFN whose projections and activation were attributes of the block itself.

    Args:
        views: The FFN within its block.
    """

    def __init__(self, views: FFNViews):
        super().__init__()
        self.layout: FFNLayout = views.layout
        self.add_module(self.layout.up, views.up)
        self.add_module(self.layout.down, views.down)
        setattr(self, self.layout.activation, views.activation)

    @property
    def views(self) -> FFNViews:
        """Its neurons."""
        return FFNViews(self, self.layout)

    def forward(self, x: Float[torch.Tensor, "*B D"]) -> Float[torch.Tensor, "*B D"]:
        """Compute the whole FFN.

        Args:
            x: Input of the FFN.

        Returns:
            Its output.
        """
        return self.views.output(x)


def take_over(block: nn.Module, layout: FFNLayout, ffn: nn.Module) -> None:
    """Let a block call one module where it called three.

    The module takes the place of the in-projection; activation and out-projection become the identity. A
    dropout between them, where a family has one, now acts on the FFN's output.

    Args:
        block: The block whose attributes the parts were.
        layout: Their names.
        ffn: What shall be called.
    """
    setattr(block, layout.up, ffn)
    setattr(block, layout.activation, nn.Identity())
    setattr(block, layout.down, nn.Identity())
