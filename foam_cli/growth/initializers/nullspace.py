"""Begin where old data is not, and stay there."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float

from foam_cli.core.growth import NeuronBirths
from foam_cli.core.seeds import torch_generator
from foam_cli.growth.context import GrowthContext


@dataclass(frozen=True, kw_only=True)
class Nullspace:
    """In-rows are random, without the directions that old data uses; neither learning leads them there.

    With V the leading eigenvectors of E[x xᵀ] over the FFN's inputs x on old data that hold all but a
    fraction of its trace, P = I - V Vᵀ is applied to the newborn's in-rows, and to every update of them. So
    they see at most that fraction of the old inputs' power, whatever is learnt. The out-column is zero and
    learns freely; a bias would be heard on all data alike, so it is zero and stays so.

    One direction is always left free, so that newborns can learn where old data uses all: they then see up to
    the D-th part of the power. V is measured at every event anew and holds for all neurons that were born
    this way. Where the core is frozen it hardly changes; elsewhere, what the rows have learnt stays
    orthogonal to the V of its time.

    Attributes:
        std: Standard deviation of the random in-rows, before directions are taken out of them.
        unheld_frac: The fraction of the trace that V need not hold.

    Source: the projection is that of G. Saha, I. Garg, K. Roy, "Gradient Projection Memory for Continual
        Learning", 2021, arXiv 2103.09762, and S. Wang et al., "Training Networks in Null Space of Feature
        Covariance for Continual Learning", 2021, arXiv 2103.07113.
    Differs: only the grown neurons are held; the update is projected after Adam, whose scaling of single
        weights would turn a projected gradient out of the subspace.
    """

    reads_old_data: ClassVar[bool] = True

    std: float
    unheld_frac: float

    def __post_init__(self) -> None:
        if self.std <= 0 or not 0 < self.unheld_frac < 1:
            raise ValueError(
                f"std={self.std}, unheld_frac={self.unheld_frac}: must be positive, and a part of 1."
            )

    def bear(self, context: GrowthContext, block: int, sources: tuple[int, ...], event: int) -> NeuronBirths:
        """Make the rows of one block's newborn.

        Args:
            context: What is known; some passes over old data are measured.
            block: The block.
            sources: Only counted: one newborn for each.
            event: The event's number; the draw depends on it.

        Returns:
            The births, and the directions that their in-rows avoid from now on.
        """
        bank = context.ffns[block].bank
        moment_DD = context.measure.input_moments("old")[block].to(bank.up_CD.device)
        used_RD = leading_directions(moment_DD, 1 - self.unheld_frac)

        def drawn(name: str) -> torch.Tensor:
            generator = torch_generator(context.seed, "nullspace", event, block, name)
            rows_GD = self.std * torch.randn(len(sources), bank.up_CD.shape[1], generator=generator)
            rows_GD = rows_GD.to(used_RD)
            return (rows_GD - (rows_GD @ used_RD.T) @ used_RD).float()

        up_GD = drawn("up")
        return NeuronBirths(
            block=block,
            up_GD=up_GD,
            gate_GD=None if bank.gate_CD is None else drawn("gate"),
            bias_G=None if bank.bias_C is None else torch.zeros_like(up_GD[:, 0]),
            down_GD=torch.zeros_like(up_GD),
            sources=(None,) * len(sources),
            avoided_RD=used_RD.float(),
        )


def leading_directions(moment_DD: Float[torch.Tensor, "D D"], held_frac: float) -> Float[torch.Tensor, "R D"]:
    """The fewest eigenvectors that hold a fraction of the trace, but never all.

    Args:
        moment_DD: A symmetric matrix without negative eigenvalues.
        held_frac: The fraction.

    Returns:
        Orthonormal rows, the leading one first; at least one and at most D-1.
    """
    values_D, vectors_DD = torch.linalg.eigh(moment_DD)
    held_D = values_D.flip(0).clamp(min=0).cumsum(0)
    num = int((held_D < held_frac * held_D[-1]).sum()) + 1
    return vectors_DD.flip(1)[:, : min(num, len(held_D) - 1)].T.contiguous()
