"""Begin where the gradient will be largest."""

from dataclasses import dataclass

import torch
from jaxtyping import Float

from foam_cli.core.errors import GrowthError
from foam_cli.core.growth import NeuronBirths
from foam_cli.core.seeds import rng
from foam_cli.growth.context import FFNSample, GrowthContext
from foam_cli.growth.neuron_view import neuron_rows
from foam_cli.growth.power_iteration import leading, sharpened
from foam_cli.model.neurons import GrowableFFN

_TINY = 1e-12
_NO_SIGNAL = 1e-6
#: Candidates that are looked at anew together.
_LOOK = 16


@dataclass(frozen=True, kw_only=True)
class GradMax:
    """The out-column is the direction in which the in-rows, which begin at zero, get the largest gradient.

    With x the FFN's input, g the gradient at its output and c the size of the new out-columns:

    - plain FFN: in-rows and bias are zero, the out-columns c u_i with u_i the leading left singular vectors
      of M = Σ g xᵀ. Then ‖∇W_new‖² = φ'(0)² c² Σ σ_i², the largest that G orthogonal out-columns can have.
    - gated FFN: the gate is a copy of a pretrained gate w (with its bias), w_up is zero, the out-column is
      c u with u the leading left singular vector of M_w = Σ φ(w·x) g xᵀ. Then ‖∇w_up‖ = c σ₁(M_w). Of the
      candidates for w the one of largest σ₁ / ‖φ(w·x)‖ is taken; what its u explains is taken out of g for
      the next neuron.
      All products are of tokens with directions; M_w is never formed.

    Directions that no gradient points in bear no neurons, so fewer may be born than were asked for.

    Attributes:
        column_frac: c, as a fraction of the mean norm of the pretrained out-columns.
        num_candidates: Pretrained gates that are drawn as candidates for w, at each event anew.

    Source: U. Evci et al., "GradMax: Growing Neural Networks using Gradient Information", 2022,
        arXiv 2201.05125.
    Differs: the gated case, which the paper does not have.
    """

    column_frac: float
    num_candidates: int

    def __post_init__(self) -> None:
        if self.column_frac <= 0 or self.num_candidates < 1:
            raise ValueError(
                f"column_frac={self.column_frac}, num_candidates={self.num_candidates}: must be positive."
            )

    def bear(self, context: GrowthContext, block: int, sources: tuple[int, ...], event: int) -> NeuronBirths:
        """Make the rows of one block's newborn.

        Args:
            context: What is known; one pass over new data is measured.
            block: The block.
            sources: Only counted: at most one newborn for each.
            event: The event's number; the draw of candidates depends on it.

        Returns:
            The births.
        """
        ffn = context.ffns[block]
        sample = context.measure.ffn_samples("new")[block]
        size = self.column_frac * float(ffn.views.down_FD[ffn.core_live_F].float().norm(dim=1).mean())
        if ffn.bank.gate_CD is None:
            directions_GD, gates = _plain(ffn, sample, len(sources)), ()
        else:
            live = ffn.core_live_F.nonzero().flatten().tolist()
            draw = rng(context.seed, "gradmax", event, block)
            candidates = sorted(draw.sample(live, min(self.num_candidates, len(live))))
            directions_GD, gates = _gated(ffn, sample, candidates, len(sources))
        down_GD = (size * directions_GD).float()
        rows = neuron_rows(ffn)
        return NeuronBirths(
            block=block,
            up_GD=torch.zeros_like(down_GD),
            gate_GD=None if rows.gate_ND is None else rows.gate_ND[list(gates)],
            bias_G=None if ffn.bank.bias_C is None else torch.zeros_like(down_GD[:, 0]),
            gate_bias_G=None if rows.gate_bias_N is None else rows.gate_bias_N[list(gates)],
            down_GD=down_GD,
            sources=gates or (None,) * len(down_GD),
        )


def _plain(ffn: GrowableFFN, sample: FFNSample, num: int) -> Float[torch.Tensor, "G D"]:
    zero = torch.zeros(1, requires_grad=True)
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(ffn.bank.activation(zero).sum(), zero)
    if slope.item() == 0:
        raise GrowthError(
            "growth.initializer=gradmax does not fit here: the activation of "
            f"{type(ffn.core).__name__} has no slope at 0, so neurons with zero in-rows would never learn. "
            "Use copy_noise or random."
        )
    u_DD, sigma_D, _ = torch.linalg.svd(sample.g_TD.T @ sample.x_TD)
    num = min(num, int((sigma_D > _NO_SIGNAL * sigma_D[0]).sum()))
    return u_DD[:, :num].T


def _gated(
    ffn: GrowableFFN, sample: FFNSample, candidates: list[int], num: int
) -> tuple[Float[torch.Tensor, "G D"], tuple[int, ...]]:
    x_TD, g_TD = sample.x_TD, sample.g_TD
    gate_FD, bias_F = ffn.views.gate_FD, ffn.views.gate_bias_F
    assert gate_FD is not None
    gated_KT = gate_FD[candidates].to(x_TD) @ x_TD.T
    activity_KT = ffn.bank.activation(
        gated_KT if bias_F is None else gated_KT + bias_F[candidates, None].to(x_TD)
    )
    ranking = _Ranking(activity_KT, g_TD, x_TD)
    directions: list[torch.Tensor] = []
    gates: list[int] = []
    first = 0.0
    for _ in range(min(num, x_TD.shape[1])):
        best = ranking.best(g_TD, x_TD)
        sigma, u_D = sharpened(activity_KT[best], g_TD, x_TD, ranking.v_KD[best])
        first = first or float(sigma)
        if float(sigma) <= _NO_SIGNAL * first:
            break
        directions.append(u_D)
        gates.append(candidates[best])
        g_TD = g_TD - (g_TD @ u_D)[:, None] * u_D
        ranking.known_K.fill_(False)
    return torch.stack(directions) if directions else x_TD[:0], tuple(gates)


class _Ranking:
    """Candidates by σ₁ / ‖φ(w·x)‖, while g loses one direction after the other.

    No score rises by that, so an old score is an upper bound, and only those on top are looked at anew.

    Source: M. Minoux, "Accelerated greedy algorithms for maximizing submodular set functions", 1978.
    """

    def __init__(
        self,
        activity_KT: Float[torch.Tensor, "K T"],
        g_TD: Float[torch.Tensor, "T D"],
        x_TD: Float[torch.Tensor, "T D"],
    ):
        self._activity_KT = activity_KT
        self._size_K = activity_KT.norm(dim=1).clamp(min=_TINY)
        sigma_K, self.v_KD = leading(activity_KT, g_TD, x_TD, None)
        self._score_K = sigma_K / self._size_K
        self.known_K = torch.ones_like(self._score_K, dtype=torch.bool)

    def best(self, g_TD: Float[torch.Tensor, "T D"], x_TD: Float[torch.Tensor, "T D"]) -> int:
        """The candidate of the largest score for this g."""
        while not self.known_K[best := int(self._score_K.argmax())]:
            unknown_K = self._score_K.masked_fill(self.known_K, -1.0)
            look_k = unknown_K.topk(min(_LOOK, int((~self.known_K).sum()))).indices
            sigma_k, self.v_KD[look_k] = leading(self._activity_KT[look_k], g_TD, x_TD, self.v_KD[look_k])
            self._score_K[look_k] = sigma_k / self._size_K[look_k]
            self.known_K[look_k] = True
        return best
