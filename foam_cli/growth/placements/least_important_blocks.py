"""Put new blocks beside those that matter least."""

from dataclasses import dataclass

from foam_cli.growth.context import GrowthContext


@dataclass(frozen=True, kw_only=True)
class LeastImportantBlocks:
    """Copies the pretrained blocks whose absence changes the loss on general text least, those first.

    The old examples that are replayed stand for general text; where a run has none, the new ones do.
    Measuring takes one pass for each block, and one.

    Source: ADEPT: importance of a layer as the change of loss on general text when it is left out.
    Differs: the smallest absolute change counts, so that a block whose absence helps is not taken for one
        without a part in the function.
    """

    def choose_blocks(self, context: GrowthContext, limit: int) -> tuple[int, ...]:
        """Choose the blocks to copy.

        Args:
            context: What is known; losses without each block are measured.
            limit: At most so many.

        Returns:
            Their indices in the model as it is, each at most once.
        """
        changes = context.measure.skip_losses()
        pretrained = [index for index, birth in enumerate(context.block_births) if birth is None]
        return tuple(sorted(pretrained, key=lambda index: (abs(changes[index]), index))[:limit])
