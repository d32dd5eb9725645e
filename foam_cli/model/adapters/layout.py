"""What an adapter states about a feed-forward layout, and the views that follow from it."""

from collections.abc import Callable, Sequence
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
            The same name as `up` says that one projection holds both, the gate's rows first.
        down: The out-projection.
        activation: The activation function.
        transposed: Weights are stored [in, out] as GPT-2's `Conv1D` does, instead of [out, in].
    """

    up: str
    gate: str | None
    down: str
    activation: str
    transposed: bool

    @property
    def is_fused(self) -> bool:
        """Whether gate and up are the two halves of one projection."""
        return self.gate == self.up

    def matches(self, module: nn.Module) -> bool:
        """Recognise a module by what it holds, whatever its class is called.

        Args:
            module: Any module.

        Returns:
            Whether it is a feed-forward module of this layout.
        """
        names = {name for name in (self.up, self.gate, self.down) if name is not None}
        matrices = {name: child for name, child in module.named_children() if _is_matrix(child)}
        if matrices.keys() != names or not callable(getattr(module, self.activation, None)):
            return False
        if any(isinstance(child, nn.Linear) == self.transposed for child in matrices.values()):
            return False
        neurons = {name: _shape(child)[self._side(name)] for name, child in matrices.items()}
        width = neurons.pop(self.down)
        return all(number == width * (2 if self.is_fused else 1) for number in neurons.values())

    def _side(self, name: str) -> int:
        """The dimension of a projection's weight along which its neurons lie."""
        return int((name == self.down) != self.transposed)


@dataclass(frozen=True, kw_only=True)
class PostNorms:
    """The attribute names of norms between a block's branches and the residual stream they are added to.

    Attributes:
        attention: The norm after the attention.
        ffn: The norm after the FFN.
    """

    attention: str
    ffn: str


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
        return self._in_rows(self.up.get_parameter("weight").detach(), of_gate=False)

    @property
    def gate_FD(self) -> Float[torch.Tensor, "F D"] | None:
        """In-rows of the gate, or None where the FFN is plain."""
        if self.gate is None:
            return None
        return self._in_rows(self.gate.get_parameter("weight").detach(), of_gate=True)

    @property
    def down_FD(self) -> Float[torch.Tensor, "F D"]:
        """Out-columns, one row per neuron."""
        weight = self.down.get_parameter("weight").detach()
        return weight if self.layout.transposed else weight.T

    @property
    def bias_F(self) -> Float[torch.Tensor, " F"] | None:
        """Biases of the in-projection; None where it has none."""
        bias = getattr(self.up, "bias", None)
        return None if bias is None else self._in_rows(bias.detach(), of_gate=False)

    @property
    def gate_bias_F(self) -> Float[torch.Tensor, " F"] | None:
        """Biases of the gate; None where it has none, and where the FFN is plain."""
        bias = getattr(self.gate, "bias", None)
        return None if bias is None else self._in_rows(bias.detach(), of_gate=True)

    @property
    def width(self) -> int:
        """Number of pretrained neurons (F)."""
        return self.down_FD.shape[0]

    @property
    def hidden_size(self) -> int:
        """Size of the residual stream (D)."""
        return self.up_FD.shape[1]

    @property
    def output_size(self) -> int:
        """Length of an out-column (D as well, but beside a single linear layer)."""
        return self.down_FD.shape[1]

    def output(self, x: Float[torch.Tensor, "*B D"]) -> Float[torch.Tensor, "*B D"]:
        """Compute the FFN as its layout says that it is computed.

        Args:
            x: Input of the FFN.

        Returns:
            Its output, without any dropout.
        """
        up = self.up(x)
        if self.gate is None:
            return self.down(self.activation(up))
        gate, up = up.chunk(2, dim=-1) if self.layout.is_fused else (self.gate(x), up)
        return self.down(self.activation(gate) * up)

    def projections(self) -> list[nn.Module]:
        """The modules that hold the neurons.

        Returns:
            In-projections and out-projection, a fused one once.
        """
        found = (self.up, self.gate, self.down)
        return [one for one in dict.fromkeys(found) if one is not None]

    def neuron_parameters(self) -> list[tuple[nn.Parameter, int]]:
        """Every parameter that holds something of a single neuron.

        Returns:
            The parameters, each with the dimension along which its neurons lie; see `places`.
        """
        found: list[tuple[nn.Parameter, int]] = []
        for projection in self.projections()[:-1]:
            found.append((projection.get_parameter("weight"), 1 if self.layout.transposed else 0))
            if getattr(projection, "bias", None) is not None:
                found.append((projection.get_parameter("bias"), 0))
        found.append((self.down.get_parameter("weight"), 0 if self.layout.transposed else 1))
        return found

    def places(self, parameter: nn.Parameter, dim: int, neurons: Sequence[int]) -> list[int]:
        """Where some neurons lie in one of the `neuron_parameters`: twice where gate and up are fused.

        Args:
            parameter: The parameter.
            dim: Its dimension along which neurons lie.
            neurons: Which neurons.

        Returns:
            Indices along that dimension.
        """
        starts = range(0, parameter.shape[dim], self.width)
        return [start + neuron for start in starts for neuron in neurons]

    def in_gradients(self) -> list[Float[torch.Tensor, "F D"]]:
        """Gradients of the in-rows.

        Returns:
            Of up, and of the gate where there is one; left out where there is no gradient.
        """
        parts = [(self.up, False)] if self.gate is None else [(self.up, False), (self.gate, True)]
        gradients = [(module.get_parameter("weight").grad, of_gate) for module, of_gate in parts]
        return [self._in_rows(grad, of_gate=of_gate) for grad, of_gate in gradients if grad is not None]

    def _in_rows(self, weight: torch.Tensor, *, of_gate: bool) -> torch.Tensor:
        rows = weight.T if self.layout.transposed and weight.ndim > 1 else weight
        if not self.layout.is_fused:
            return rows
        return rows.chunk(2)[0 if of_gate else 1]


def _shape(module: nn.Module) -> torch.Size:
    return module.get_parameter("weight").shape


def _is_matrix(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return isinstance(weight, torch.Tensor) and weight.ndim == 2
