"""Begin as pairs that cancel each other."""

from dataclasses import dataclass

import torch

from foam_cli.core.growth import NeuronBirths
from foam_cli.core.seeds import torch_generator
from foam_cli.growth.context import GrowthContext


@dataclass(frozen=True, kw_only=True)
class Paired:
    """Two neurons share random in-rows v and have opposite random out-columns z and -z.

    Together they add nothing, whatever the activation, and yet all their rows learn from the first step: the
    gradients of their in-rows are opposite, so they part at once. The bias is zero. Where the newborns are of
    an odd number, the last has no partner and begins with a zero out-column.

    Attributes:
        in_std: Standard deviation of the in-rows.
        out_std: Standard deviation of the out-columns.

    Source: L. Chizat, E. Oyallon, F. Bach, "On Lazy Training in Differentiable Programming", 2018,
        arXiv 1812.07956: the doubling trick that makes a network zero at initialisation.
    Differs: it makes the grown part of a network zero, not the whole.
    """

    in_std: float
    out_std: float

    def __post_init__(self) -> None:
        if self.in_std <= 0 or self.out_std < 0:
            raise ValueError(
                f"in_std={self.in_std}, out_std={self.out_std}: must be positive and not negative."
            )

    def bear(self, context: GrowthContext, block: int, sources: tuple[int, ...], event: int) -> NeuronBirths:
        """Make the rows of one block's newborn.

        Args:
            context: What is known.
            block: The block.
            sources: Only counted: one newborn for each.
            event: The event's number; the draw depends on it.

        Returns:
            The births; the partners are neighbours.
        """
        bank = context.ffns[block].bank
        num_pairs, num_single = divmod(len(sources), 2)

        def drawn(name: str, std: float) -> torch.Tensor:
            generator = torch_generator(context.seed, "paired", event, block, name)
            rows_PD = torch.randn(num_pairs + num_single, bank.up_CD.shape[1], generator=generator)
            return (std * rows_PD).to(bank.up_CD.device)

        def twice(rows_PD: torch.Tensor) -> torch.Tensor:
            return rows_PD.repeat_interleave(2, dim=0)[: len(sources)]

        down_GD = twice(drawn("down", self.out_std))
        down_GD[1::2] *= -1
        down_GD[2 * num_pairs :] = 0
        return NeuronBirths(
            block=block,
            up_GD=twice(drawn("up", self.in_std)),
            gate_GD=None if bank.gate_CD is None else twice(drawn("gate", self.in_std)),
            bias_G=None if bank.bias_C is None else torch.zeros_like(down_GD[:, 0]),
            down_GD=down_GD,
            sources=(None,) * len(sources),
        )
