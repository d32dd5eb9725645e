"""Hold the weights that old data depends on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import nn
from torch.nn import functional as F

from foam_cli.core.errors import ConfigError
from foam_cli.core.seeds import derive_seed
from foam_cli.core.settings import Settings
from foam_cli.regularizers.anchors import copies, copies_bytes, pull, require_moving_core
from foam_cli.regularizers.protocols import Look, Parameters, Tensors


@dataclass(frozen=True, kw_only=True)
class Ewc:
    """½ weight Σ_i F_i (θ_i - θ*_i)² with the diagonal of the Fisher information of old data.

    F_i = Σ_examples (∂ log p(y | x) / ∂θ_i)² / Σ_examples tokens. Every example (a document) has its own
    gradient, of the sum of its tokens' log-probabilities, with labels y drawn from the model: then products
    of two tokens' gradients are zero on average, and F is the Fisher information per token. As the loss is a
    mean per token too, weight=1 is Laplace's approximation of as many old tokens as new ones.

    θ* and F belong to pretrained weights that learn: slots, grown neurons and inserted blocks have F = 0. θ*
    is kept in the weights' own dtype, F in fp32.

    Attributes:
        weight: λ.
        num_examples: Old examples that F is measured on.
        empirical: Labels are those of the data instead of the model's own.
        online_decay: γ: after every stage F ← γ F + the stage's own, and θ* moves to where the weights are;
            None keeps to what was measured before the first step.

    Source: J. Kirkpatrick et al., "Overcoming catastrophic forgetting in neural networks", 2017, arXiv
        1612.00796, equation 3; J. Schwarz et al., "Progress & Compress: A scalable framework for continual
        learning", 2018, arXiv 1805.06370, for online EWC.
    Differs: Online EWC there normalises each stage's F, which here are all per token, and weighs F with γ in
        the penalty itself, too.
    """

    weight: float
    num_examples: int
    empirical: bool
    online_decay: float | None

    reads_old_data: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise ValueError(f"weight={self.weight}: must be positive; regularizer=none turns it off.")
        if self.num_examples < 1:
            raise ValueError(f"num_examples={self.num_examples}: must be at least 1.")
        if self.online_decay is not None and not 0 <= self.online_decay <= 1:
            raise ValueError(
                f"online_decay={self.online_decay}: must lie between 0 and 1; null turns it off."
            )

    def refuse(self, settings: Settings) -> None:
        """Refuse settings under which nothing is held, or would be held later.

        Args:
            settings: The configuration.

        Raises:
            ConfigError: There are such; the message says what to do.
        """
        require_moving_core("regularizer.ewc", settings)
        if self.online_decay is not None and len(settings.stages) < 2:
            raise ConfigError(
                f"regularizer.ewc.online_decay={self.online_decay}: takes effect where a stage ends and "
                "another one follows, and this run has one stage. Use regularizer.ewc.online_decay=null."
            )

    def memory_bytes(self, pretrained: Parameters) -> dict[str, int]:
        """What is remembered.

        Args:
            pretrained: Pretrained parameters that learn.

        Returns:
            Its bytes.
        """
        fisher = 4 * sum(parameter.numel() for parameter in pretrained.values())
        return {"anchors": copies_bytes(pretrained), "Fisher information": fisher}

    def begin(self, pretrained: Parameters, look: Look) -> Tensors:
        """Measure F and remember θ*.

        Args:
            pretrained: Pretrained parameters that learn.
            look: Goes through old examples.

        Returns:
            θ* and F.
        """
        return {**copies(pretrained), **self._fisher(pretrained, look)}

    def pull(self, pretrained: Parameters, grown: Sequence[nn.Parameter], state: Tensors) -> torch.Tensor:
        """Add the penalty's gradient.

        Args:
            pretrained: Pretrained parameters that learn.
            grown: Not looked at.
            state: θ* and F.

        Returns:
            The penalty.
        """
        del grown
        pulled = [
            pull(parameter, self.weight, state[f"anchor.{name}"], state[f"fisher.{name}"])
            for name, parameter in pretrained.items()
        ]
        return torch.stack(pulled).sum()

    def end_stage(self, pretrained: Parameters, look: Look, state: Tensors) -> Tensors:
        """Take a stage into F and move θ*, where EWC is online.

        Args:
            pretrained: Pretrained parameters that learn.
            look: Goes through the stage's examples.
            state: θ* and F.

        Returns:
            Those that hold from now on.
        """
        if self.online_decay is None:
            return state
        fisher = self._fisher(pretrained, look)
        for name, measured in fisher.items():
            measured.add_(state[name], alpha=self.online_decay)
        return {**copies(pretrained), **fisher}

    def _fisher(self, pretrained: Parameters, look: Look) -> Tensors:
        fisher = {
            name: torch.zeros_like(p, dtype=torch.promote_types(p.dtype, torch.float32))
            for name, p in pretrained.items()
        }
        num_tokens = 0
        for number, (logits_NV, labels_N) in enumerate(look.passes(self.num_examples)):
            if not self.empirical:
                labels_N = _drawn(logits_NV, derive_seed(look.seed, "fisher", number))  # noqa: PLW2901
            log_likelihood = -F.cross_entropy(logits_NV, labels_N, reduction="sum")
            gradients = torch.autograd.grad(
                log_likelihood, list(pretrained.values()), allow_unused=True, materialize_grads=True
            )
            for total, gradient in zip(fisher.values(), gradients, strict=True):
                total.add_(gradient.to(total.dtype).square())
            num_tokens += len(labels_N)
        return {f"fisher.{name}": total.div_(max(1, num_tokens)) for name, total in fisher.items()}


@torch.no_grad()
def _drawn(logits_NV: Float[torch.Tensor, "N V"], seed: int) -> Int[torch.Tensor, " N"]:
    generator = torch.Generator(logits_NV.device).manual_seed(seed)
    return torch.multinomial(logits_NV.softmax(-1), 1, generator=generator)[:, 0]
