"""What growth added, alone: one small safetensors file that goes back onto the base it came from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from foam_cli.core.errors import ExportError, ModelError
from foam_cli.core.files import file_written_aside
from foam_cli.core.growth import GrowthPlan, NeuronBirths
from foam_cli.core.settings import ModelSettings
from foam_cli.export.delta_file import Delta, digest, read_delta, write_delta
from foam_cli.export.facts import ExportFacts
from foam_cli.export.merge import plain_names
from foam_cli.export.parity import max_difference
from foam_cli.model.blocks import block_births, growth_detached, insert_block
from foam_cli.model.loading import load_base
from foam_cli.model.lora import lora_layers
from foam_cli.model.neurons import GrowableFFN, growable_ffns, make_growable
from foam_cli.model.sites import find_blocks
from foam_cli.model.surgery import apply

_ROWS = ("up_CD", "gate_CD", "bias_C", "gate_bias_C", "down_CD")


@dataclass(frozen=True, kw_only=True)
class DeltaReport:
    """What a growth delta holds.

    Attributes:
        file: Where it is.
        num_neurons: Grown neurons.
        num_blocks: Inserted blocks.
        num_parameters: Numbers in the file.
        num_bytes: Size of the file.
        max_abs_dlogits: Largest difference of a logit on the probe, running model against base plus file.
        tolerance: What was allowed.
    """

    file: Path
    num_neurons: int
    num_blocks: int
    num_parameters: int
    num_bytes: int
    max_abs_dlogits: float
    tolerance: float


def save_delta(model: Any, base: Any, file: Path, facts: ExportFacts) -> DeltaReport:
    """Write what growth added to a base, and prove that base plus file is the running model.

    Args:
        model: The running model; only read. Its pretrained weights must be the base's: trained with
            train=grown, without recycling.
        base: The base model, loaded afresh; it is grown by the proof.
        file: Where to write; an older delta is replaced.
        facts: What the file shall say about the run, and the probe.

    Returns:
        What was written.

    Raises:
        ExportError: The pretrained weights are not the base's, `file` is something else than a delta, the
            model has adapters, or base plus file does not reproduce the running model's logits.
    """
    if file.exists() and not is_foam_delta(file):
        raise ExportError(f"{file} is not a growth delta and will not be overwritten; pass another file")
    if lora_layers(model):
        raise ExportError(
            f"{file} cannot be written: a delta holds what growth added, and this run learnt adapters "
            "(train=lora); export it as format hf"
        )
    delta = _collect(model, facts)
    if delta.base_fingerprint != base_fingerprint(base):
        raise ExportError(
            "the pretrained weights have changed (they were trained, or neurons of theirs were recycled, or "
            "their out-columns were divided by growth.initializer=split or duplicate), so what growth added "
            "is not all there is: train with train=grown, growth.recycling=none and another initializer, or "
            "export as format hf"
        )
    with file_written_aside(file) as aside:
        write_delta(aside, delta)
        difference = max_difference(model, load_grown(base, aside), facts.probe_BT, facts.tolerance)
        if not difference <= facts.tolerance:  # NaN must fail too
            raise ExportError(
                f"base plus delta differs from the running model by {difference:.2e} in a logit, more than "
                f"the {facts.tolerance:.0e} allowed (export.max_abs_dlogits); nothing was written"
            )
    return DeltaReport(
        file=file,
        num_neurons=sum(len(rows) for name, rows in delta.tensors.items() if name.endswith(".bank.down_CD")),
        num_blocks=sum(birth is not None for birth in delta.births),
        num_parameters=sum(tensor.numel() for tensor in delta.tensors.values()),
        num_bytes=file.stat().st_size,
        max_abs_dlogits=difference,
        tolerance=facts.tolerance,
    )


def load_grown(base: Any, delta: str | Path) -> Any:
    """Put a growth delta back onto its base; several deltas of one base may be put on one after the other.

    `with growth_detached(model):` takes all growth away for a while: then it is the base, bit for bit.

    Args:
        base: The base model: one of transformers', which is changed in place, or its folder or hub id.
        delta: The file; one that is damaged or no delta is a ModelError.

    Returns:
        The grown model, in evaluation mode where it was loaded here.

    Raises:
        ModelError: The delta belongs to another base; nothing has changed.
    """
    found = read_delta(Path(delta))
    model: Any = _loaded(str(base)) if isinstance(base, str | Path) else base
    fingerprint = base_fingerprint(model)
    if fingerprint != found.base_fingerprint:
        raise ModelError(
            f"{delta} belongs to another base, {found.provenance['source']} with weights "
            f"{found.base_fingerprint[:12]}; those of this {type(model).__name__} are {fingerprint[:12]}"
        )
    rows = [found.part(f"{index}.bank.") for index in range(len(found.births))]
    if any(rows) and not growable_ffns(model):
        make_growable(model, max(len(one["down_CD"]) for one in rows if one))
    _bear(model, _blocks_of(model, found), rows)
    return model


def is_foam_delta(file: Path) -> bool:
    """Recognise a growth delta.

    Args:
        file: Any path.

    Returns:
        Whether it is one, whole and readable.
    """
    try:
        read_delta(file)
    except ModelError:
        return False
    return True


def base_fingerprint(model: Any) -> str:
    """Tell base models apart by their weights, whatever has grown on them.

    Weights are compared as bf16, so that a base loaded in fp32 and in bf16 is the same one.

    Args:
        model: A model, grown or not.

    Returns:
        A hash over the architecture and the names, shapes and values of all pretrained parameters.
    """
    with growth_detached(model):
        pretrained = plain_names(model, dict(model.named_parameters()))
    kind = type(model).__name__
    return digest({f"{kind}.{name}": value.detach().bfloat16() for name, value in pretrained.items()})


def _loaded(path: str) -> Any:
    return load_base(ModelSettings(path=path, revision=None, init="pretrained", intermediate_size=None)).model


def _collect(model: Any, facts: ExportFacts) -> Delta:
    births = block_births(model)
    tensors: dict[str, torch.Tensor] = {}
    for index, block in enumerate(find_blocks(model)[1]):
        if births[index] is not None:
            state = plain_names(block, dict(block.named_parameters()))
            tensors |= {f"{index}.block.{name}": tensor for name, tensor in state.items()}
        for ffn in growable_ffns(block):
            tensors |= {f"{index}.bank.{name}": rows for name, rows in _live_rows(ffn).items()}
    return Delta(
        births=births,
        tensors={name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()},
        base_fingerprint=base_fingerprint(model),
        provenance={
            "source": facts.source,
            "architecture": type(model).__name__,
            "command": facts.command,
            "seed": str(facts.seed),
            "versions": json.dumps(facts.versions),
            "growth": json.dumps(facts.history, default=str),
        },
    )


def _live_rows(ffn: GrowableFFN) -> dict[str, torch.Tensor]:
    live_C = ffn.bank.live_C
    named = {name: getattr(ffn.bank, name) for name in _ROWS}
    return {name: rows[live_C] for name, rows in named.items() if rows is not None and live_C.any()}


def _blocks_of(model: nn.Module, delta: Delta) -> list[nn.Module]:
    """The model's blocks that a delta speaks of; those that are new are inserted behind what is there."""
    found: list[nn.Module] = []
    pretrained = -1
    for index, birth in enumerate(delta.births):
        if birth is None:
            pretrained += 1
            found.append(_pretrained(model)[pretrained])
        else:
            end = _run_end(model, pretrained)
            found.append(_fill(insert_block(model, end, birth), delta.part(f"{index}.block.")))
    return found


