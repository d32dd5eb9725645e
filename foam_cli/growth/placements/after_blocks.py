"""Put new blocks where the user says."""

from dataclasses import dataclass

from foam_cli.core.errors import GrowthError
from foam_cli.growth.context import GrowthContext


@dataclass(frozen=True, kw_only=True)
class AfterBlocks:
    """Copies the named pretrained blocks in the order given; when each has a copy, it begins again.

    Attributes:
        blocks: Their numbers among the pretrained blocks; negative ones count from the end.

    Source: C. Wu et al., "LLaMA Pro: Progressive LLaMA with Block Expansion", 2024, arXiv 2401.02415,
        section 3.2, whose copies likewise stand right behind their originals.
    Differs: the user names the blocks.
    """

    blocks: list[int]

    def __post_init__(self) -> None:
        if not self.blocks or len(set(self.blocks)) < len(self.blocks):
            raise ValueError(f"blocks={self.blocks}: must name at least one block, and each once.")

    def choose_blocks(self, context: GrowthContext, limit: int) -> tuple[int, ...]:
        """Choose the blocks to copy.

        Args:
            context: What is known.
            limit: At most so many.

        Returns:
            Their indices in the model as it is, each at most once.

        Raises:
            GrowthError: The model has no such block, or two numbers name the same one.
        """
        births = context.block_births
        pretrained = [index for index, birth in enumerate(births) if birth is None]
        num = len(pretrained)
        if any(not -num <= number < num for number in self.blocks):
            raise GrowthError(
                f"growth.placement.blocks={self.blocks}: the model has pretrained blocks 0 to {num - 1}."
            )
        named = [pretrained[number] for number in self.blocks]
        if len(set(named)) < len(named):
            raise GrowthError(f"growth.placement.blocks={self.blocks}: two of {num} blocks are the same.")
        ends = dict(zip(pretrained, [*pretrained[1:], len(births)], strict=True))
        return tuple(sorted(named, key=lambda index: ends[index] - index)[:limit])
