"""Whole new blocks: copies of a neighbour that are the identity until they learn."""

import copy
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from foam_cli.core.errors import GrowthError, ModelError
from foam_cli.model.neurons import banks_detached, growable_ffns
from foam_cli.model.sites import find_blocks, find_ffn_sites

ATTENTION_OUT = ("o_proj", "c_proj", "out_proj", "dense")
_BIRTH = "foam_birth_step"


def insert_block(model: nn.Module, after: int, step: int) -> nn.Module:
    """Insert an identity block: a copy of a block whose out-projections are zero.

    Norms and in-projections keep their values, so the first gradient already reaches both out-projections.
    The copy's bank is empty, and every following block, the config and its `layer_types` are renumbered.
    A block whose attention out-projection or FFN cannot be found is refused with a ModelError.

    Args:
        model: A causal language model, changed in place.
        after: Index of the block to copy; the copy comes right behind it.
        step: The optimizer step after which the block is born.

    Returns:
        The new block.

    Raises:
        GrowthError: There is no block `after`.

    Source: C. Wu et al., "LLaMA Pro: Progressive LLaMA with Block Expansion", 2024, arXiv 2401.02415,
        section 3.2.
    """
    _, blocks = find_blocks(model)
    if not 0 <= after < len(blocks):
        raise GrowthError(f"no block {after} to copy: the model has blocks 0 to {len(blocks) - 1}")
    config = _config(model)
    out_projections = [_attention_out(blocks[after], after), find_ffn_sites(model)[after].views.down]
    memo: dict[int, Any] = {id(config): config}
    block = copy.deepcopy(blocks[after], memo)
    _zero([memo[id(projection)] for projection in out_projections])
    for ffn in growable_ffns(block):
        ffn.bank.erase(range(ffn.bank.capacity))
        ffn.core_live_F.fill_(True)
    setattr(block, _BIRTH, step)
    types = _layer_types(config)
    _set_blocks(
        model,
        [*blocks[: after + 1], block, *blocks[after + 1 :]],
        types and [*types[: after + 1], *types[after:]],
    )
    return block


def block_births(model: nn.Module) -> list[int | None]:
    """When each block was born.

    Args:
        model: A causal language model.

    Returns:
        For each block the optimizer step after which it was inserted, or None where it is pretrained.
    """
    return [getattr(block, _BIRTH, None) for block in find_blocks(model)[1]]


@contextmanager
def growth_detached(model: nn.Module) -> Generator[None]:
    """Take all growth away for a while: banks are skipped, inserted blocks are left out.

    With a frozen core this is the pretrained model, bit for bit and at no memory, unless growth edited the
    core: neurons that were recycled stay erased, and out-columns that were divided stay divided.

    Args:
        model: A grown model.

    Yields:
        Nothing.
    """
    blocks = list(find_blocks(model)[1])
    types = _layer_types(_config(model))
    kept = [index for index, birth in enumerate(block_births(model)) if birth is None]
    with banks_detached(model):
        if len(kept) == len(blocks):
            yield
            return
        try:
            _set_blocks(model, [blocks[index] for index in kept], types and [types[index] for index in kept])
            yield
        finally:
            _set_blocks(model, blocks, types)


@contextmanager
def block_skipped(model: nn.Module, index: int) -> Generator[None]:
    """Let a block give back what it got, for a while.

    Args:
        model: A causal language model.
        index: Which block.

    Yields:
        Nothing.
    """

    def passed_on(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        del module
        hidden = args[0] if args else kwargs["hidden_states"]
        return hidden if isinstance(output, torch.Tensor) else (hidden, *output[1:])

    handle = find_blocks(model)[1][index].register_forward_hook(passed_on, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _set_blocks(model: nn.Module, blocks: Sequence[nn.Module], layer_types: list[str] | None) -> None:
    holder = find_blocks(model)[1]
    del holder[:]
    holder.extend(blocks)
    config = _config(model)
    config.num_hidden_layers = len(blocks)
    if layer_types is not None:
        config.layer_types = layer_types
    for index, block in enumerate(blocks):
        for module in block.modules():
            if isinstance(getattr(module, "layer_idx", None), int):
                setattr(module, "layer_idx", index)  # noqa: B010 (a module's attributes are not typed)


def _config(model: nn.Module) -> Any:
    config = getattr(model, "config", None)
    if config is None:
        raise ModelError(f"{type(model).__name__} has no config, so its number of blocks cannot be changed")
    return config


def _layer_types(config: Any) -> list[str] | None:
    types = getattr(config, "layer_types", None)
    return None if types is None else list(types)


def _attention_out(block: nn.Module, index: int) -> nn.Module:
    ffns = {id(part) for ffn in growable_ffns(block) for part in ffn.modules()}
    found = [
        module.get_submodule(name)
        for path, module in block.named_modules()
        for name in ATTENTION_OUT
        if "attn" in path.lower().rsplit(".", 1)[-1] or "attention" in path.lower().rsplit(".", 1)[-1]
        if id(module) not in ffns and isinstance(getattr(module, name, None), nn.Module)
    ]
    if len(found) != 1:
        raise ModelError(
            f"block {index} ({type(block).__name__}) has {len(found)} attention out-projections, not one; "
            f"looked for {', '.join(ATTENTION_OUT)} in a module named after attention"
        )
    return found[0]


@torch.no_grad()
def _zero(projections: Sequence[nn.Module]) -> None:
    for projection in projections:
        for parameter in projection.parameters():
            parameter.zero_()
