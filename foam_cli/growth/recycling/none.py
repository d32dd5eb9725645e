"""Recycle nothing."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float

from foam_cli.growth.activity import Recycled
from foam_cli.growth.context import NeuronSignals


@dataclass(frozen=True, kw_only=True)
class NoRecycling:
    """Every neuron is kept."""

    def choose(
        self,
        signals: NeuronSignals,
        eligible_N: Bool[torch.Tensor, " N"],
        down_ND: Float[torch.Tensor, "N D"],
        limit: int,
    ) -> Recycled | None:
        """Choose nothing.

        Args:
            signals: Not looked at.
            eligible_N: Not looked at.
            down_ND: Not looked at.
            limit: Not looked at.

        Returns:
            None.
        """
        del signals, eligible_N, down_ND, limit
        return None
