"""Pretrained and grown neurons of one FFN in one numbering: 0..F-1 the core, F..F+C-1 the slots."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int

from foam_cli.model.neurons import GrowableFFN


@dataclass(frozen=True, kw_only=True)
class NeuronRows:
    """Rows of neurons, in fp32.

    Attributes:
        up_ND: In-rows.
        gate_ND: In-rows of the gate, or None where the FFN is plain.
        bias_N: Biases of the in-projection, or None where it has none.
        gate_bias_N: Biases of the gate, or None where it has none.
        down_ND: Out-columns, one row per neuron.
    """

    up_ND: Float[torch.Tensor, "N D"]
    gate_ND: Float[torch.Tensor, "N D"] | None
    bias_N: Float[torch.Tensor, " N"] | None
    gate_bias_N: Float[torch.Tensor, " N"] | None
    down_ND: Float[torch.Tensor, "N D"]


def neuron_rows(ffn: GrowableFFN) -> NeuronRows:
    """Copy all neurons of an FFN.

    Args:
        ffn: The FFN.

    Returns:
        Core and slots, empty and recycled ones as zeros.
    """
    bank, views = ffn.bank, ffn.views
    return NeuronRows(
        up_ND=_joined(views.up_FD, bank.up_CD),
        gate_ND=_joined_if(views.gate_FD, bank.gate_CD),
        bias_N=_joined_if(views.bias_F, bank.bias_C),
        gate_bias_N=_joined_if(views.gate_bias_F, bank.gate_bias_C),
        down_ND=_joined(views.down_FD, bank.down_CD),
    )


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
