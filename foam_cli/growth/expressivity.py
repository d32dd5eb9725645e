"""How much of the gradient at an FFN's output its neurons can follow, and how much more new ones could."""

import torch
from jaxtyping import Float

from foam_cli.growth.context import FFNSample
from foam_cli.model.neurons import GrowableFFN

Basis = tuple[Float[torch.Tensor, "T R"], Float[torch.Tensor, " R"]]


def score(
    features_TK: Float[torch.Tensor, "T K"], g_TD: Float[torch.Tensor, "T D"], damping_frac: float
) -> float:
    """Natural-gradient score η = tr(A⁻¹ Mᵀ B⁻¹ M) with A = E[f fᵀ], B = E[g gᵀ] and M = E[g fᵀ].

    It counts the directions of the gradient that weights on these features could follow: the squared
    overlap of the spaces that features and gradients span over the tokens. A and B are damped by a fraction
    of their mean eigenvalue.

    Args:
        features_TK: What the weights are applied to, at each token.
        g_TD: The gradient at the output, at each token.
        damping_frac: The damping.

    Returns:
        η, between 0 and the number of directions of the gradient.

    Source: R. Mitchell, R. Menzenbach, K. Kersting, M. Mundt, "Self-Expanding Neural Networks", 2023,
        arXiv 2307.04526 (natural expansion score, Kronecker-factored).
    """
    features, gradients = _spanned(features_TK, damping_frac), _spanned(g_TD, damping_frac)
    overlaps = (features[0].T @ gradients[0]).square()
    return float(features[1] @ overlaps @ gradients[1])


def present_and_grown(ffn: GrowableFFN, sample: FFNSample, damping_frac: float) -> tuple[float, float]:
    """Score an FFN as it is, and as it would be with new neurons.

    New neurons are taken at the point where their in-rows are zero: what they can add is linear in the input.

    Args:
        ffn: The FFN.
        sample: What it sees.
        damping_frac: The damping of `score`.

    Returns:
        η of its neurons' activities, and η of those together with its input.
    """
    h_TN = neuron_activity(ffn, sample.x_TD)
    # Features of two kinds are put on one scale, so that damping weighs them alike.
    both_TK = torch.cat([_normalised(h_TN), _normalised(sample.x_TD)], dim=1)
    return score(_normalised(h_TN), sample.g_TD, damping_frac), score(both_TK, sample.g_TD, damping_frac)


@torch.no_grad()
def neuron_activity(ffn: GrowableFFN, x_TD: Float[torch.Tensor, "T D"]) -> Float[torch.Tensor, "T N"]:
    """Activity of all neurons of an FFN: what the out-projections are applied to.

    Args:
        ffn: The FFN.
        x_TD: Its input.

    Returns:
        Pretrained neurons, then the slots in use.
    """
    views, bank = ffn.views, ffn.bank
    up_TF = _linear(x_TD, views.up_FD, views.bias_F)
    if views.gate_FD is not None:
        core_TF = bank.activation(_linear(x_TD, views.gate_FD, views.gate_bias_F)) * up_TF
    else:
        core_TF = bank.activation(up_TF)
    return torch.cat([core_TF, bank.hidden(x_TD)], dim=1).to(x_TD.dtype)


def _spanned(rows_TK: Float[torch.Tensor, "T K"], damping_frac: float) -> Basis:
    """Orthonormal columns over the tokens, and how much of each is left by the damping."""
    left_TR, sigma_R, _ = torch.linalg.svd(rows_TK, full_matrices=False)
    power_R = sigma_R.square()
    damping = damping_frac * power_R.sum() / rows_TK.shape[1]
    return left_TR, power_R / (power_R + damping).clamp(min=torch.finfo(power_R.dtype).tiny)


def _linear(x_TD: torch.Tensor, rows_FD: torch.Tensor, bias_F: torch.Tensor | None) -> torch.Tensor:
    return torch.nn.functional.linear(x_TD, rows_FD.to(x_TD), None if bias_F is None else bias_F.to(x_TD))


def _normalised(rows_TK: Float[torch.Tensor, "T K"]) -> Float[torch.Tensor, "T K"]:
    return rows_TK / rows_TK.norm().clamp(min=torch.finfo(rows_TK.dtype).tiny)
