"""No curriculum."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, kw_only=True)
class NoCurriculum:
    """All examples from the beginning, shuffled."""

    @property
    def reads_losses(self) -> bool:
        """Nothing needs to be measured."""
        return False

    def pools(self, losses: list[float], lengths: npt.NDArray[np.int64]) -> list[list[int]]:
        """One phase.

        Args:
            losses: Not used.
            lengths: One per example.

        Returns:
            All examples.
        """
        del losses
        return [list(range(len(lengths)))]
