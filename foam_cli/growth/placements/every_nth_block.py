"""Spread new blocks evenly over the depth."""

from dataclasses import dataclass

from foam_cli.growth.context import GrowthContext


@dataclass(frozen=True, kw_only=True)
class EveryNthBlock:
    """Copies every n-th pretrained block, lowest first; when each has a copy, it begins again.

    Attributes:
        every_blocks: n, counted over pretrained blocks; where there are fewer, the last one is copied.

    Source: C. Wu et al., "LLaMA Pro: Progressive LLaMA with Block Expansion", 2024, arXiv 2401.02415,
        section 3.2 (interleaving).
    Differs: the blocks may come one event at a time.
    """

    every_blocks: int

    def __post_init__(self) -> None:
        if self.every_blocks < 1:
            raise ValueError(f"every_blocks={self.every_blocks}: must be at least 1.")

    def choose_blocks(self, context: GrowthContext, limit: int) -> tuple[int, ...]:
        """Choose the blocks to copy.

        Args:
            context: What is known.
            limit: At most so many.

        Returns:
            Their indices in the model as it is, each at most once.
        """
        births = context.block_births
        pretrained = [index for index, birth in enumerate(births) if birth is None]
        positions = pretrained[self.every_blocks - 1 :: self.every_blocks] or pretrained[-1:]
        ends = [*pretrained[1:], len(births)]
        copies = {index: end - index - 1 for index, end in zip(pretrained, ends, strict=True)}
        return tuple(sorted(positions, key=lambda index: (copies[index], index))[:limit])
