"""What one period of a run holds in memory and computes, by the rules of the code that will do it."""

import copy
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import PreTrainedModel

from foam_cli.core.settings import Settings
from foam_cli.engine import machine
from foam_cli.engine.defence_costs import (
    WeightCosts,
    held_by_regularizers,
    penalty_on_shapes,
    weight_costs,
)
from foam_cli.engine.optimizers import select_trainable
from foam_cli.engine.periods import Period
from foam_cli.model.blocks import insert_block
from foam_cli.model.blueprint import blueprint, move_tensors
from foam_cli.model.loading import weights_dtype
from foam_cli.model.lora import add_lora
from foam_cli.model.neurons import NeuronBank, growable_ffns, make_growable, round_up_capacity
from foam_cli.model.optimizer import Kind, groups_of
from foam_cli.model.sites import find_blocks, find_ffn_sites
from foam_cli.model.trace import PassCosts, head_alone, trace_pass

#: bitsandbytes keeps fp32 moments of smaller tensors, and one scale per so many numbers of larger ones.
_MIN_8BIT_NUMEL, _BLOCK_8BIT = 4096, 256
#: Its two tables of 256 numbers that say what 8 bits mean.
_TABLES_8BIT_BYTES = 2 * 256 * 4


@dataclass(frozen=True, kw_only=True)
class PeriodCosts:
    """What a period costs.

    Attributes:
        period: The period.
        parameters: Parameters in use, as an export would have them if nothing is recycled.
        trainable: Those of them that learn.
        held: Bytes by part of what is there all the time.
        fullest: Bytes by part of what comes on top at the fullest moment of a step.
        gradient_bytes: All gradients.
        kept_bytes: Activations that one backward pass needs.
        flops_per_step: Of one optimizer step.
    """

    period: Period
    parameters: int
    trainable: int
    held: dict[str, int]
    fullest: dict[str, int]
    gradient_bytes: int
    kept_bytes: int
    flops_per_step: float

    @property
    def total_bytes(self) -> int:
        """Memory at the fullest moment."""
        return sum(self.held.values()) + sum(self.fullest.values())

    @property
    def parts(self) -> dict[str, int]:
        """All parts at the fullest moment."""
        return {**self.held, **self.fullest}


@dataclass(frozen=True, kw_only=True)
class Structure:
    """A model's shapes in one period.

    Attributes:
        model: The model, on the meta device.
        core: Pretrained parameters and those of inserted blocks that learn, by name.
        banks: The banks.
        parameters: Parameters in use.
    """

    model: PreTrainedModel
    core: list[tuple[str, nn.Parameter]]
    banks: list[NeuronBank]
    parameters: int


def build_structure(config: Any, settings: Settings, period: Period) -> Structure:
    """Build the model of a period the way a run does.

    Args:
        config: The base model's config; it is not changed.
        settings: The configuration.
        period: Which period.

    Returns:
        Its shapes.
    """
    policy = settings.growth
    model = blueprint(copy.deepcopy(config), weights_dtype(settings.hardware.precision))
    machine.suit(model, settings.hardware)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    width = max(site.views.width for site in find_ffn_sites(model)) if policy else 0
    capacity = policy.capacity(settings.total_steps, width) if policy else 0
    banks = [ffn.bank for ffn in make_growable(model, capacity)] if capacity else []
    if settings.train.lora is not None:
        add_lora(model, settings.train.lora, settings.seed)
    core = select_trainable(model, settings.train)
    for chosen in period.insertions:
        for after in sorted(chosen, reverse=True):
            block = insert_block(model, after, period.step)
            for parameter in block.parameters():
                parameter.requires_grad_(True)
            core += block.named_parameters()
            parameters += sum(parameter.numel() for parameter in block.parameters())
    for bank in banks:
        used = round_up_capacity(period.neurons_per_block)
        bank.num_slots_in_use = bank.capacity if settings.hardware.compile else min(used, bank.capacity)
    per_neuron = banks[0].numel_per_neuron if banks else 0
    parameters += period.num_neurons * per_neuron
    return Structure(model=model, core=core, banks=banks, parameters=parameters)


@dataclass(frozen=True, kw_only=True)
class Traced:
    """What was recorded of a period.

    Attributes:
        usual: A usual pass.
        fullest: The pass that needs most memory: one in which neurons are measured, where that makes a
            difference.
        weights: What penalties on weights need.
    """

    usual: PassCosts
    fullest: PassCosts
    weights: WeightCosts


#: Passes that were recorded already, by what makes a difference to them within one plan.
Passes = dict[tuple[int, tuple[tuple[int, ...], ...]], Traced]


