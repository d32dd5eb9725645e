"""What each family of growth methods must offer.

Beside these a method may declare, as class attributes (False where it says nothing): a trigger
`fires_before_training`, `reads_validation` or `reads_neurons`, a placement `reads_pressure` and `scope`
(`global` where one limit holds over all blocks, else `block`), a recycling rule `reads_activity`, an
initializer `edits_sources`, `needs_frozen_sources` or `reads_old_data`. An initializer that changes what the
model computes declares `preserves_function = False`, and offers `settle` too.
What does not go together is refused when the policy is built, or when the settings of the run are known.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int

from foam_cli.core.growth import GrowthPlan, NeuronBirths
from foam_cli.growth.activity import Recycled
from foam_cli.growth.context import Firing, GrowthContext, NeuronMasks, NeuronSignals
from foam_cli.growth.signals import PressureTracker
from foam_cli.model.neurons import GrowableFFN

State = dict[str, Any]


@runtime_checkable
class Trigger(Protocol):
    """When: its state is plain data, passed in and out."""

    def max_events(self, total_steps: int) -> int:
        """How often it can fire in a run of so many steps."""
        ...

    def initial_state(self) -> State:
        """What it remembers at first."""
        ...

    def check(self, state: State, context: GrowthContext) -> tuple[Firing | None, State]:
        """Decide, and say what it remembers next."""
        ...


@runtime_checkable
class NeuronPlacement(Protocol):
    """Where new neurons go: beside which sources."""

    def choose_neurons(
        self, context: GrowthContext, eligible: NeuronMasks, limit: int
    ) -> dict[int, tuple[int, ...]]:
        """Choose the sources in each block that grows."""
        ...


@runtime_checkable
class BlockPlacement(Protocol):
    """Where new blocks go: behind which blocks."""

    def choose_blocks(self, context: GrowthContext, limit: int) -> tuple[int, ...]:
        """Choose the blocks to copy."""
        ...


@runtime_checkable
class Initializer(Protocol):
    """With what newborn neurons begin."""

    def bear(self, context: GrowthContext, block: int, sources: tuple[int, ...], event: int) -> NeuronBirths:
        """Make the rows of one block's newborn."""
        ...


@runtime_checkable
class SettlingInitializer(Initializer, Protocol):
    """An initializer that does not preserve the function, and answers for what it changes."""

    def settle(self, context: GrowthContext, births: tuple[NeuronBirths, ...]) -> tuple[NeuronBirths, ...]:
        """Scale all births of one event so that the loss on the measured batches does not rise."""
        ...


@runtime_checkable
class Maturation(Protocol):
    """How young neurons are protected."""

    def multipliers(self, age_C: Int[torch.Tensor, " C"]) -> Float[torch.Tensor, " C"]:
        """Learning-rate multipliers by age."""
        ...

    def is_protected(self, age_C: Int[torch.Tensor, " C"]) -> Bool[torch.Tensor, " C"]:
        """Which neurons may be neither recycled nor copied from."""
        ...


@runtime_checkable
class Recycling(Protocol):
    """Which dead neurons make room."""

    def choose(
        self,
        signals: NeuronSignals,
        eligible_N: Bool[torch.Tensor, " N"],
        down_ND: Float[torch.Tensor, "N D"],
        limit: int,
    ) -> Recycled | None:
        """Choose at most `limit` neurons of one FFN, or None where nothing can be said."""
        ...


@runtime_checkable
class GrowthPolicy(Protocol):
    """What the training loop asks."""

    def capacity(self, total_steps: int, width: int) -> int:
        """Slots that each block may come to need."""
        ...

    def initial_state(self) -> State:
        """What it remembers at first."""
        ...

    def tracker(self, ffns: Sequence[GrowableFFN]) -> PressureTracker | None:
        """Make what measures the neurons, or None where nothing needs to be measured."""
        ...

    def plan(self, state: State, context: GrowthContext) -> tuple[GrowthPlan | None, State]:
        """Decide whether and how to grow, and say what it remembers next."""
        ...

    def multipliers(self, age_C: Int[torch.Tensor, " C"]) -> Float[torch.Tensor, " C"]:
        """Learning-rate multipliers of grown neurons by age."""
        ...

    def block_lr_scale(self, age_steps: int) -> float:
        """Learning-rate multiplier of a new block by age."""
        ...
