"""Low-rank adapters beside the linear layers of a frozen model; peft makes them and computes with them."""

import copy
import math
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from foam_cli.core.errors import ConfigError
from foam_cli.core.seeds import torch_generator
from foam_cli.core.settings import LoraSettings
from foam_cli.model.sites import find_blocks

#: What peft calls the only adapter that it is asked for.
_NAME = "default"


def add_lora(model: nn.Module, settings: LoraSettings, seed: int) -> None:
    """Put y = W x + (alpha / rank) B A x where y = W x was, in the blocks of a model.

    A begins at random and B at zero, so the model computes what it did. Both are fp32 whatever the model is
    in, as grown neurons are.

    Args:
        model: The model; its linear layers are wrapped in place, and all pretrained parameters frozen.
        settings: Rank, scale and which layers.
        seed: The run's; every A has a generator of its own.

    Source: E. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021, arXiv 2106.09685,
        equation 3.
    Differs: A is uniform, in the bounds of torch's own linear layers, as peft has it.
    """
    from peft import LoraConfig, inject_adapter_in_model

    names = _targets(model, settings.targets)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # pyright: ignore[reportArgumentType]  # any number will do
        target_modules=names,
        fan_in_fan_out=isinstance(model.get_submodule(names[0]), Conv1D),
    )
    # peft fills A from torch's own generator, warns where layers of both orientations meet, and handles them.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inject_adapter_in_model(config, model)
    for name, layer in lora_layers(model).items():
        for part in (layer.lora_A, layer.lora_B):
            part[_NAME].float()
        in_RD: torch.Tensor = layer.lora_A[_NAME].weight
        bound = 1 / math.sqrt(in_RD.shape[1])
        generator = torch_generator(seed, "lora", name)
        with torch.no_grad():
            in_RD.copy_(torch.empty(in_RD.shape).uniform_(-bound, bound, generator=generator))


def _targets(model: nn.Module, wanted: list[str] | None) -> list[str]:
    """The names of linear layers within the blocks: all of them, or those that are called as is wanted."""
    holder, blocks = find_blocks(model)
    linear = [
        f"{holder}.{name}" for name, one in blocks.named_modules() if isinstance(one, nn.Linear | Conv1D)
    ]
    known = sorted({name.rpartition(".")[2] for name in linear})
    if unknown := sorted(set(wanted or []) - set(known)):
        raise ConfigError(
            f"train.lora.targets={wanted}: the blocks have no linear layer {', '.join(unknown)}; theirs are "
            f"{', '.join(known)}. train.lora.targets=null takes them all."
        )
    return [name for name in linear if wanted is None or name.rpartition(".")[2] in wanted]


def lora_layers(model: nn.Module) -> dict[str, Any]:
    """Find the layers that have adapters.

    Args:
        model: Any model.

    Returns:
        peft's layers by name; none where nothing was added.
    """
    return {name: module for name, module in model.named_modules() if hasattr(module, "lora_A")}


def lora_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Find what is learnt.

    Args:
        model: Any model.

    Returns:
        A and B of every adapter.
    """
    layers = lora_layers(model).values()
    return [part[_NAME].weight for layer in layers for part in (layer.lora_A, layer.lora_B)]


def lora_outputs(model: nn.Module) -> list[nn.Parameter]:
    """Find what scales the adapters' outputs.

    Args:
        model: Any model.

    Returns:
        B of every adapter.
    """
    return [layer.lora_B[_NAME].weight for layer in lora_layers(model).values()]


@contextmanager
def lora_detached(model: nn.Module) -> Generator[None]:
    """Take the adapters away for a while: their outputs count nothing, so this is the pretrained model.

    Args:
        model: Any model.

    Yields:
        Nothing.
    """
    layers = list(lora_layers(model).values())
    before = [layer.scaling[_NAME] for layer in layers]
    try:
        for layer in layers:
            layer.scaling[_NAME] = 0.0
        yield
    finally:
        for layer, scaling in zip(layers, before, strict=True):
            layer.scaling[_NAME] = scaling


@torch.no_grad()
def lora_merged(model: Any) -> Any:
    """Add the adapters to the weights beside which they are: W + (alpha / rank) B A, in the dtype of W.

    Args:
        model: Any model; only read.

    Returns:
        The same model where it has no adapters. Otherwise one of plain layers, which shares every tensor that
        did not change.
    """
    if not lora_layers(model):
        return model
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    plain = copy.deepcopy(model, shared)
    for name, layer in lora_layers(plain).items():
        base: Any = layer.get_base_layer()
        added = layer.get_delta_weight(_NAME)
        base.weight = nn.Parameter((base.weight.to(added.dtype) + added).to(base.weight.dtype))
        parent, _, attribute = name.rpartition(".")
        setattr(plain.get_submodule(parent), attribute, base)
    return plain
