"""Leading singular values of M_a = Σ_t a_t g_t x_tᵀ by products of tokens with directions, without M_a."""

import torch
from jaxtyping import Float

_TINY = 1e-30
#: Passes that rank candidates, from nothing and from an earlier answer; the winner is sharpened afterwards.
_FIRST_PASSES, _NEXT_PASSES = 4, 2
_BLOCK = 16
_MAX_PASSES = 200


def leading(
    activity_KT: Float[torch.Tensor, "K T"],
    g_TD: Float[torch.Tensor, "T D"],
    x_TD: Float[torch.Tensor, "T D"],
    v_KD: Float[torch.Tensor, "K D"] | None,
) -> tuple[Float[torch.Tensor, " K"], Float[torch.Tensor, "K D"]]:
    """Estimate σ₁ of many matrices at once by a few passes of power iteration.

    Args:
        activity_KT: The weights a of K matrices.
        g_TD: Left factors.
        x_TD: Right factors.
        v_KD: Where to begin, such as an earlier answer, or None.

    Returns:
        Lower bounds of σ₁, tight up to a few percent, and the right directions found.
    """
    num_passes = _FIRST_PASSES if v_KD is None else _NEXT_PASSES
    if v_KD is None:  # one more half pass, from the mean gradient
        v_KD = _unit((activity_KT * (g_TD.sum(0) @ g_TD.T)) @ x_TD)
    sigma_K = v_KD.new_zeros(len(v_KD))
    for _ in range(num_passes):
        u_KD = _unit((activity_KT * (v_KD @ x_TD.T)) @ g_TD)
        w_KD = (activity_KT * (u_KD @ g_TD.T)) @ x_TD
        sigma_K, v_KD = w_KD.norm(dim=1), _unit(w_KD)
    return sigma_K, v_KD


def sharpened(
    activity_T: Float[torch.Tensor, " T"],
    g_TD: Float[torch.Tensor, "T D"],
    x_TE: Float[torch.Tensor, "T E"],
    v_E: Float[torch.Tensor, " E"],
) -> tuple[Float[torch.Tensor, ""], Float[torch.Tensor, " D"]]:
    """Compute σ₁ and its left singular vector to the precision of the dtype.

    A block of directions is iterated together, so that close singular values do not slow it down.

    Args:
        activity_T: The weights a.
        g_TD: Left factors.
        x_TE: Right factors.
        v_E: A right direction to begin with.

    Returns:
        σ₁ and u₁.

    Source: N. Halko, P. Martinsson, J. Tropp, "Finding structure with randomness", 2009, arXiv 0909.4061,
        algorithm 4.4 (subspace iteration) and 5.1 (the singular values within it).
    """
    weighted_TE = activity_T[:, None] * x_TE
    generator = torch.Generator().manual_seed(0)
    block_KE = torch.randn(min(_BLOCK, len(v_E)), len(v_E), generator=generator).to(v_E)
    block_KE[0] = v_E
    tolerance = 4 * torch.finfo(v_E.dtype).eps
    before = -1.0
    sigma, u_D = v_E.new_zeros(()), g_TD[0]
    for _ in range(_MAX_PASSES):
        left_DK = torch.linalg.qr(g_TD.T @ (weighted_TE @ block_KE.T)).Q
        u_KK, sigma_K, block_KE = torch.linalg.svd((left_DK.T @ g_TD.T) @ weighted_TE, full_matrices=False)
        sigma, u_D = sigma_K[0], left_DK @ u_KK[:, 0]
        if float(sigma) - before <= tolerance * float(sigma):
            break
        before = float(sigma)
    return sigma, u_D


def _unit(rows_KD: Float[torch.Tensor, "K D"]) -> Float[torch.Tensor, "K D"]:
    return rows_KD / rows_KD.norm(dim=1, keepdim=True).clamp(min=_TINY)
