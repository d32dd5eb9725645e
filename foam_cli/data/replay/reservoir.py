"""Replay from a bounded, uniform sample of old examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from foam_cli.data.replay import memory
from foam_cli.data.replay.of_data import OfData
from foam_cli.data.replay.protocols import ReplaySource


@dataclass(frozen=True, kw_only=True)
class Reservoir:
    """A reservoir of old examples, part of every batch.

    Where old data is known (what the base model was trained on), the reservoir is a uniform sample of it,
    filled once. Where none is, the reservoir samples the training stream itself as it goes by, so that early
    examples come back later.

    Attributes:
        ratio: The share of every batch's token budget that is replayed.
        max_examples: The reservoir holds at most this many.
        source: Where old documents come from.

    Source: J. S. Vitter, "Random sampling with a reservoir", ACM TOMS 11(1), 1985, algorithm R.
    """

    ratio: float
    max_examples: int
    source: ReplaySource | OfData

    def __post_init__(self) -> None:
        memory.check_ratio(self.ratio)
        memory.check_size(self.max_examples)

    def count(self, num_new: int) -> int:
        """How many old examples make up the ratio of a batch, beside so many new ones.

        Args:
            num_new: New examples.

        Returns:
            At least 1.
        """
        return memory.num_old(self.ratio, num_new)

    def initial_state(self) -> dict[str, Any]:
        """An empty reservoir.

        Returns:
            Plain data: which examples it holds, and how many it has seen.
        """
        return {"held": [], "seen": 0}

    def observe(self, state: dict[str, Any], indices: Sequence[int], seed: int) -> dict[str, Any]:
        """Show examples to the reservoir; each is kept with equal probability.

        Args:
            state: The reservoir.
            indices: Numbers of the examples.
            seed: The run's seed.

        Returns:
            The reservoir afterwards.
        """
        held, _ = memory.held_after(state["held"], state["seen"], indices, self.max_examples, seed)
        return {"held": held, "seen": state["seen"] + len(indices)}

    def draw(self, state: dict[str, Any], count: int, seed: int, step: int) -> list[int]:
        """Draw examples for one batch.

        Args:
            state: The reservoir.
            count: How many.
            seed: The run's seed.
            step: The forward pass, so that a resumed run draws the same.

        Returns:
            At most `count` different examples.
        """
        return memory.draw_uniform(state["held"], count, seed, step)
