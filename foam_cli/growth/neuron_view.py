"""Pretrained and grown neurons of one FFN in one numbering: 0..F-1 the core, F..F+C-1 the slots."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int

from foam_cli.model.neurons import GrowableFFN


@dataclass(frozen=True, kw_only=True)
class NeuronRows:
    """Rows of neurons in fp32, copied when they are asked for; empty and recycled ones are zeros.

    Attributes:
        ffn: Whose neurons.
    """

    ffn: GrowableFFN

    @property
    def up_ND(self) -> Float[torch.Tensor, "N D"]:
        """In-rows."""
        return _joined(self.ffn.views.up_FD, self.ffn.bank.up_CD)

    @property
    def gate_ND(self) -> Float[torch.Tensor, "N D"] | None:
        """In-rows of the gate, or None where the FFN is plain."""
        return _joined_if(self.ffn.views.gate_FD, self.ffn.bank.gate_CD)

    @property
    def bias_N(self) -> Float[torch.Tensor, " N"] | None:
        """Biases of the in-projection, or None where it has none."""
        return _joined_if(self.ffn.views.bias_F, self.ffn.bank.bias_C)

    @property
    def gate_bias_N(self) -> Float[torch.Tensor, " N"] | None:
        """Biases of the gate, or None where it has none."""
        return _joined_if(self.ffn.views.gate_bias_F, self.ffn.bank.gate_bias_C)

    @property
    def down_ND(self) -> Float[torch.Tensor, "N E"]:
        """Out-columns, one row per neuron."""
        return _joined(self.ffn.views.down_FD, self.ffn.bank.down_CD)


def neuron_rows(ffn: GrowableFFN) -> NeuronRows:
    """All neurons of an FFN.

    Args:
        ffn: The FFN.

    Returns:
        Core and slots.
    """
    return NeuronRows(ffn=ffn)


def alive(ffn: GrowableFFN) -> Bool[torch.Tensor, " N"]:
    """Which neurons exist.

    Args:
        ffn: The FFN.

    Returns:
        True for pretrained neurons that were not recycled, and for slots that are taken.
    """
    return torch.cat([ffn.core_live_F, ffn.bank.live_C])


def ages(ffn: GrowableFFN, step: int) -> Int[torch.Tensor, " C"]:
    """Age of every slot's neuron.

    Args:
        ffn: The FFN.
        step: Optimizer steps done.

    Returns:
        Optimizer steps since birth; meaningless for empty slots.
    """
    return step - ffn.bank.birth_C


def unprotected(ffn: GrowableFFN, protected_C: Bool[torch.Tensor, " C"]) -> Bool[torch.Tensor, " N"]:
    """Which neurons may be copied from or recycled.

    Args:
        ffn: The FFN.
        protected_C: Slots whose neurons are protected.

    Returns:
        True for living neurons that are pretrained or not protected.
    """
    return alive(ffn) & torch.cat([torch.ones_like(ffn.core_live_F), ~protected_C])


def _joined(core: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
    return torch.cat([core.detach().float(), bank.detach().float()])


def _joined_if(core: torch.Tensor | None, bank: torch.Tensor | None) -> torch.Tensor | None:
    return None if core is None or bank is None else _joined(core, bank)
