"""Let the young learn faster, and protect them."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, kw_only=True)
class YoungMultiplier:
    """Young neurons take larger steps and are neither recycled nor copied from.

    Attributes:
        mature_steps: Age, in optimizer steps since birth, at which a neuron is no longer young.
        multiplier: Factor of a young neuron's update.
        protected: Whether young neurons are kept from recycling and from being sources.

    Source: the maturation rule of Neural Foam (500 steps, 2 times).
    Differs: the update is multiplied instead of the gradient, whose scale Adam does not feel.
    """

    mature_steps: int
    multiplier: float
    protected: bool

    def __post_init__(self) -> None:
        if self.mature_steps < 0 or self.multiplier < 0:
            raise ValueError(
                f"mature_steps={self.mature_steps}, multiplier={self.multiplier}: must not be negative."
            )

    def multipliers(self, age_C: Int[torch.Tensor, " C"]) -> Float[torch.Tensor, " C"]:
        """Learning-rate multipliers.

        Args:
            age_C: Optimizer steps since birth.

        Returns:
            The factor of each neuron's next update.
        """
        return torch.where(age_C < self.mature_steps, self.multiplier, 1.0)

    def is_protected(self, age_C: Int[torch.Tensor, " C"]) -> Bool[torch.Tensor, " C"]:
        """Which neurons may be neither recycled nor copied from.

        Args:
            age_C: Optimizer steps since birth.

        Returns:
            One answer per neuron.
        """
        return (age_C < self.mature_steps) & self.protected