def _pretrained(model: nn.Module) -> list[nn.Module]:
    blocks = find_blocks(model)[1]
    return [block for block, birth in zip(blocks, block_births(model), strict=True) if birth is None]


def _run_end(model: nn.Module, pretrained: int) -> int:
    """Index of the last block that was inserted behind a pretrained one, or of that one itself."""
    births = block_births(model)
    at = [index for index, birth in enumerate(births) if birth is None]
    return at[pretrained + 1] - 1 if pretrained + 1 < len(at) else len(births) - 1


@torch.no_grad()
def _fill(block: nn.Module, tensors: dict[str, torch.Tensor]) -> nn.Module:
    parameters = plain_names(block, dict(block.named_parameters()))
    for name, parameter in parameters.items():
        parameter.copy_(tensors[name])
    return block


def _bear(model: nn.Module, blocks: Sequence[nn.Module], rows: Sequence[dict[str, torch.Tensor]]) -> None:
    position = {id(block): index for index, block in enumerate(find_blocks(model)[1])}
    births: list[NeuronBirths] = []
    for block, grown in zip(blocks, rows, strict=True):
        if grown:
            num_neurons = len(grown["down_CD"])
            growable_ffns(block)[0].reserve(num_neurons)
            births.append(
                NeuronBirths(
                    block=position[id(block)],
                    up_GD=grown["up_CD"],
                    gate_GD=grown.get("gate_CD"),
                    bias_G=grown.get("bias_C"),
                    gate_bias_G=grown.get("gate_bias_C"),
                    down_GD=grown["down_CD"],
                    sources=(None,) * num_neurons,
                )
            )
    apply(model, GrowthPlan(event=0, step=0, reason="a growth delta", neurons=tuple(births)), 0)
