"""Replay from a bounded, uniform sample of old examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from foam_cli.core.seeds import rng


@dataclass(frozen=True, kw_only=True)
class Reservoir:
    """A reservoir of old examples, part of every batch.

    Where the data source knows old data (what the base model was trained on), the reservoir is a uniform
    sample of it, filled once. Where it knows none, the reservoir samples the training stream itself as it
    goes by, so that early examples come back later.

    Attributes:
        ratio: The share of every batch's token budget that is replayed.
        max_examples: The reservoir holds at most this many.

    Source: J. S. Vitter, "Random sampling with a reservoir", ACM TOMS 11(1), 1985, algorithm R.
    """

    ratio: float
    max_examples: int

    def __post_init__(self) -> None:
        if not 0 < self.ratio < 1:
            raise ValueError(
                f"replay.ratio={self.ratio}: must lie between 0 and 1; replay=none turns it off."
            )
        if self.max_examples < 1:
            raise ValueError(f"replay.max_examples={self.max_examples}: must be at least 1.")

    def count(self, num_new: int) -> int:
        """How many old examples make up the ratio of a batch, beside so many new ones.

        Args:
            num_new: New examples.

        Returns:
            At least 1.
        """
        return max(1, round(num_new * self.ratio / (1 - self.ratio)))

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
        held, seen = list(state["held"]), int(state["seen"])
        random = rng(seed, "reservoir", seen)
        for index in indices:
            seen += 1
            if len(held) < self.max_examples:
                held.append(index)
            elif (place := random.randrange(seen)) < self.max_examples:
                held[place] = index
        return {"held": held, "seen": seen}

    def draw(self, state: dict[str, Any], count: int, seed: int, step: int) -> list[int]:
        """Draw examples for one batch.

        Args:
            state: The reservoir.
            count: How many.
            seed: The run's seed.
            step: The optimizer step, so that a resumed run draws the same.

        Returns:
            At most `count` different examples.
        """
        held = state["held"]
        return rng(seed, "replay", step).sample(held, min(count, len(held)))
