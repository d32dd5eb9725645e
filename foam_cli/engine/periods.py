"""How a model grows through a run, as far as that is known beforehand: a list of periods."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from foam_cli.core.settings import Settings
from foam_cli.growth.context import GrowthContext, NoMeasure
from foam_cli.growth.policy import BlockGrowth, NeuronGrowth
from foam_cli.growth.protocols import Trigger


@dataclass(frozen=True, kw_only=True)
class Period:
    """The steps between two growth events.

    Attributes:
        step: The optimizer step after which it begins; 0 is the start.
        num_events: Events so far.
        neurons_per_block: Neurons born in each block so far.
        num_neurons: Neurons born in all blocks so far.
        insertions: For every event the blocks that were copied, numbered as they were then.
    """

    step: int
    num_events: int = 0
    neurons_per_block: int = 0
    num_neurons: int = 0
    insertions: tuple[tuple[int, ...], ...] = ()


def periods_of(settings: Settings, num_blocks: int, width: int) -> list[Period]:
    """Follow the growth of a run; where data decides, it grows as early and as much as it may.

    Args:
        settings: The configuration.
        num_blocks: Blocks of the base model.
        width: Neurons of its widest FFN.

    Returns:
        The periods, the first one from step 0 on.
    """
    periods = [Period(step=0)]
    policy = settings.growth
    if not isinstance(policy, NeuronGrowth | BlockGrowth):
        return periods
    births: list[int | None] = [None] * num_blocks
    for step in event_steps(policy.trigger, policy.max_events, settings):
        last = periods[-1]
        if isinstance(policy, NeuronGrowth):
            grown = _with_neurons(last, policy, num_blocks, width)
        else:
            chosen = _chosen_blocks(policy, births, step, settings.seed)
            for after in sorted(chosen, reverse=True):
                births.insert(after + 1, step)
            grown = replace(last, insertions=(*last.insertions, chosen))
        grown = replace(grown, step=step, num_events=last.num_events + 1)
        periods = [*periods[:-1], grown] if step == last.step else [*periods, grown]
    return periods


def event_steps(trigger: Trigger, max_events: int | None, settings: Settings) -> list[int]:
    """The earliest steps after which a trigger can have fired once, twice and so on.

    A trigger says how often it can fire within so many steps, or validations where it waits for those; the
    first number for which that rises is when it does.

    Args:
        trigger: The trigger.
        max_events: The policy's limit.
        settings: The configuration.

    Returns:
        The steps, all before the last one.
    """
    every = 1
    if getattr(trigger, "reads_validation", False):
        every = settings.train.validate_every_steps or settings.total_steps
    found: list[int] = []
    for count in range(-(-settings.total_steps // every)):
        possible = trigger.max_events(count)
        if max_events is not None:
            possible = min(possible, max_events)
        found += [count * every] * (possible - len(found))
    return found


def _with_neurons(last: Period, policy: NeuronGrowth, num_blocks: int, width: int) -> Period:
    limit = policy.max_neurons_per_event
    if getattr(policy.placement, "scope", "block") == "global" and limit is not None:
        total = last.num_neurons + limit
        return replace(last, num_neurons=total, neurons_per_block=-(-total // num_blocks))
    per_block = last.neurons_per_block + (width if limit is None else limit)
    return replace(last, neurons_per_block=per_block, num_neurons=per_block * num_blocks)


def _chosen_blocks(
    policy: BlockGrowth, births: Sequence[int | None], step: int, seed: int
) -> tuple[int, ...]:
    context = GrowthContext(
        step=step,
        seed=seed,
        ffns=[],
        signals=[],
        validation_losses=[],
        block_births=list(births),
        measure=_LowestFirst(len(births)),
    )
    return policy.placement.choose_blocks(context, policy.max_blocks_per_event)


class _LowestFirst(NoMeasure):
    """Lets placements that measure choose the lowest blocks: behind those the backward pass is longest."""

    def __init__(self, num_blocks: int) -> None:
        self._num_blocks = num_blocks

    def skip_losses(self) -> Sequence[float]:
        """Say that all blocks matter alike.

        Returns:
            Zeros.
        """
        return [0.0] * self._num_blocks
