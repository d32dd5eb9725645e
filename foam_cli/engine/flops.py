"""The operations of a run that was done: its training passes, with the shapes that the model had at each."""

from collections.abc import Sequence
from typing import Any

from foam_cli.core.growth import GrowthRecord
from foam_cli.core.settings import Settings
from foam_cli.engine.costs import Structure, build_structure, flops_of_passes
from foam_cli.engine.periods import Period
from foam_cli.engine.state import RunState, Work
from foam_cli.model.neurons import round_up_capacity

#: What of growth makes a difference to operations: slots in use by block, and the blocks inserted by event.
Shape = tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]


def training_flops(config: Any, settings: Settings, state: RunState, widths: Sequence[int]) -> int:
    """Count the operations of all training passes, forward and backward.

    Matrix products and attention count, as in `foam plan`, but with the batches and the growth that there
    were. A teacher's passes, measurements, evaluation and the optimizer's own arithmetic do not.

    Args:
        config: The base model's config.
        settings: The configuration.
        state: The run's state after its last step.
        widths: Pretrained neurons of every FFN that may grow.

    Returns:
        Floating-point operations.
    """
    alike: dict[Shape, list[Work]] = {}
    for work in state.work:
        alike.setdefault(_shape(state.records[: work.num_events], widths), []).append(work)
    return sum(
        flops_of_passes(
            _structure(config, settings, shape),
            settings,
            tokens=sum(work.tokens for work in works),
            attended=sum(work.attended for work in works),
            targets=sum(work.targets for work in works),
        )
        for shape, works in alike.items()
    )


def _shape(records: Sequence[GrowthRecord], widths: Sequence[int]) -> Shape:
    slots: list[int] = []
    for block, width in enumerate(widths):
        born = sum(record.born.get(block, 0) for record in records)
        # Newborns take the lowest free slots, and an event frees no more slots than it fills: no gaps stay.
        freed = sum(index >= width for record in records for index in record.recycled.get(block, []))
        slots.append(round_up_capacity(born - freed))
    inserted = (tuple(sorted(record.blocks_after)) for record in records if record.blocks_after)
    return tuple(slots), tuple(inserted)


def _structure(config: Any, settings: Settings, shape: Shape) -> Structure:
    slots, insertions = shape
    structure = build_structure(config, settings, Period(step=0, insertions=insertions))
    for bank, used in zip(structure.banks, slots, strict=True):
        bank.num_slots_in_use = bank.capacity if settings.hardware.compile else min(used, bank.capacity)
    return structure
