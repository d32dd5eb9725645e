"""Begin as what the FFN lacks most to follow the gradient, as large as lowers the loss."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch.nn import functional as F

from foam_cli.core.growth import NeuronBirths
from foam_cli.growth.context import FFNSample, GrowthContext
from foam_cli.growth.expressivity import neuron_activity
from foam_cli.growth.neuron_view import neuron_rows
from foam_cli.growth.newborn import newborn_output, scaled
from foam_cli.growth.power_iteration import sharpened
from foam_cli.model.neurons import GrowableFFN

_NO_SIGNAL = 1e-6

#: In-row (with the bias behind it, where there is one) and out-column of one neuron.
Pair = tuple[Float[torch.Tensor, " E"], Float[torch.Tensor, " D"]]


@dataclass(frozen=True, kw_only=True)
class Tiny:
    """Newborns follow the part of the gradient that no change of the present out-projection could.

    With x the FFN's input, h the activity of its neurons, and v what is left of -g, g being the gradient at
    the FFN's output, after the best linear function of h is taken from it:

    - plain FFN: S = E[x xᵀ], N = E[x vᵀ], S^{-1/2} N = U Λ Vᵀ. In-rows are the columns of S^{-1/2} U √Λ, and
      out-columns those of V √Λ. Where the FFN has biases, x ends in a 1.
    - gated FFN: the gate is a copy of the source's gate w (with its bias). What the neuron can add is then
      linear in φ(w·x) x, so the same is done with φ(w·x) x in place of x, and the leading pair is taken. It
      is the best fit of v by one such neuron, and what it fits is taken out of v for the next.

    The function changes: √γ scales in-rows and out-columns of all that are born together, and γ is the one of
    some amplitudes that gives the lowest loss on the measured batches. At the largest the newborns of some
    block add as much as all its other neurons; each next one is half. Where none lowers the loss, out-columns
    are zero and the function is preserved.

    Directions that no gradient points in bear no neurons, so fewer may be born than were asked for.

    Attributes:
        damping_frac: Added to the diagonals of S and of E[h hᵀ], as a fraction of their mean eigenvalue.
        num_amplitudes: How many γ are tried, each at the cost of a forward pass.

    Source: M. Verbockhaven, T. Rudkiewicz, S. Chevallier, G. Charpiat, "Growing Tiny Networks: Spotting
        Expressivity Bottlenecks and Fixing Them Optimally", 2024, arXiv 2405.19816.
    Differs: the gated case, which the paper does not have. Damping, without which as many neurons as tokens
        would leave nothing of v. One amplitude for all blocks that grow together, by halving, and one
        measurement for both directions and amplitude.
    """

    preserves_function: ClassVar[bool] = False

    damping_frac: float
    num_amplitudes: int

    def __post_init__(self) -> None:
        if self.damping_frac <= 0 or self.num_amplitudes < 1:
            raise ValueError(
                f"damping_frac={self.damping_frac}, num_amplitudes={self.num_amplitudes}: must be positive."
            )

    def bear(self, context: GrowthContext, block: int, sources: tuple[int, ...], event: int) -> NeuronBirths:
        """Make the rows of one block's newborn, of an amplitude that `settle` finds.

        Args:
            context: What is known; one pass over new data is measured.
            block: The block.
            sources: Whose gates are copied; where the FFN is plain they are only counted.
            event: Not looked at: nothing is random.

        Returns:
            The births.
        """
        del event
        ffn, sample = context.ffns[block], context.measure.ffn_samples("new")[block]
        rows, chosen, has_bias = neuron_rows(ffn), list(sources), ffn.bank.bias_C is not None
        v_TD = self._residual(ffn, sample)
        x_TE = _with_one(sample.x_TD) if has_bias else sample.x_TD
        if rows.gate_ND is None:
            pairs = self._plain(x_TE, v_TD, len(sources))
        else:
            bias_G = None if rows.gate_bias_N is None else rows.gate_bias_N[chosen].to(x_TE)
            gated_TG = F.linear(sample.x_TD, rows.gate_ND[chosen].to(x_TE), bias_G)
            pairs = list(self._gated(x_TE, v_TD, ffn.bank.activation(gated_TG).T))
        chosen = chosen[: len(pairs)]
        in_GE = torch.stack([u_E for u_E, _ in pairs]) if pairs else x_TE[:0]
        down_GD = torch.stack([omega_D for _, omega_D in pairs]) if pairs else v_TD[:0]
        width = sample.x_TD.shape[1]
        return NeuronBirths(
            block=block,
            up_GD=in_GE[:, :width].float(),
            gate_GD=None if rows.gate_ND is None else rows.gate_ND[chosen],
            bias_G=in_GE[:, width].float() if has_bias else None,
            gate_bias_G=None if rows.gate_bias_N is None else rows.gate_bias_N[chosen],
            down_GD=down_GD.float(),
            sources=(None,) * len(chosen) if rows.gate_ND is None else tuple(chosen),
        )

    def settle(self, context: GrowthContext, births: tuple[NeuronBirths, ...]) -> tuple[NeuronBirths, ...]:
        """Find the amplitude of all that are born together.

        Args:
            context: What is known; some forward passes over new data are measured.
            births: From `bear`.

        Returns:
            The births, scaled.
        """
        largest = 1 / max(_share(context, one) for one in births)
        loss = context.measure.loss_with(())
        best = tuple(scaled(one, largest**0.5, 0.0) for one in births)
        for halvings in range(self.num_amplitudes):
            root = (largest / 2**halvings) ** 0.5
            tried = tuple(scaled(one, root, root) for one in births)
            found = context.measure.loss_with(tried)
            if found < loss:
                loss, best = found, tried
        return best

    def _residual(self, ffn: GrowableFFN, sample: FFNSample) -> Float[torch.Tensor, "T D"]:
        h_TN = neuron_activity(ffn, sample.x_TD)
        if getattr(ffn.views.down, "bias", None) is not None:
            h_TN = _with_one(h_TN)
        kernel_TT = h_TN @ h_TN.T
        damping = self.damping_frac * kernel_TT.trace() / h_TN.shape[1]
        # What ridge regression leaves, by products of tokens: v - H (HᵀH + d)⁻¹ Hᵀ v = d (H Hᵀ + d)⁻¹ v.
        kernel_TT.diagonal().add_(damping)
        return -damping * torch.linalg.solve(kernel_TT, sample.g_TD)

    def _root(self, x_TE: Float[torch.Tensor, "T E"]) -> Float[torch.Tensor, "E E"]:
        """R with R Rᵀ = S. Any root gives the same neurons as the symmetric one: it only turns U."""
        s_EE = x_TE.T @ x_TE / len(x_TE)
        s_EE.diagonal().add_(self.damping_frac * s_EE.trace() / len(s_EE))
        return torch.linalg.cholesky(s_EE)

    def _plain(
        self, x_TE: Float[torch.Tensor, "T E"], v_TD: Float[torch.Tensor, "T D"], num: int
    ) -> list[Pair]:
        root_EE = self._root(x_TE)
        n_ED = x_TE.T @ v_TD / len(x_TE)
        whitened_ED = torch.linalg.solve_triangular(root_EE, n_ED, upper=False)
        u_ER, sigma_R, v_RD = torch.linalg.svd(whitened_ED, full_matrices=False)
        num = min(num, int((sigma_R > _NO_SIGNAL * sigma_R[0]).sum()))
        in_ER = torch.linalg.solve_triangular(root_EE.T, u_ER, upper=True) * sigma_R.sqrt()
        out_RD = sigma_R.sqrt()[:, None] * v_RD
        return list(zip(in_ER.T[:num], out_RD[:num], strict=True))

    def _gated(
        self,
        x_TE: Float[torch.Tensor, "T E"],
        v_TD: Float[torch.Tensor, "T D"],
        activity_GT: Float[torch.Tensor, "G T"],
    ) -> Iterator[Pair]:
        first = 0.0
        for activity_T in activity_GT:
            gated_TE = activity_T[:, None] * x_TE
            root_EE = self._root(gated_TE)
            white_TE = torch.linalg.solve_triangular(root_EE, gated_TE.T, upper=False).T / len(x_TE)
            sigma, omega_D = sharpened(torch.ones_like(activity_T), v_TD, white_TE, white_TE.mean(0))
            first = first or float(sigma)
            if float(sigma) <= _NO_SIGNAL * first:
                return
            u_E = (v_TD @ omega_D) @ white_TE / sigma
            u_E = torch.linalg.solve_triangular(root_EE.T, u_E[:, None], upper=True)[:, 0]
            yield sigma.sqrt() * u_E, sigma.sqrt() * omega_D
            v_TD = v_TD - torch.outer(sigma * (gated_TE @ u_E), omega_D)


def _share(context: GrowthContext, births: NeuronBirths) -> float:
    """How much newborns would add to an FFN's output, relative to what its neurons give."""
    ffn, x_TD = context.ffns[births.block], context.measure.ffn_samples("new")[births.block].x_TD
    added_TD = newborn_output(births, ffn.bank.activation, x_TD)
    h_TN = neuron_activity(ffn, x_TD)
    present_TD = h_TN @ neuron_rows(ffn).down_ND[: h_TN.shape[1]].to(x_TD)
    tiny = torch.finfo(x_TD.dtype).tiny
    return max(tiny, float(added_TD.norm() / present_TD.norm().clamp(min=tiny)))


def _with_one(rows_TK: Float[torch.Tensor, "T K"]) -> Float[torch.Tensor, "T L"]:
    return torch.cat([rows_TK, torch.ones_like(rows_TK[:, :1])], dim=1)
