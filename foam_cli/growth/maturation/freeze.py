"""Let neurons learn while they are young, and keep what they learnt."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """A grown neuron stops learning when it is mature; until then it is neither recycled nor copied from.

    The update of a frozen neuron is zero, weight decay included, so its rows keep every bit.

    Attributes:
        mature_steps: Age, in optimizer steps since birth, at which a neuron stops learning.

    Source: M. B. Gurbuz, J. Moorman, C. Dovrolis, "NICE: Neurogenesis Inspired Contextual Encoding for
        Replay-free Class Incremental Learning", 2024: mature neurons are frozen.
    Differs: age alone makes a neuron mature, not how active it is in an episode.
    """

    mature_steps: int

    def __post_init__(self) -> None:
        if self.mature_steps < 1:
            raise ValueError(f"mature_steps={self.mature_steps}: must be at least 1, or nothing would learn.")

    def multipliers(self, age_C: Int[torch.Tensor, " C"]) -> Float[torch.Tensor, " C"]:
        """Learning-rate multipliers.

        Args:
            age_C: Optimizer steps since birth.

        Returns:
            1 for the young, 0 for all others.
        """
        return (age_C < self.mature_steps).float()

    def is_protected(self, age_C: Int[torch.Tensor, " C"]) -> Bool[torch.Tensor, " C"]:
        """Protection.

        Args:
            age_C: Optimizer steps since birth.

        Returns:
            True for neurons that may be neither recycled nor copied from.
        """
        return age_C < self.mature_steps
