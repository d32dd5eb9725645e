"""Recycle the neurons that matter least to the output."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float

from foam_cli.growth.activity import Recycled, dormancy, output_moves, within_tolerance
from foam_cli.growth.context import NeuronSignals


@dataclass(frozen=True, kw_only=True)
class Wanda:
    """Gives up the neurons of lowest Wanda score ‖h_i‖₂·‖W_down[:,i]‖₂, as far as the tolerance allows.

    Attributes:
        dormant_threshold: Largest dormancy score that counts as dormant; only logged.
        max_move_frac: Refuse what would move the output by more than this fraction of its size.

    Source: M. Sun et al., "A Simple and Effective Pruning Approach for Large Language Models", 2023,
        arXiv 2306.11695, equation 1.
    Differs: whole neurons are scored, by the gated product and their out-column.
    """

    reads_activity: ClassVar[bool] = True

    dormant_threshold: float
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
        moves_N = output_moves(signals, down_ND)
        order = moves_N.masked_fill(~eligible_N, torch.inf).argsort(stable=True)
        chosen = order[: min(limit, int(eligible_N.sum()))]
        neurons, move_frac = within_tolerance(chosen, moves_N, self.max_move_frac)
        dormant_N = (dormancy(signals, eligible_N) <= self.dormant_threshold) & eligible_N
        return Recycled(
            neurons=neurons,
            move_frac=move_frac,
            num_dormant=int(dormant_N.sum()),
            num_refused=len(chosen) - len(neurons),
        )
