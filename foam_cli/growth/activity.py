"""How much neurons do: measures on the gated product h that goes into the out-projection."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float

from foam_cli.growth.context import NeuronSignals


@dataclass(frozen=True, kw_only=True)
class Recycled:
    """Which neurons a recycling rule gives up.

    Attributes:
        neurons: Their numbers, in the numbering of `NeuronSignals`.
        move_frac: At most how far giving them up moves the output, as a fraction of its size.
        num_dormant: Neurons that were dormant, whether given up or not.
        num_refused: Neurons that the rule chose but the tolerance refused.
    """

    neurons: tuple[int, ...]
    move_frac: float
    num_dormant: int
    num_refused: int


def dormancy(signals: NeuronSignals, alive_N: Bool[torch.Tensor, " N"]) -> Float[torch.Tensor, " N"]:
    """Activity of each neuron relative to its FFN: s_i = E|h_i| / mean_k E|h_k|.

    Args:
        signals: The statistics.
        alive_N: Which neurons exist; the mean runs over them.

    Returns:
        1 for a neuron as active as the mean, 0 for a silent one.

    Source: G. Sokar et al., "The Dormant Neuron Phenomenon in Deep Reinforcement Learning", 2023,
        arXiv 2302.12902, equation 1.
    """
    activity_N = signals.mean_abs_N
    mean = activity_N[alive_N].mean().clamp(min=torch.finfo(activity_N.dtype).tiny)
    return activity_N / mean


def output_moves(signals: NeuronSignals, down_ND: Float[torch.Tensor, "N D"]) -> Float[torch.Tensor, " N"]:
    """How far the output moves when a neuron is taken away: √E[h_i²] · ‖W_down[:,i]‖.

    This is the exact root mean square of the change over the measured tokens, and up to √tokens the Wanda
    score of the neuron's out-column.

    Args:
        signals: The statistics.
        down_ND: Out-columns, one row per neuron.

    Returns:
        One distance per neuron, in units of the residual stream.

    Source: M. Sun et al., "A Simple and Effective Pruning Approach for Large Language Models", 2023,
        arXiv 2306.11695, equation 1, summed over the out-column.
    """
    return signals.mean_square_N.sqrt() * down_ND.norm(dim=1)


def within_tolerance(
    chosen_G: torch.Tensor, moves_N: Float[torch.Tensor, " N"], max_move_frac: float
) -> tuple[tuple[int, ...], float]:
    """Keep of the chosen neurons as many as may go together.

    The moves are added up, which bounds the move of all, and compared to the size of the whole output, which
    is taken as the root of the summed squares of all moves (neurons being uncorrelated).

    Args:
        chosen_G: Neurons that a rule chose, those to go first at the front.
        moves_N: The move of each neuron of the FFN.
        max_move_frac: Tolerance, as a fraction of the size of the output.

    Returns:
        The neurons that may go, and the fraction of the output by which that moves it at most.
    """
    total = moves_N.norm().clamp(min=torch.finfo(moves_N.dtype).tiny)
    fractions = (moves_N[chosen_G].cumsum(0) / total).tolist()
    allowed = [fraction for fraction in fractions if fraction <= max_move_frac]
    return tuple(chosen_G[: len(allowed)].tolist()), allowed[-1] if allowed else 0.0
