"""What the engine asks of a curriculum."""

from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt


@runtime_checkable
class Curriculum(Protocol):
    """Which examples are shown when."""

    @property
    def reads_losses(self) -> bool:
        """Whether it orders examples by the base model's losses; if not, there is nothing to order."""
        ...

    def pools(self, losses: list[float], lengths: npt.NDArray[np.int64]) -> list[list[int]]:
        """Example numbers per phase, from the losses (mean nats per target) and lengths (tokens) of all."""
        ...
