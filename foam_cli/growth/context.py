"""What growth decides on: the words that all its methods share, as plain data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float

from foam_cli.core.errors import GrowthError
from foam_cli.core.growth import NeuronBirths
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
class FFNSample:
    """What one FFN sees, and what the loss asks of it, at T tokens; tokens without a gradient are left out.

    Attributes:
        x_TD: Its input.
        g_TD: The gradient of the mean loss per target with respect to its output.
    """

    x_TD: Float[torch.Tensor, "T D"]
    g_TD: Float[torch.Tensor, "T D"]


#: `new` is what is being learnt, `old` what the base model was trained on.
Pool = Literal["new", "old"]


@runtime_checkable
class Measure(Protocol):
    """Looks at the model on a few batches when a method asks; nothing is changed by it.

    A step's answers are all of the same batches, which depend on (seed, step) alone.
    """

    def ffn_samples(self, pool: Pool) -> Sequence[FFNSample]:
        """Sample every growable FFN: one forward and backward pass."""
        ...

    def input_moments(self, pool: Pool) -> Sequence[Float[torch.Tensor, "D D"]]:
        """E[x xᵀ] of every growable FFN's input, over more tokens than a sample keeps: forward passes."""
        ...

    def loss_with(self, births: Sequence[NeuronBirths]) -> float:
        """The mean loss on new data in nats if these were born and nothing recycled: a forward pass."""
        ...

    def skip_losses(self) -> Sequence[float]:
        """For each block the change in nats of the loss when it is skipped: one pass for each, and one."""
        ...


class NoMeasure:
    """Stands where nothing can be measured."""

    def ffn_samples(self, pool: Pool) -> Sequence[FFNSample]:
        """Refuse.

        Args:
            pool: Which data.

        Returns:
            Nothing.

        Raises:
            GrowthError: Always.
        """
        raise GrowthError(f"a growth method asked for gradients on {pool} data, but no data can be measured")

    def input_moments(self, pool: Pool) -> Sequence[Float[torch.Tensor, "D D"]]:
        """Refuse.

        Args:
            pool: Which data.

        Returns:
            Nothing.

        Raises:
            GrowthError: Always.
        """
        raise GrowthError(f"a growth method asked for inputs on {pool} data, but no data can be measured")

    def loss_with(self, births: Sequence[NeuronBirths]) -> float:
        """Refuse.

        Args:
            births: The newborns.

        Returns:
            Nothing.

        Raises:
            GrowthError: Always.
        """
        raise GrowthError(
            f"a growth method asked for the loss with {len(births)} births, but no data can be measured"
        )

    def skip_losses(self) -> Sequence[float]:
        """Refuse.

        Returns:
            Nothing.

        Raises:
            GrowthError: Always.
        """
        raise GrowthError("a growth method asked for losses, but no data can be measured")


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
        measure: What else can be found out, at the cost of a pass through the model.
    """

    step: int
    seed: int
    ffns: Sequence[GrowableFFN]
    signals: Sequence[NeuronSignals]
    validation_losses: Sequence[tuple[int, float]]
    block_births: Sequence[int | None]
    measure: Measure = field(default_factory=NoMeasure)


@dataclass(frozen=True, kw_only=True)
class Firing:
    """A trigger's yes.

    Attributes:
        reason: Why, for people.
        candidates: The only neurons that may be sources, or None where the trigger does not mind.
    """

    reason: str
    candidates: NeuronMasks | None
