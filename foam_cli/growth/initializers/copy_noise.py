"""Begin as a noisy copy that points away from its neighbours."""

from dataclasses import dataclass

import torch
from jaxtyping import Float

from foam_cli.core.growth import NeuronBirths
from foam_cli.core.seeds import torch_generator
from foam_cli.growth.context import GrowthContext
from foam_cli.growth.neuron_view import neuron_rows

_TINY = 1e-12
_DEPENDENT = 1e-4


@dataclass(frozen=True, kw_only=True)
class CopyNoise:
    """In-rows are the source's plus noise, made orthogonal to the rows most like it; the out-column is zero.

    The zero out-column preserves the function exactly, and is the first thing to learn. Rows keep the norm of
    their source. Biases, where there are any, are the source's.

    Attributes:
        noise_frac: Norm of the noise, as a fraction of the source row's norm.
        num_neighbours: k, how many rows are made orthogonal to.

    Source: the birth of neurons in Neural Foam (copy, noise, modified Gram-Schmidt).
    Differs: existing rows span all of the input space where the FFN is wider than its input, so the basis is
        that of the k rows nearest to the source by |cosine|, without the source itself: otherwise nothing of
        the copy would be left. Newborns of one event are not made orthogonal to each other.
    """

    noise_frac: float
    num_neighbours: int

    def __post_init__(self) -> None:
        if self.noise_frac < 0 or self.num_neighbours < 0:
            raise ValueError(
                f"noise_frac={self.noise_frac}, num_neighbours={self.num_neighbours}: must not be negative."
            )

    def bear(self, context: GrowthContext, block: int, sources: tuple[int, ...], event: int) -> NeuronBirths:
        """Make the rows of one block's newborn.

        Args:
            context: What is known.
            block: The block.
            sources: One source per newborn.
            event: The event's number; the noise depends on it.

        Returns:
            The births.
        """
        rows = neuron_rows(context.ffns[block])
        bias_N, gate_bias_N = rows.bias_N, rows.gate_bias_N
        names = {"up": rows.up_ND, "gate": rows.gate_ND}
        made = {
            name: None
            if rows_ND is None
            else self._vary(rows_ND, sources, self._noise(context, event, block, name))
            for name, rows_ND in names.items()
        }
        up_GD = made["up"]
        assert up_GD is not None
        return NeuronBirths(
            block=block,
            up_GD=up_GD,
            gate_GD=made["gate"],
            bias_G=None if bias_N is None else bias_N[list(sources)],
            gate_bias_G=None if gate_bias_N is None else gate_bias_N[list(sources)],
            down_GD=up_GD.new_zeros(len(up_GD), context.ffns[block].bank.down_CD.shape[1]),
            sources=sources,
        )

    def _noise(self, context: GrowthContext, event: int, block: int, name: str) -> torch.Generator:
        return torch_generator(context.seed, "copy_noise", event, block, name)

    def _vary(
        self, rows_ND: Float[torch.Tensor, "N D"], sources: tuple[int, ...], generator: torch.Generator
    ) -> Float[torch.Tensor, "G D"]:
        source_GD = rows_ND[list(sources)]
        norm_G1 = source_GD.norm(dim=1, keepdim=True)
        noise_GD = torch.randn(source_GD.shape, generator=generator).to(source_GD)
        noise_GD *= self.noise_frac * norm_G1 / noise_GD.norm(dim=1, keepdim=True)
        # Fewer neighbours than dimensions leave a direction free.
        num_neighbours = min(self.num_neighbours, rows_ND.shape[1] - 1, rows_ND.shape[0] - 1)
        basis_GKD = _orthonormal(_nearest(rows_ND, sources, num_neighbours))
        varied_GD = _without(source_GD + noise_GD, basis_GKD)
        return varied_GD * norm_G1 / varied_GD.norm(dim=1, keepdim=True).clamp(min=_TINY)


def _nearest(
    rows_ND: Float[torch.Tensor, "N D"], sources: tuple[int, ...], k: int
) -> Float[torch.Tensor, "G K D"]:
    """The k rows that point most along each source's line, without the source."""
    unit_ND = rows_ND / rows_ND.norm(dim=1, keepdim=True).clamp(min=_TINY)
    likeness_GN = (unit_ND[list(sources)] @ unit_ND.T).abs()
    likeness_GN[range(len(sources)), list(sources)] = -1.0
    return unit_ND[likeness_GN.topk(k, dim=1).indices]


def _orthonormal(unit_GKD: Float[torch.Tensor, "G K D"]) -> Float[torch.Tensor, "G K D"]:
    """Gram-Schmidt; rows that depend on earlier ones become zero."""
    basis_GKD = torch.zeros_like(unit_GKD)
    for k in range(unit_GKD.shape[1]):
        row_GD = _without(unit_GKD[:, k], basis_GKD)
        norm_G1 = row_GD.norm(dim=1, keepdim=True)
        basis_GKD[:, k] = torch.where(norm_G1 > _DEPENDENT, row_GD / norm_G1, 0.0)
    return basis_GKD


def _without(
    row_GD: Float[torch.Tensor, "G D"], basis_GKD: Float[torch.Tensor, "G K D"]
) -> Float[torch.Tensor, "G D"]:
    """Take out of each row what lies in the span of its basis."""
    for _ in range(2):  # the second pass removes what rounding left in the first
        parts_GK = torch.einsum("gd,gkd->gk", row_GD, basis_GKD)
        row_GD = row_GD - torch.einsum("gk,gkd->gd", parts_GK, basis_GKD)
    return row_GD
