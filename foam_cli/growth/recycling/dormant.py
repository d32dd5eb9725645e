"""Recycle neurons that are hardly ever active."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float

from foam_cli.growth.activity import Recycled, dormancy, output_moves, within_tolerance
from foam_cli.growth.context import NeuronSignals


@dataclass(frozen=True, kw_only=True)
class Dormant:
    """Gives up neurons whose activity is at most a small fraction of their FFN's mean, the most silent first.

    Attributes:
        threshold: τ, the largest dormancy score s_i = E|h_i| / mean_k E|h_k| that counts as dormant.
        max_move_frac: Refuse what would move the output by more than this fraction of its size.

    Source: G. Sokar et al., "The Dormant Neuron Phenomenon in Deep Reinforcement Learning", 2023,
        arXiv 2302.12902, algorithm 1.
    Differs: h is the gated product; the newborn takes a slot of the bank instead of the dead neuron's place.
    """

    reads_activity: ClassVar[bool] = True

    threshold: float
    max_move_frac: float

    def choose(
        self,
        signals: NeuronSignals,
        eligible_N: Bool[torch.Tensor, " N"],
        down_ND: Float[torch.Tensor, "N D"],
        limit: int,
    ) -> Recycled | None:
        """Choose neurons of one FFN.

        Args:
            signals: Their statistics.
            eligible_N: Living neurons that are not protected.
            down_ND: Out-columns, one row per neuron.
            limit: At most so many.

        Returns:
            The choice, or None where nothing has been measured yet.
        """
        if signals.num_samples == 0:
            return None
        score_N = dormancy(signals, eligible_N)
        dormant_N = (score_N <= self.threshold) & eligible_N
        order = score_N.masked_fill(~dormant_N, torch.inf).argsort(stable=True)
        num_dormant = int(dormant_N.sum())
        chosen = order[: min(limit, num_dormant)]
        neurons, move_frac = within_tolerance(chosen, output_moves(signals, down_ND), self.max_move_frac)
        return Recycled(
            neurons=neurons,
            move_frac=move_frac,
            num_dormant=num_dormant,
            num_refused=len(chosen) - len(neurons),
        )
