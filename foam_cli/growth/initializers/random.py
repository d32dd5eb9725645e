"""Begin with random in-rows."""

from dataclasses import dataclass

import torch

from foam_cli.core.growth import NeuronBirths
from foam_cli.core.seeds import torch_generator
from foam_cli.growth.context import GrowthContext


@dataclass(frozen=True, kw_only=True)
class Random:
    """In-rows are drawn from a normal distribution; the out-column and the bias are zero.

    The zero out-column preserves the function exactly, and is the first thing to learn.

    Attributes:
        std: Standard deviation of the in-rows.
    """

    std: float

    def __post_init__(self) -> None:
        if self.std <= 0:
            raise ValueError(f"std={self.std}: must be positive, or the neurons would be dead for ever.")

    def bear(self, context: GrowthContext, block: int, sources: tuple[int, ...], event: int) -> NeuronBirths:
        """Make the rows of one block's newborn.

        Args:
            context: What is known.
            block: The block.
            sources: Only counted: one newborn for each.
            event: The event's number; the draw depends on it.

        Returns:
            The births.
        """
        bank = context.ffns[block].bank

        def drawn(name: str) -> torch.Tensor:
            generator = torch_generator(context.seed, "random", event, block, name)
            rows_GD = torch.randn(len(sources), bank.up_CD.shape[1], generator=generator)
            return (self.std * rows_GD).to(bank.up_CD.device)

        up_GD = drawn("up")
        return NeuronBirths(
            block=block,
            up_GD=up_GD,
            gate_GD=None if bank.gate_CD is None else drawn("gate"),
            bias_G=None if bank.bias_C is None else torch.zeros_like(up_GD[:, 0]),
            down_GD=torch.zeros_like(up_GD),
            sources=(None,) * len(sources),
        )
