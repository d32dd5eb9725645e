"""What growth says to surgery (plan) and what surgery says back (record): plain data, no behaviour."""

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float


@dataclass(frozen=True, kw_only=True)
class NeuronBirths:
    """G neurons to be born in the FFN of one block, as rows that are ready to be written.

    Attributes:
        block: Index of the block.
        up_GD: In-rows of the (only, or ungated) in-projection.
        gate_GD: In-rows of the gate, or None where the FFN is plain.
        bias_G: Biases of the in-projection, or None where it has none or they are zero.
        down_GD: Out-columns, one row per neuron; E = D but beside a single linear layer.
        sources: For each newborn the neuron it descends from, in the numbering below, or None.
        recycled: Neurons that are erased by the same event. Numbering: 0..F-1 are the pretrained neurons,
            F..F+C-1 the slots of the bank.
        sources_down_GD: The out-columns that the sources have from now on, or None where they keep theirs.
            Sources are then given, and differ from each other.
        gate_bias_G: Biases of the gate, or None where it has none or they are zero.
        avoided_RD: Orthonormal directions that the in-rows are to stay orthogonal to while they learn, or
            None where they learn freely. Biases of such neurons do not learn.
    """

    block: int
    up_GD: Float[torch.Tensor, "G D"]
    gate_GD: Float[torch.Tensor, "G D"] | None
    bias_G: Float[torch.Tensor, " G"] | None
    down_GD: Float[torch.Tensor, "G E"]
    sources: tuple[int | None, ...]
    recycled: tuple[int, ...] = ()
    sources_down_GD: Float[torch.Tensor, "G E"] | None = None
    gate_bias_G: Float[torch.Tensor, " G"] | None = None
    avoided_RD: Float[torch.Tensor, "R D"] | None = None


@dataclass(frozen=True, kw_only=True)
class BlockBirth:
    """One block to be inserted.

    Attributes:
        after: Index of the block that is copied; the copy comes right behind it. Indices of one plan all
            refer to the model as it is before the plan is applied.
    """

    after: int


@dataclass(frozen=True, kw_only=True)
class GrowthPlan:
    """One growth event, decided but not carried out.

    Attributes:
        event: Running number of the event, from 1.
        step: The optimizer step after which it happens.
        reason: Why the trigger fired, for people.
        neurons: Births of neurons, at most one entry per block.
        blocks: Births of blocks.
        notes: Further facts worth logging (e.g. how many neurons were dormant).
    """

    event: int
    step: int
    reason: str
    neurons: tuple[NeuronBirths, ...] = ()
    blocks: tuple[BlockBirth, ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class GrowthRecord:
    """One growth event as it happened: one line of growth.jsonl.

    Attributes:
        event: Running number of the event, from 1.
        step: The optimizer step after which it happened.
        reason: Why the trigger fired.
        born: Neurons born, per block: {block: number}.
        recycled: Neurons erased, per block: {block: [indices]}.
        blocks_after: The `after` of every block that was inserted.
        parameters_before: Parameters in use (live slots only) before the event.
        parameters_after: Parameters in use after the event.
        max_abs_dlogits: Largest change of a logit on the probe batch.
        loss_before_nats: Loss on the probe batch before the event.
        loss_after_nats: Loss on the probe batch after the event.
        seconds: Time the event took, planning and measuring included.
        notes: Whatever the plan noted.
    """

    event: int
    step: int
    reason: str
    born: dict[int, int]
    recycled: dict[int, list[int]]
    blocks_after: list[int]
    parameters_before: int
    parameters_after: int
    max_abs_dlogits: float | None = None
    loss_before_nats: float | None = None
    loss_after_nats: float | None = None
    seconds: float | None = None
    notes: dict[str, Any] = field(default_factory=dict)
