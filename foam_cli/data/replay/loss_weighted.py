"""Replay of what the model is about to forget: a bounded sample of old examples, drawn by their last loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foam_cli.data.replay import memory
from foam_cli.data.replay.of_data import OfData
from foam_cli.data.replay.protocols import ReplaySource
from foam_cli.data.replay.weighted import draw_weighted, loss_weights


@dataclass(frozen=True, kw_only=True)
class LossWeighted:
    """A reservoir from which examples are drawn with a chance that grows with the loss they last had.

    What it holds is a uniform sample, as in `Reservoir`. Of what it holds and has not drawn yet, an example
    with loss l comes next with a chance proportional to max(l, 0.001). A loss is measured whenever the
    example is trained on, as the mean over its targets in nats, before that step's update. One that was not
    met yet counts as the mean of the others.

    Attributes:
        ratio: The share of every batch's token budget that is replayed.
        max_examples: It holds at most this many, and a loss for each.
        source: Where old documents come from.

    Source: T. Schaul, J. Quan, I. Antonoglou, D. Silver, "Prioritized Experience Replay", ICLR 2016,
        arXiv 1511.05952, equation 1 with α = 1.
    Differs: the loss takes the place of the temporal-difference error, and no importance weights undo the
        bias: more practice where more is lost is what is wanted here. An unmet example has the mean priority,
        not the largest.
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
        """An empty memory.

        Returns:
            Plain data: which examples it holds, the last loss of each or None, and how many it has seen.
        """
        return {"held": [], "losses": [], "seen": 0}

    def observe(self, state: dict[str, Any], indices: Sequence[int], seed: int) -> dict[str, Any]:
        """Show examples to the memory; each is kept with equal probability.

        Args:
            state: The memory.
            indices: Numbers of the examples.
            seed: The run's seed.

        Returns:
            The memory afterwards; what is new in it has no loss yet.
        """
        held, places = memory.held_after(state["held"], state["seen"], indices, self.max_examples, seed)
        losses = [*state["losses"], *[None] * (len(held) - len(state["held"]))]
        for place in places:
            losses[place] = None
        return {"held": held, "losses": losses, "seen": state["seen"] + len(indices)}

    def note_losses(self, state: dict[str, Any], losses: Mapping[int, float]) -> dict[str, Any]:
        """Remember how well the model did.

        Args:
            state: The memory.
            losses: Example number to its loss in nats per target; those that are not held are passed over.

        Returns:
            The memory afterwards.
        """
        known = zip(state["held"], state["losses"], strict=True)
        return {**state, "losses": [losses.get(index, loss) for index, loss in known]}

    def draw(self, state: dict[str, Any], count: int, seed: int, step: int) -> list[int]:
        """Draw examples for one batch.

        Args:
            state: The memory.
            count: How many.
            seed: The run's seed.
            step: The forward pass, so that a resumed run draws the same.

        Returns:
            At most `count` different examples.
        """
        places = draw_weighted(loss_weights(state["losses"]), count, seed, step)
        return [state["held"][place] for place in places]
