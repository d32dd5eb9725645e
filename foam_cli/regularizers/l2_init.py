"""Stay close to the first weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from foam_cli.core.errors import ConfigError
from foam_cli.core.settings import Settings
from foam_cli.regularizers.anchors import copies, copies_bytes, pull, require_moving_core
from foam_cli.regularizers.protocols import Look, Parameters, Tensors


@dataclass(frozen=True, kw_only=True)
class L2Init:
    """½ alpha ‖θ - θ0‖² + ½ beta ‖θ_new‖²: pretrained weights to where they began, grown ones to zero.

    θ0 are the base model's weights, copied in their own dtype; only weights that learn are anchored. θ_new
    are grown neurons and inserted blocks. It is a part of the loss, so its gradient goes through the
    optimizer, other than weight decay.

    Attributes:
        alpha: Of pretrained weights, or None for off.
        beta: Of grown weights, or None for off.

    Source: X. Li, Y. Grandvalet, F. Davoine, "Explicit Inductive Bias for Transfer Learning with
        Convolutional Networks", 2018, arXiv 1802.01483 (L2-SP).
    """

    alpha: float | None
    beta: float | None

    reads_old_data: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name in ("alpha", "beta"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name}={value}: must be positive; null turns it off.")
        if self.alpha is None and self.beta is None:
            raise ValueError(
                "alpha=null, beta=null: nothing would be pulled. Give one a value, or leave it out."
            )

    def refuse(self, settings: Settings) -> None:
        """Refuse a part that would pull nothing.

        Args:
            settings: The configuration.

        Raises:
            ConfigError: `alpha` without pretrained weights that learn, or `beta` without growth.
        """
        if self.alpha is not None:
            require_moving_core("regularizer.l2_init.alpha", settings)
        if self.beta is not None and not settings.growth:
            raise ConfigError(
                f"regularizer.l2_init.beta={self.beta}: is for grown weights, and growth=none grows none. "
                "Use regularizer.l2_init.beta=null."
            )

    def memory_bytes(self, pretrained: Parameters) -> dict[str, int]:
        """What is remembered.

        Args:
            pretrained: Pretrained parameters that learn.

        Returns:
            Its bytes.
        """
        return {"anchors": copies_bytes(pretrained)} if self.alpha is not None else {}

    def begin(self, pretrained: Parameters, look: Look) -> Tensors:
        """Remember θ0.

        Args:
            pretrained: Pretrained parameters that learn.
            look: Not looked at.

        Returns:
            The anchors.
        """
        del look
        return copies(pretrained) if self.alpha is not None else {}

    def pull(self, pretrained: Parameters, grown: Sequence[nn.Parameter], state: Tensors) -> torch.Tensor:
        """Add the penalty's gradient.

        Args:
            pretrained: Pretrained parameters that learn.
            grown: Parameters of grown neurons and of inserted blocks.
            state: The anchors.

        Returns:
            The penalty.
        """
        values = [torch.zeros(())]
        if self.alpha is not None:
            values += [
                pull(parameter, self.alpha, state[f"anchor.{name}"], None)
                for name, parameter in pretrained.items()
            ]
        if self.beta is not None:
            values += [pull(parameter, self.beta, None, None) for parameter in grown]
        return torch.stack([value.to(values[-1]) for value in values]).sum()

    def end_stage(self, pretrained: Parameters, look: Look, state: Tensors) -> Tensors:
        """Keep the first anchors: what is held is where the run began.

        Args:
            pretrained: Not looked at.
            look: Not looked at.
            state: The anchors.

        Returns:
            The same.
        """
        del pretrained, look
        return state
