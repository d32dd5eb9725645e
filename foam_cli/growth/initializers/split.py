"""Begin as a copy that takes over a part of its source's output."""

from dataclasses import dataclass
from typing import ClassVar

from foam_cli.core.growth import NeuronBirths
from foam_cli.growth.context import GrowthContext
from foam_cli.growth.division import divide


@dataclass(frozen=True, kw_only=True)
class Split:
    """In-rows and bias are the source's; its out-column is divided unequally between the two.

    With h the activity and w the out-column of the source, α w h + (1-α) w h = w h. Equal halves would get
    equal gradients and never part. The core is edited, also where it is frozen. The two parts add up in fp32;
    a model that computes in bf16 rounds each of them.

    Attributes:
        alpha: The share of its out-column that the source keeps; powers of two lose no bit of it.

    Source: T. Chen et al., "Net2Net: Accelerating Learning via Knowledge Transfer", 2016, arXiv 1511.05641;
        Y. Wang et al., "LEMON: Lossless model expansion", 2023, arXiv 2310.07999, for unequal
        parts.
    """

    edits_sources: ClassVar[bool] = True

    alpha: float

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1 or self.alpha == 0.5:
            raise ValueError(
                f"alpha={self.alpha}: must lie between 0 and 1, and not at 1/2, where the halves never part."
            )

    def bear(self, context: GrowthContext, block: int, sources: tuple[int, ...], event: int) -> NeuronBirths:
        """Make the rows of one block's newborn.

        Args:
            context: What is known.
            block: The block.
            sources: One source per newborn.
            event: Not looked at: nothing is random.

        Returns:
            The births, and the out-columns that the sources keep.
        """
        del event
        return divide(context.ffns[block], block, sources, self.alpha)