def _in_empty_slots(model: nn.Module, period: Period) -> int:
    """Count the parameters of slots that hold no neuron yet; shapes do not say which slots are live."""
    banks = [ffn.bank for ffn in growable_ffns(model)]
    slots = sum(bank.capacity for bank in banks)
    return (slots - period.num_neurons) * banks[0].numel_per_neuron if banks else 0


def period_costs(
    config: Any, settings: Settings, period: Period, shape_BT: tuple[int, int], known: Passes
) -> PeriodCosts:
    """Find out what a period costs.

    Args:
        config: The base model's config.
        settings: The configuration.
        period: Which period.
        shape_BT: Rows and tokens per row of the largest batch.
        known: Passes of the plan's other periods; this one's is added.

    Returns:
        Its costs.
    """
    structure = build_structure(config, settings, period)
    held = held_bytes(structure, settings, period)
    learning = [parameter for parameter in structure.model.parameters() if parameter.requires_grad]
    gradient_bytes = sum(map(_bytes, learning))
    optimizer_workspace = step_workspace_bytes(structure, settings.hardware.optimizer)
    key = (structure.banks[0].num_slots_in_use if structure.banks else 0, period.insertions)
    if key not in known:
        known[key] = traced(structure, settings, shape_BT)
    found = known[key]
    workspace = max(found.weights.pull_bytes, optimizer_workspace)
    step = {"gradients": gradient_bytes, "workspace": workspace}
    stage_end = {"workspace": found.weights.stage_bytes}
    together = {"activations": 0, "logits": 0, "gradients": 0, "workspace": 0}
    largest = max(found.fullest.fullest, step, stage_end, key=lambda parts: sum(parts.values()))
    return PeriodCosts(
        period=period,
        parameters=structure.parameters,
        trainable=sum(parameter.numel() for parameter in learning) - _in_empty_slots(structure.model, period),
        held=held,
        fullest=together | largest,
        gradient_bytes=gradient_bytes,
        kept_bytes=found.fullest.kept_bytes,
        flops_per_step=float(found.usual.flops * settings.train.accumulate),
    )


def held_bytes(structure: Structure, settings: Settings, period: Period) -> dict[str, int]:
    """What is in memory from one step to the next.

    Args:
        structure: The model.
        settings: The configuration.
        period: The period.

    Returns:
        Bytes by part.
    """
    model, policy = structure.model, settings.growth
    tensors = [*model.parameters(), *model.buffers()]
    of_banks = {id(one) for bank in structure.banks for one in (*bank.parameters(), *bank.buffers())}
    of_banks |= {id(ffn.core_live_F) for ffn in growable_ffns(model)}
    confined = bool(period.num_events) and getattr(
        getattr(policy, "initializer", None), "reads_old_data", False
    )
    return {
        "weights": sum(_bytes(one) for one in tensors if id(one) not in of_banks),
        "bank": sum(_bytes(one) for one in tensors if id(one) in of_banks),
        "optimizer": core_state_bytes(structure.core, settings.hardware.optimizer)
        + sum(bank_state_bytes(bank, confined=confined) for bank in structure.banks),
        "regularizers": held_by_regularizers(model, settings),
        "statistics": sum(3 * 4 * (ffn.width + ffn.bank.capacity) for ffn in growable_ffns(model)),
    }


