"""Begin as an equal twin, to be trained in place of its frozen source."""

from dataclasses import dataclass
from typing import ClassVar

from foam_cli.core.growth import NeuronBirths
from foam_cli.growth.context import GrowthContext
from foam_cli.growth.division import divide


@dataclass(frozen=True, kw_only=True)
class Duplicate:
    """In-rows and bias are the source's, whose out-column is halved on both sides.

    It needs a frozen core (train=grown), where only the twin moves; where both learn alike, equal
    halves would never part. The core is edited once, by the halving. Halves are exact in every precision.

    Source: "Grow, Don't Overwrite", arXiv 2603.08647: all neurons of an FFN are copied, the copies are
        trained and the originals are frozen.
    """

    edits_sources: ClassVar[bool] = True
    needs_frozen_sources: ClassVar[bool] = True

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
        return divide(context.ffns[block], block, sources, 0.5)
