"""Begin as an equal twin, to be trained in place of its frozen source."""

from dataclasses import dataclass
from typing import ClassVar

from foam_cli.core.growth import NeuronBirths
from foam_cli.growth.context import GrowthContext
from foam_cli.growth.neuron_view import divided_columns, neuron_rows


@dataclass(frozen=True, kw_only=True)
class Duplicate:
    """In-rows and bias are the source's, whose out-column is halved on both sides.

    It is meant for a frozen core (train=grown), where only the twin moves; where both learn alike, equal
    halves would never part. The core is edited once, by the halving. Halves are exact in every precision.

    Source: "Grow, Don't Overwrite", arXiv 2603.08647: all neurons of an FFN are copied, the copies are
        trained and the originals are frozen.
    """

    edits_sources: ClassVar[bool] = True

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
        ffn = context.ffns[block]
        rows, chosen = neuron_rows(ffn), list(sources)
        kept_GD, given_GD = divided_columns(ffn, sources, 0.5)
        return NeuronBirths(
            block=block,
            up_GD=rows.up_ND[chosen],
            gate_GD=None if rows.gate_ND is None else rows.gate_ND[chosen],
            bias_G=None if rows.bias_N is None else rows.bias_N[chosen],
            down_GD=given_GD,
            sources=sources,
            sources_down_GD=kept_GD,
        )
