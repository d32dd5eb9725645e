"""Birth by division: a copy takes over a part of its source's out-column."""

import torch
from jaxtyping import Float

from foam_cli.core.growth import NeuronBirths
from foam_cli.growth.neuron_view import neuron_rows
from foam_cli.model.neurons import GrowableFFN


def divide(ffn: GrowableFFN, block: int, sources: tuple[int, ...], kept_frac: float) -> NeuronBirths:
    """Copy neurons and divide their out-columns, in two parts that add up exactly but for fp32's last bit.

    Args:
        ffn: The FFN.
        block: Its block.
        sources: Whom to copy, each once.
        kept_frac: The share of its out-column that a source keeps.

    Returns:
        The births, with the out-columns that the sources keep.
    """
    rows, chosen = neuron_rows(ffn), list(sources)
    gate_ND, bias_N, gate_bias_N = rows.gate_ND, rows.bias_N, rows.gate_bias_N
    kept_GD, given_GD = _divided_columns(ffn, sources, kept_frac)
    return NeuronBirths(
        block=block,
        up_GD=rows.up_ND[chosen],
        gate_GD=None if gate_ND is None else gate_ND[chosen],
        bias_G=None if bias_N is None else bias_N[chosen],
        gate_bias_G=None if gate_bias_N is None else gate_bias_N[chosen],
        down_GD=given_GD,
        sources=sources,
        sources_down_GD=kept_GD,
    )


def _divided_columns(
    ffn: GrowableFFN, neurons: tuple[int, ...], kept_frac: float
) -> tuple[Float[torch.Tensor, "G D"], Float[torch.Tensor, "G D"]]:
    """What the neurons keep, and what they give away (fp32).

    What is kept is rounded to the dtype that it will stand in, and what is given makes up for the rounding.
    """
    core_FD = ffn.views.down_FD
    wide = torch.promote_types(core_FD.dtype, torch.float32)
    index = torch.tensor(neurons, dtype=torch.int64, device=core_FD.device)
    whole_GD = torch.cat([core_FD.to(wide), ffn.bank.down_CD.detach().to(wide)])[index]
    kept_GD = whole_GD - ((1 - kept_frac) * whole_GD).float()
    in_core_G1 = (index < ffn.width)[:, None]
    kept_GD = torch.where(in_core_G1, kept_GD.to(core_FD.dtype), kept_GD.float()).to(wide)
    return kept_GD, (whole_GD - kept_GD).float()
