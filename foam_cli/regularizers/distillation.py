"""Answer as the base model did."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch.nn import functional as F

from foam_cli.core.errors import ConfigError
from foam_cli.core.settings import Settings
from foam_cli.regularizers.protocols import Answers


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """Keeps what the model says close to what the base model, its teacher, says.

    weight · T² · KL(p ‖ q), averaged over the tokens that carry loss in the rows it is on, with
    p = softmax(teacher / T) and q = softmax(student / T). Its gradient with respect to the student's logits
    is weight · T (q - p), so that T does not change how much it counts beside the cross-entropy.

    Where growth edits nothing of a frozen core, the teacher is the model itself with growth detached, and p
    is exact. Elsewhere the base model's `top_k` likeliest tokens are kept on disk, and all other tokens are
    one bucket, in p as in q: KL = Σ_top p log(p/q) + r_p log(r_p/r_q) with r = 1 - Σ_top. Merging tokens can
    only lower a KL divergence, and it is still zero where the two agree.

    Attributes:
        weight: How much it counts.
        temperature: T; above 1 it looks at unlikely tokens, too.
        on: `old`: replayed rows; `all`: every row.
        replaces_loss: The rows it is on have no cross-entropy of their own.
        top_k: Tokens kept at each place, where the teacher's answers have to be kept.
        cache_dir: The folder under output_dir that they are kept in.

    Source: G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", 2015, arXiv
        1503.02531, section 2, for T² and the soft targets; Z. Li, D. Hoiem, "Learning without Forgetting",
        2016, arXiv 1606.09282, for the old model as the teacher of the new one.
    Differs: KL instead of the cross-entropy with soft targets, which has the same gradient and is zero where
        the two agree.
    """

    weight: float
    temperature: float
    on: Literal["old", "all"]
    replaces_loss: bool
    top_k: int
    cache_dir: str

    def __post_init__(self) -> None:
        for name in ("weight", "temperature"):
            if getattr(self, name) <= 0:
                raise ValueError(
                    f"{name}={getattr(self, name)}: must be positive; regularizer=none turns it off."
                )
        if self.top_k < 1:
            raise ValueError(f"top_k={self.top_k}: must be at least 1.")
        if self.replaces_loss and self.on == "all":
            raise ValueError(
                "replaces_loss=true with on=all: no row would have a cross-entropy, so nothing new would be "
                "learnt. Use on=old."
            )

    @property
    def reads_old_data(self) -> bool:
        """Whether the run must know old data."""
        return self.on == "old"

    def refuse(self, settings: Settings) -> None:
        """Refuse settings under which it has no rows to be on, or no teacher worth following.

        Args:
            settings: The configuration.

        Raises:
            ConfigError: Nothing is replayed, or the model begins with random weights.
        """
        if self.on == "old" and not settings.replay:
            raise ConfigError(
                "regularizer.distillation.on=old: looks at replayed examples, and replay=none replays none. "
                "Choose replay=reservoir, or regularizer.distillation.on=all."
            )
        if settings.model.init != "pretrained":
            raise ConfigError(
                f"regularizer=distillation with model.init={settings.model.init}: a teacher with random "
                "weights knows nothing. Use model.init=pretrained, or leave distillation out."
            )

    def answers(self, logits_NV: Float[torch.Tensor, "N V"], top_k: int | None) -> Answers:
        """Take what is compared from a teacher's logits.

        Args:
            logits_NV: The teacher's logits.
            top_k: How many likeliest tokens; None for all tokens.

        Returns:
            Log-probabilities at the temperature.

        Raises:
            ConfigError: The vocabulary is not larger than `top_k`.
        """
        if top_k is None:
            return Answers(log_probs_NK=self._log_probs(logits_NV), ids_Nk=None)
        if top_k >= logits_NV.shape[1]:
            raise ConfigError(
                f"regularizer.distillation.top_k={top_k}: must be less than the {logits_NV.shape[1]} tokens "
                "of the model's vocabulary."
            )
        ids_Nk = logits_NV.topk(top_k).indices
        return Answers(log_probs_NK=self._merged(logits_NV, ids_Nk), ids_Nk=ids_Nk)

    def penalty(self, logits_NV: Float[torch.Tensor, "N V"], answers: Answers) -> torch.Tensor:
        """Compare the model with its teacher.

        Args:
            logits_NV: The model's logits.
            answers: The teacher's answers at the same places.

        Returns:
            weight · T² · KL, summed over the places.
        """
        log_q_NK = (
            self._log_probs(logits_NV) if answers.ids_Nk is None else self._merged(logits_NV, answers.ids_Nk)
        )
        kl = F.kl_div(log_q_NK, answers.log_probs_NK, log_target=True, reduction="sum")
        return self.weight * self.temperature**2 * kl

    def _log_probs(self, logits_NV: torch.Tensor) -> torch.Tensor:
        wide = torch.promote_types(logits_NV.dtype, torch.float32)
        return F.log_softmax(logits_NV.to(wide) / self.temperature, dim=-1)

    def _merged(self, logits_NV: torch.Tensor, ids_Nk: torch.Tensor) -> torch.Tensor:
        """Log-probabilities of some tokens and, last, of all others together.

        The rest is summed up, not taken as 1 - Σ: that would lose all digits where the rest is small.
        """
        log_probs_NV = self._log_probs(logits_NV)
        rest_N1 = log_probs_NV.scatter(1, ids_Nk, -torch.inf).logsumexp(1, keepdim=True)
        return torch.cat([log_probs_NV.gather(1, ids_Nk), rest_N1], dim=1)
