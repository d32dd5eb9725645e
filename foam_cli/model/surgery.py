"""Carries out a growth plan: the only code that edits neurons and blocks of a model in training."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import nn

from foam_cli.core.errors import GrowthError
from foam_cli.core.growth import GrowthPlan, GrowthRecord, NeuronBirths
from foam_cli.model.blocks import insert_block
from foam_cli.model.neurons import GrowableFFN, growable_ffns, num_parameters_in_use
from foam_cli.model.sites import find_blocks


@dataclass(frozen=True, kw_only=True)
class Touched:
    """What an event wrote or erased in one FFN; optimizers must forget what they know of it.

    Attributes:
        ffn: The FFN.
        slots: Slots of its bank that were written or erased.
        core: Pretrained neurons that were erased.
        divided: Pretrained neurons whose out-columns were rewritten, because newborns took a part of them.
        avoided_RD: Directions that the in-rows in these slots must not learn, or None.
    """

    ffn: GrowableFFN
    slots: tuple[int, ...]
    core: tuple[int, ...]
    divided: tuple[int, ...] = ()
    avoided_RD: Float[torch.Tensor, "R D"] | None = None


def apply(model: nn.Module, plan: GrowthPlan, step: int) -> tuple[GrowthRecord, list[Touched]]:
    """Carry out a plan: erase what is recycled, write the newborn, insert blocks.

    Everything is checked before anything is edited, so a refused plan leaves the model as it was. A plan
    that does not fit is a GrowthError: no such block, bank or neuron, no free slot left, rows of the wrong
    shape or that are not finite.

    Args:
        model: A model, made growable where the plan bears neurons; changed in place.
        plan: What to do.
        step: The optimizer step after which it happens; the newborn's date of birth.

    Returns:
        The record, and what the optimizers have to forget. New blocks are found by `block_births`.
    """
    _check_blocks(model, plan)
    ffns = growable_ffns(model)
    for births in plan.neurons:
        _check(births, ffns)
    before = num_parameters_in_use(model)
    touched = [_bear(ffns[births.block], births, step) for births in plan.neurons]
    for after in sorted((birth.after for birth in plan.blocks), reverse=True):
        insert_block(model, after, step)
    record = GrowthRecord(
        event=plan.event,
        step=step,
        reason=plan.reason,
        born={births.block: len(births.up_GD) for births in plan.neurons},
        recycled={births.block: list(births.recycled) for births in plan.neurons if births.recycled},
        blocks_after=[birth.after for birth in plan.blocks],
        parameters_before=before,
        parameters_after=num_parameters_in_use(model),
        notes=dict(plan.notes),
    )
    return record, touched


@torch.no_grad()
def _bear(ffn: GrowableFFN, births: NeuronBirths, step: int) -> Touched:
    core = tuple(index for index in births.recycled if index < ffn.width)
    erased = [index - ffn.width for index in births.recycled if index >= ffn.width]
    divided = _rewrite_sources(ffn, births)
    erase_core(ffn, core)
    ffn.bank.erase(erased)
    slots = ffn.bank.free_slots()[: len(births.up_GD)]
    for rows, newborn in _rows(ffn, births):
        if rows is not None and newborn is not None:
            rows[slots] = newborn.to(rows)
    ffn.bank.live_C[slots] = True
    ffn.bank.birth_C[slots] = step
    ffn.bank.recount()
    written = tuple(sorted({*slots, *erased}))
    return Touched(ffn=ffn, slots=written, core=core, divided=divided, avoided_RD=births.avoided_RD)


def _rewrite_sources(ffn: GrowableFFN, births: NeuronBirths) -> tuple[int, ...]:
    if births.sources_down_GD is None:
        return ()
    for index, down_D in zip(births.sources, births.sources_down_GD, strict=True):
        assert index is not None
        row = ffn.views.down_FD[index] if index < ffn.width else ffn.bank.down_CD[index - ffn.width]
        row.copy_(down_D)
    return tuple(index for index in births.sources if index is not None and index < ffn.width)


@torch.no_grad()
def erase_core(ffn: GrowableFFN, neurons: Sequence[int]) -> None:
    """Set pretrained neurons to zero; again, where an optimizer moved them after they were recycled.

    Args:
        ffn: The FFN.
        neurons: Their indices.
    """

    def index(places: Sequence[int]) -> torch.Tensor:
        return torch.tensor(places, dtype=torch.int64, device=ffn.core_live_F.device)

    for parameter, dim in ffn.views.neuron_parameters():
        parameter.index_fill_(dim, index(ffn.views.places(parameter, dim, neurons)), 0.0)
    ffn.core_live_F.index_fill_(0, index(neurons), 0)


def _rows(ffn: GrowableFFN, births: NeuronBirths) -> list[tuple[nn.Parameter | None, torch.Tensor | None]]:
    bank = ffn.bank
    return [
        (bank.up_CD, births.up_GD),
        (bank.gate_CD, births.gate_GD),
        (bank.bias_C, births.bias_G),
        (bank.gate_bias_C, births.gate_bias_G),
        (bank.down_CD, births.down_GD),
    ]


def _check_blocks(model: nn.Module, plan: GrowthPlan) -> None:
    if not plan.blocks:
        return
    num_blocks = len(find_blocks(model)[1])
    for birth in plan.blocks:
        if not 0 <= birth.after < num_blocks:
            raise GrowthError(
                f"event {plan.event}: no block {birth.after} to copy; there are blocks 0 to {num_blocks - 1}"
            )


def _check(births: NeuronBirths, ffns: list[GrowableFFN]) -> None:
    where = f"block {births.block}"
    if not 0 <= births.block < len(ffns):
        raise GrowthError(f"neurons planned for {where}, but the model has {len(ffns)} growable FFNs")
    ffn = ffns[births.block]
    _check_recycled(births, ffn)
    num_freed = sum(index >= ffn.width for index in births.recycled)
    room = len(ffn.bank.free_slots()) + num_freed
    if len(births.up_GD) > room:
        raise GrowthError(
            f"{where}: {len(births.up_GD)} neurons do not fit, {room} of {ffn.bank.capacity} slots are free; "
            "lower growth.max_neurons_per_event or growth.max_events, or give the banks more capacity"
        )
    for rows, newborn in _rows(ffn, births):
        may_be_zero = rows is not None and rows.ndim == 1
        if (rows is None) != (newborn is None) and not (newborn is None and may_be_zero):
            raise GrowthError(
                f"{where}: the plan's rows do not fit the FFN's layout ({type(ffn.core).__name__})"
            )
        if rows is None or newborn is None:
            continue
        if newborn.shape != (len(births.up_GD), *rows.shape[1:]):
            raise GrowthError(
                f"{where}: rows of shape {tuple(newborn.shape)} do not fit slots {tuple(rows.shape)}"
            )
        if not bool(newborn.isfinite().all()):
            raise GrowthError(f"{where}: the initializer made rows that are not finite")
    _check_avoided(births, where)


def _check_avoided(births: NeuronBirths, where: str) -> None:
    if births.avoided_RD is None:
        return
    avoided_RD = births.avoided_RD.double()
    overlaps_RR = avoided_RD @ avoided_RD.T - torch.eye(len(avoided_RD)).to(avoided_RD)
    if avoided_RD.shape[1] != births.up_GD.shape[1] or not bool((overlaps_RR.abs() < 1e-3).all()):
        raise GrowthError(
            f"{where}: directions of shape {tuple(avoided_RD.shape)} to avoid are not orthonormal, or do not "
            f"fit in-rows of {births.up_GD.shape[1]} weights"
        )


def _check_divided(births: NeuronBirths, alive: list[bool]) -> None:
    if births.sources_down_GD is None:
        return
    sources = [index for index in births.sources if index is not None and 0 <= index < len(alive)]
    usable = {index for index in sources if alive[index]} - {*births.recycled}
    if len(usable) != len(births.sources) or births.sources_down_GD.shape != births.down_GD.shape:
        raise GrowthError(
            f"block {births.block}: out-columns of sources {list(births.sources)} cannot be divided: every "
            "newborn needs a living source of its own that is not recycled"
        )
    if not bool(births.sources_down_GD.isfinite().all()):
        raise GrowthError(f"block {births.block}: the initializer made rows that are not finite")


def _check_recycled(births: NeuronBirths, ffn: GrowableFFN) -> None:
    alive = torch.cat([ffn.core_live_F, ffn.bank.live_C]).tolist()
    _check_divided(births, alive)
    repeated = [index for index, count in Counter(births.recycled).items() if count > 1]
    wrong = [index for index in births.recycled if not 0 <= index < len(alive) or not alive[index]]
    if wrong or repeated:
        raise GrowthError(
            f"block {births.block}: cannot recycle neurons {sorted({*wrong, *repeated})}: no such living "
            "neuron, or named twice"
        )
