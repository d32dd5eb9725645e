"""Treat the young as everyone else."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, kw_only=True)
class NoMaturation:
    """Grown neurons learn at the rate of grown parameters from their birth on and are not protected."""

    def multipliers(self, age_C: Int[torch.Tensor, " C"]) -> Float[torch.Tensor, " C"]:
        """Learning-rate multipliers.

        Args:
            age_C: Optimizer steps since birth.

        Returns:
            Ones.
        """
        return torch.ones_like(age_C, dtype=torch.float32)

    def is_protected(self, age_C: Int[torch.Tensor, " C"]) -> Bool[torch.Tensor, " C"]:
        """Protection.

        Args:
            age_C: Optimizer steps since birth.

        Returns:
            False for all.
        """
        return torch.zeros_like(age_C, dtype=torch.bool)
