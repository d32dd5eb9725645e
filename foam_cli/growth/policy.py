"""Puts when, where, with what and how protected together: signals in, a plan out; edits nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int

from foam_cli.core.growth import BlockBirth, GrowthPlan, NeuronBirths
from foam_cli.growth.activity import Recycled
from foam_cli.growth.context import Firing, GrowthContext, NeuronMasks
from foam_cli.growth.neuron_view import ages, neuron_rows, unprotected
from foam_cli.growth.protocols import (
    BlockPlacement,
    Initializer,
    Maturation,
    NeuronPlacement,
    Recycling,
    SettlingInitializer,
    Trigger,
)
from foam_cli.growth.signals import PressureTracker
from foam_cli.model.neurons import GrowableFFN


@dataclass(frozen=True, kw_only=True)
class NeuronGrowth:
    """Grows neurons in the FFNs, and recycles dead ones.

    Attributes:
        trigger: When.
        placement: Where.
        initializer: With what.
        maturation: How the young are protected.
        recycling: Which dead neurons make room.
        max_neurons_per_event: Neurons born by one event: per block where the placement's scope is `block`,
            over all blocks where it is `global`. None is as many as may be sources; the banks then have room
            for one newborn beside each pretrained neuron and event.
        max_events: Events of a run, or None for as many as the trigger makes.
        track_every_steps: Steps between measurements of the neurons.
        pressure_decay: Decay per step of the running mean of the pressure.
        activity_decay: Decay per step of the running means of the activity.
    """

    trigger: Trigger
    placement: NeuronPlacement
    initializer: Initializer
    maturation: Maturation
    recycling: Recycling
    max_neurons_per_event: int | None
    max_events: int | None
    track_every_steps: int
    pressure_decay: float
    activity_decay: float

    def __post_init__(self) -> None:
        if not hasattr(self.placement, "choose_neurons"):
            raise ValueError(
                f"placement={type(self.placement).__name__} places blocks, but this growth is of neurons: "
                "choose a placement of neurons such as top_pressure, or growth=block_schedule."
            )
        if getattr(self.trigger, "fires_before_training", False):
            self._refuse_what_needs_signals()
        for name in ("max_neurons_per_event", "track_every_steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}={value}: must be at least 1.")
        _check_max_events(self.max_events)

    def _refuse_what_needs_signals(self) -> None:
        for name, what, instead in (("placement", "pressure", "uniform"), ("recycling", "activity", "none")):
            method = getattr(self, name)
            if getattr(method, f"reads_{what}", False):
                raise ValueError(
                    f"trigger={type(self.trigger).__name__} does not fit here with "
                    f"{name}={type(method).__name__}: before the first step no {what} has been measured. "
                    f"Choose {name}={instead}, or a trigger that fires during training."
                )

    def capacity(self, total_steps: int, width: int) -> int:
        """Slots that each block may come to need.

        Args:
            total_steps: Optimizer steps of the run.
            width: Pretrained neurons of the widest FFN.

        Returns:
            Neurons per event times events; nothing is subtracted for recycled slots.
        """
        per_event = width if self.max_neurons_per_event is None else self.max_neurons_per_event
        return per_event * _num_events(self.trigger, self.max_events, total_steps)

    def initial_state(self) -> dict[str, Any]:
        """What the policy remembers at first.

        Returns:
            Plain data.
        """
        return _initial_state(self.trigger)

    def tracker(self, ffns: Sequence[GrowableFFN]) -> PressureTracker:
        """Make what measures the neurons.

        Args:
            ffns: The growable FFNs, one per block.

        Returns:
            A tracker that has seen nothing.
        """
        return PressureTracker(
            ffns,
            every_steps=self.track_every_steps,
            pressure_decay=self.pressure_decay,
            activity_decay=self.activity_decay,
        )

    def multipliers(self, age_C: Int[torch.Tensor, " C"]) -> Float[torch.Tensor, " C"]:
        """Learning-rate multipliers of grown neurons.

        Args:
            age_C: Optimizer steps since birth.

        Returns:
            One factor per slot.
        """
        return self.maturation.multipliers(age_C)

    def block_lr_scale(self, age_steps: int) -> float:
        """Warm-up of new blocks.

        Args:
            age_steps: Not looked at: this policy grows no blocks.

        Returns:
            1.
        """
        del age_steps
        return 1.0

    def plan(self, state: dict[str, Any], context: GrowthContext) -> tuple[GrowthPlan | None, dict[str, Any]]:
        """Decide whether and how to grow.

        Args:
            state: What the policy remembers.
            context: What is known at this step.

        Returns:
            A plan or None, and what the policy remembers next.
        """
        firing, state = self.ask(state, context)
        if firing is None:
            return None, state
        event = state["num_events"] + 1
        births, notes = self._births(firing, context, event)
        if not births:
            return None, state
        plan = GrowthPlan(event=event, step=context.step, reason=firing.reason, neurons=births, notes=notes)
        return plan, {**state, "num_events": event}

    def ask(self, state: dict[str, Any], context: GrowthContext) -> tuple[Firing | None, dict[str, Any]]:
        """Ask the trigger alone: the first half of `plan`, for whoever carries out the second one otherwise.

        Args:
            state: What the policy remembers.
            context: What is known at this step.

        Returns:
            A firing or None, and what the policy remembers next.
        """
        return _ask(self.trigger, self.max_events, state, context)

    def mature(self, context: GrowthContext) -> NeuronMasks:
        """Find out which neurons may be copied from or recycled.

        Args:
            context: What is known.

        Returns:
            One mask per block: living neurons that are not protected.
        """
        return tuple(
            unprotected(ffn, self.maturation.is_protected(ages(ffn, context.step))) for ffn in context.ffns
        )

    def sources(self, firing: Firing, context: GrowthContext) -> dict[int, tuple[int, ...]]:
        """Choose beside whom to grow.

        Args:
            firing: The trigger's yes.
            context: What is known.

        Returns:
            For each block that grows its sources.
        """
        mature, wanted = self.mature(context), firing.candidates
        eligible = mature if wanted is None else tuple(a & b for a, b in zip(mature, wanted, strict=True))
        limit = self.max_neurons_per_event
        limit = sum(len(mask) for mask in eligible) if limit is None else limit
        return self.placement.choose_neurons(context, eligible, limit)

    def _births(
        self, firing: Firing, context: GrowthContext, event: int
    ) -> tuple[tuple[NeuronBirths, ...], dict[str, Any]]:
        mature, chosen = self.mature(context), self.sources(firing, context)
        births: list[NeuronBirths] = []
        notes: dict[str, Any] = {}
        for block, ffn in enumerate(context.ffns):
            sources = chosen.get(block, ())
            recycled = self._recycle(context, mature, block, sources)
            if recycled is not None:
                _note(notes, block, recycled)
            given_up = () if recycled is None else recycled.neurons
            room = len(ffn.bank.free_slots()) + sum(index >= ffn.width for index in given_up)
            if sources[:room]:
                born = self.initializer.bear(context, block, sources[:room], event)
                if len(born.up_GD):
                    births.append(replace(born, recycled=given_up[: len(born.up_GD)]))
        if births and isinstance(self.initializer, SettlingInitializer):
            return self.initializer.settle(context, tuple(births)), notes
        return tuple(births), notes

    def _recycle(
        self, context: GrowthContext, mature: NeuronMasks, block: int, sources: tuple[int, ...]
    ) -> Recycled | None:
        eligible_N = mature[block].clone()
        eligible_N[list(sources)] = False
        down_ND = neuron_rows(context.ffns[block]).down_ND
        return self.recycling.choose(context.signals[block], eligible_N, down_ND, len(sources))


@dataclass(frozen=True, kw_only=True)
class BlockGrowth:
    """Grows whole blocks.

    Attributes:
        trigger: When.
        placement: Where.
        warmup_steps: Steps over which a new block's learning rate rises from its birth.
        max_blocks_per_event: Blocks inserted by one event.
        max_events: Events of a run, or None for as many as the trigger makes.
    """

    trigger: Trigger
    placement: BlockPlacement
    warmup_steps: int
    max_blocks_per_event: int
    max_events: int | None

    def __post_init__(self) -> None:
        if not hasattr(self.placement, "choose_blocks"):
            raise ValueError(
                f"placement={type(self.placement).__name__} places neurons, but this growth is of blocks: "
                "choose a placement of blocks such as every_nth_block, or growth=v3."
            )
        if getattr(self.trigger, "reads_neurons", False):
            raise ValueError(
                f"trigger={type(self.trigger).__name__} does not fit here: it looks at neurons, but this "
                "growth is of blocks. Choose trigger=schedule, plateau or once, or growth=v3."
            )
        if self.max_blocks_per_event < 1 or self.warmup_steps < 0:
            raise ValueError(
                f"max_blocks_per_event={self.max_blocks_per_event}, warmup_steps={self.warmup_steps}: "
                "must be at least 1 and 0."
            )
        _check_max_events(self.max_events)

    def capacity(self, total_steps: int, width: int) -> int:
        """Slots that each block may come to need.

        Args:
            total_steps: Not looked at.
            width: Not looked at.

        Returns:
            0: no neurons grow, so the FFNs need no banks.
        """
        del total_steps, width
        return 0

    def initial_state(self) -> dict[str, Any]:
        """What the policy remembers at first.

        Returns:
            Plain data.
        """
        return _initial_state(self.trigger)

    def tracker(self, ffns: Sequence[GrowableFFN]) -> None:
        """Measure nothing.

        Args:
            ffns: Not looked at.
        """
        del ffns

    def multipliers(self, age_C: Int[torch.Tensor, " C"]) -> Float[torch.Tensor, " C"]:
        """Learning-rate multipliers of grown neurons, of which this policy has none.

        Args:
            age_C: Optimizer steps since birth.

        Returns:
            Ones.
        """
        return torch.ones_like(age_C, dtype=torch.float32)

    def block_lr_scale(self, age_steps: int) -> float:
        """Warm-up of new blocks.

        Args:
            age_steps: Optimizer steps that the block has had.

        Returns:
            The factor of its next step's learning rate: 1/warmup_steps for the first, 1 after the warm-up.
        """
        return min(1.0, (age_steps + 1) / max(1, self.warmup_steps))

    def plan(self, state: dict[str, Any], context: GrowthContext) -> tuple[GrowthPlan | None, dict[str, Any]]:
        """Decide whether and how to grow.

        Args:
            state: What the policy remembers.
            context: What is known at this step.

        Returns:
            A plan or None, and what the policy remembers next.
        """
        firing, state = _ask(self.trigger, self.max_events, state, context)
        if firing is None:
            return None, state
        event = state["num_events"] + 1
        after = self.placement.choose_blocks(context, self.max_blocks_per_event)
        if not after:
            return None, state
        blocks = tuple(BlockBirth(after=index) for index in after)
        plan = GrowthPlan(event=event, step=context.step, reason=firing.reason, blocks=blocks)
        return plan, {**state, "num_events": event}


def _initial_state(trigger: Trigger) -> dict[str, Any]:
    return {"num_events": 0, "trigger": trigger.initial_state()}


def _ask(
    trigger: Trigger, max_events: int | None, state: dict[str, Any], context: GrowthContext
) -> tuple[Firing | None, dict[str, Any]]:
    if max_events is not None and state["num_events"] >= max_events:
        return None, state
    firing, trigger_state = trigger.check(state["trigger"], context)
    return firing, {**state, "trigger": trigger_state}


def _num_events(trigger: Trigger, max_events: int | None, total_steps: int) -> int:
    possible = trigger.max_events(total_steps)
    return possible if max_events is None else min(possible, max_events)


def _check_max_events(max_events: int | None) -> None:
    if max_events is not None and max_events < 1:
        raise ValueError(
            f"max_events={max_events}: null lets the trigger decide, growth=none turns growth off."
        )


def _note(notes: dict[str, Any], block: int, recycled: Recycled) -> None:
    notes.setdefault("num_dormant", {})[str(block)] = recycled.num_dormant
    if recycled.neurons:
        notes.setdefault("recycled_move_frac", {})[str(block)] = recycled.move_frac
    if recycled.num_refused:
        notes.setdefault("num_recycling_refused", {})[str(block)] = recycled.num_refused