def core_state_bytes(named: Sequence[tuple[str, nn.Parameter]], optimizer: Kind) -> int:
    """What `CoreOptimizer` keeps: moments, step counts, and the bits that bf16 drops.

    Args:
        named: The parameters that learn.
        optimizer: Its kind.

    Returns:
        Bytes.
    """
    total = 0
    for parameters, kind, _ in groups_of(named, optimizer, 0.0):
        large = [one.numel() for one in parameters if one.numel() >= _MIN_8BIT_NUMEL]
        for parameter in parameters:
            numel = parameter.numel()
            total += 2 * numel if parameter.dtype == torch.bfloat16 else 0
            if kind == "muon":
                total += 4 * numel
            elif kind == "adamw":
                total += 8 * numel + 4
            elif numel < _MIN_8BIT_NUMEL:
                total += 8 * numel
            else:
                total += 2 * numel + 2 * 4 * -(-numel // _BLOCK_8BIT)
        total += _TABLES_8BIT_BYTES if kind == "adamw8bit" and large else 0
    return total


def bank_state_bytes(bank: NeuronBank, *, confined: bool) -> int:
    """What `NeuronAdamW` keeps of a bank.

    Args:
        bank: The bank.
        confined: Whether neurons avoid directions: as many as there are, at the most.

    Returns:
        Bytes.
    """
    moments = sum(8 * parameter.numel() for parameter in bank.parameters())
    width = bank.up_CD.shape[1]
    return moments + 12 * bank.capacity + (4 * width * width + bank.capacity if confined else 0)


def step_workspace_bytes(structure: Structure, optimizer: Kind) -> int:
    """What an optimizer step needs for a moment, beside gradients and state.

    bf16 parameters are rebuilt a chunk at a time: fp32 weights and gradients, and three 32-bit numbers more
    of the parameter that is being cut in two again. AdamW updates fp32 ones in place, Muon makes a few
    matrices of one's size in bf16; banks take four numbers per weight of one matrix.

    Args:
        structure: The model.
        optimizer: The optimizer's kind.

    Returns:
        Bytes.
    """
    needs = [16 * bank.up_CD.numel() + 52 * bank.capacity for bank in structure.banks]
    for parameters, kind, _ in groups_of(structure.core, optimizer, 0.0):
        largest = max(one.numel() for one in parameters)
        if parameters[0].dtype == torch.bfloat16:
            needs.append(8 * sum(one.numel() for one in parameters) + 12 * largest)
        elif kind == "muon":
            needs.append(14 * largest)
    return max([0, *needs])


def flops_of_passes(
    structure: Structure, settings: Settings, tokens: int, attended: int, targets: int
) -> int:
    """Operations of training passes, forward and backward.

    They are a BT for the products of weights with tokens, plus b BT² for attention, plus c N for the output
    layer; a, b and c are found from three small passes that are recorded.

    Args:
        structure: The model; its tensors become fake ones.
        settings: The configuration.
        tokens: Σ B T over all passes.
        attended: Σ B T².
        targets: Σ N.

    Returns:
        Operations.
    """
    model = structure.model
    hardware = replace(settings.hardware, device="cpu")
    with FakeTensorMode():
        move_tensors(model, "cpu")
        head = head_alone(model)

        def flops(num_tokens: int, num_targets: int) -> int:
            autocast, shape_BT = machine.autocast(hardware), (1, num_tokens)
            return trace_pass(model, head, shape_BT, autocast=autocast, num_targets=num_targets).flops

        short, long, more = flops(8, 8), flops(16, 8), flops(8, 16)
    per_target = (more - short) / 8
    per_pair = (long - 2 * short + 8 * per_target) / 128  # of 16² pairs 2 · 8² are in two short ones
    per_token = (short - 64 * per_pair - 8 * per_target) / 8
    return round(per_token * tokens + per_pair * attended + per_target * targets)


def traced(structure: Structure, settings: Settings, shape_BT: tuple[int, int]) -> Traced:
    """Record a pass, and what regularizers do, without memory.

    Args:
        structure: The model; its tensors become fake ones.
        settings: The configuration.
        shape_BT: Rows and tokens per row.

    Returns:
        What was recorded.
    """
    model, policy = structure.model, settings.growth
    # Fake tensors are on the CPU whatever the profile says, so that a plan is the same on every machine.
    settings = replace(settings, hardware=replace(settings.hardware, device="cpu"))
    with FakeTensorMode():
        move_tensors(model, "cpu")
        head = head_alone(model)
        weights = weight_costs(model, head, settings, shape_BT[1])
        penalty = penalty_on_shapes(model, head, settings, shape_BT)

        def trace(watch: Any) -> PassCosts:
            return trace_pass(
                model,
                head,
                shape_BT,
                autocast=machine.autocast(settings.hardware),
                has_gradients=settings.train.accumulate > 1,
                watch=watch,
                penalty=penalty,
            )

        usual = trace(nullcontext())
        ffns = growable_ffns(model)
        if not ffns or settings.train.parameters != "grown":
            return Traced(usual=usual, fullest=usual, weights=weights)
        watched = trace(policy.tracker(ffns).watch(0))
        return Traced(usual=usual, fullest=watched, weights=weights)


def base_shape(config: Any, *, grows: bool) -> tuple[int, int, int]:
    """Look at a base model's shape.

    Args:
        config: Its config.
        grows: Whether it will grow; if not, its blocks may be of a kind that cannot.

    Returns:
        Its parameters, its blocks, and the neurons of its widest FFN; where it does not grow, the latter
        two are 0.
    """
    model = blueprint(copy.deepcopy(config), torch.float32)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if not grows:
        return parameters, 0, 0
    width = max(site.views.width for site in find_ffn_sites(model))
    return parameters, len(find_blocks(model)[1]), width


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()
