"""What growth decides on: the words that all its methods share, as plain data."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float

from foam_cli.model.neurons import GrowableFFN

#: One mask per block over its neurons, numbered 0..F-1 for pretrained ones and F..F+C-1 for slots.
NeuronMasks = tuple[Bool[torch.Tensor, " N"], ...]


@dataclass(frozen=True, kw_only=True)
class NeuronSignals:
    """Running statistics of one block's neurons; numbered 0..F-1 for pretrained ones, F..F+C-1 for slots.

    Attributes:
        pressure_N: Running mean of the pressure on each neuron, up to a factor common to all.
        mean_abs_N: Running mean of |h_i|, h being the activity that goes into the out-projection.
        mean_square_N: Running mean of h_i².
        num_samples: Measurements so far.
    """

    pressure_N: Float[torch.Tensor, " N"]
    mean_abs_N: Float[torch.Tensor, " N"]
    mean_square_N: Float[torch.Tensor, " N"]
    num_samples: int


@dataclass(frozen=True, kw_only=True)
class GrowthContext:
    """What is known at a step.

    Attributes:
        step: Optimizer steps done.
        seed: The run's seed.
        ffns: The growable FFNs, one per block; empty where only blocks grow.
        signals: Their statistics, one per block; empty where nothing is tracked.
        validation_losses: (step, loss in nats) of every validation so far.
        block_births: For each block the step after which it was inserted, or None where it is pretrained.
    """

    step: int
    seed: int
    ffns: Sequence[GrowableFFN]
    signals: Sequence[NeuronSignals]
    validation_losses: Sequence[tuple[int, float]]
    block_births: Sequence[int | None]


@dataclass(frozen=True, kw_only=True)
class Firing:
    """A trigger's yes.

    Attributes:
        reason: Why, for people.
        candidates: The only neurons that may be sources, or None where the trigger does not mind.
    """

    reason: str
    candidates: NeuronMasks | None
