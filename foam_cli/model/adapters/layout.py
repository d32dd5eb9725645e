"""What an adapter states about a feed-forward layout, and the views that follow from it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import nn


@dataclass(frozen=True, kw_only=True)
class FFNLayout:
    """The attribute names of one family of feed-forward modules.

    Attributes:
        up: The in-projection (the ungated one where there are two).
        gate: The gated in-projection, whose output goes through the activation; None where the FFN is plain.
        down: The out-projection.
        activation: The activation function.
        transposed: Weights are stored [in, out] as GPT-2's `Conv1D` does, instead of [out, in].
    """

    up: str
    gate: str | None
    down: str
    activation: str
    transposed: bool

    def matches(self, module: nn.Module) -> bool:
        """Recognise a module by what it holds, whatever its class is called.

        Args:
            module: Any module.

        Returns:
            Whether it is a feed-forward module of this layout.
        """
        children = dict(module.named_children())
        names = [name for name in (self.up, self.gate, self.down) if name is not None]
        if not all(name in children for name in names) or not callable(
            getattr(module, self.activation, None)
        ):
            return False
        return all(self._is_projection(children[name]) for name in names)

    def _is_projection(self, module: nn.Module) -> bool:
        weight = getattr(module, "weight", None)
        is_matrix = isinstance(weight, torch.Tensor) and weight.ndim == 2
        return is_matrix and isinstance(module, nn.Linear) != self.transposed


@dataclass(frozen=True)
class FFNViews:
    """The neurons of a pretrained FFN, seen in one orientation whatever its layout: one row per neuron.

    The tensors are views of the parameters: writing to them writes to the model.

    Attributes:
        module: The feed-forward module.
        layout: Its layout.
    """

    module: nn.Module
    layout: FFNLayout

    @property
    def up(self) -> nn.Module:
        """The in-projection."""
        return self.module.get_submodule(self.layout.up)

    @property
    def gate(self) -> nn.Module | None:
        """The gated in-projection, or None where the FFN is plain."""
        return None if self.layout.gate is None else self.module.get_submodule(self.layout.gate)

    @property
    def down(self) -> nn.Module:
        """The out-projection; its input is the activity of the neurons."""
        return self.module.get_submodule(self.layout.down)

    @property
    def activation(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """The activation function."""
        return getattr(self.module, self.layout.activation)

    @property
    def up_FD(self) -> Float[torch.Tensor, "F D"]:
        """In-rows of the in-projection."""
        return self._rows(self.up)

    @property
    def gate_FD(self) -> Float[torch.Tensor, "F D"] | None:
        """In-rows of the gate, or None where the FFN is plain."""
        return None if self.gate is None else self._rows(self.gate)

    @property
    def down_FD(self) -> Float[torch.Tensor, "F D"]:
        """Out-columns, one row per neuron."""
        weight = self.down.get_parameter("weight").detach()
        return weight if self.layout.transposed else weight.T

    @property
    def bias_F(self) -> Float[torch.Tensor, " F"] | None:
        """Biases of a plain FFN's in-projection; None where it has none, and where the FFN is gated."""
        bias = getattr(self.up, "bias", None)
        return None if bias is None or self.gate is not None else bias.detach()

    @property
    def width(self) -> int:
        """Number of pretrained neurons (F)."""
        return self.up_FD.shape[0]

    @property
    def hidden_size(self) -> int:
        """Size of the residual stream (D)."""
        return self.up_FD.shape[1]

    def neuron_parameters(self) -> list[tuple[nn.Parameter, int]]:
        """Every parameter that holds something of a single neuron.

        Returns:
            The parameters, each with the dimension along which its neurons lie.
        """
        found: list[tuple[nn.Parameter, int]] = []
        for projection in (self.up, self.gate):
            if projection is not None:
                found.append((projection.get_parameter("weight"), 1 if self.layout.transposed else 0))
                if getattr(projection, "bias", None) is not None:
                    found.append((projection.get_parameter("bias"), 0))
        found.append((self.down.get_parameter("weight"), 0 if self.layout.transposed else 1))
        return found

    def _rows(self, projection: nn.Module) -> torch.Tensor:
        weight = projection.get_parameter("weight").detach()
        return weight.T if self.layout.transposed else weight
