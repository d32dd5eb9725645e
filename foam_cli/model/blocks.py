"""Whole new blocks: copies of a neighbour that are the identity until they learn."""

import copy
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from foam_cli.core.errors import GrowthError, ModelError
from foam_cli.model.lora import lora_detached
from foam_cli.model.neurons import banks_detached, growable_ffns
from foam_cli.model.probe import probe_logits
from foam_cli.model.rebuilt import block_settings
from foam_cli.model.sites import find_blocks, find_ffn_sites, known_post_norms

ATTENTION_OUT = ("o_proj", "c_proj", "out_proj", "dense")
_BIRTH = "foam_birth_step"

_ADVICE = "grow neurons instead, for example with growth=v3"

#: Lists in a config that hold one entry per block.
LISTS_PER_BLOCK = ("layer_types", "no_rope_layers", "mlp_layer_types", "layer_rope_theta")


def insert_block(model: nn.Module, after: int, step: int) -> nn.Module:
    """Insert an identity block: a copy of a block whose attention and FFN end in zeros.

    What is zeroed is the last step before the residual stream: the out-projection, with its bias, or the
    scale of a norm that follows it (`post_norms`). Everything else keeps its values, so the first gradient
    already reaches what was zeroed. The copy's bank is empty, and every following block, the config and its
    lists with an entry per block are renumbered. That the model still computes the same is measured, and
    that its class, built from its config, would be the same model; where it is not, or where attention or
    FFN cannot be found, this is a ModelError and nothing has changed.

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
    Differs: The paper zeroes out-projections only. Under an RMSNorm the first update of a zero projection
        would be blown up to full size, so there the norm's scale is zeroed instead.
    """
    _, blocks = find_blocks(model)
    if not 0 <= after < len(blocks):
        raise GrowthError(f"no block {after} to copy: the model has blocks 0 to {len(blocks) - 1}")
    config = _config(model)
    silenced = last_steps(model, after)
    memo: dict[int, Any] = {id(config): config}
    block = copy.deepcopy(blocks[after], memo)
    for step_module in silenced:
        _silence(memo[id(step_module)])
    for ffn in growable_ffns(block):
        ffn.bank.erase(range(ffn.bank.capacity))
        ffn.core_live_F.fill_(True)
    setattr(block, _BIRTH, step)
    order = [*range(after + 1), after, *range(after + 1, len(blocks))]
    _insert_checked(model, [*blocks[: after + 1], block, *blocks[after + 1 :]], order)
    return block


def _insert_checked(model: nn.Module, blocks: list[nn.Module], order: list[int]) -> None:
    old, lists = list(find_blocks(model)[1]), _lists_per_block(_config(model))
    before, settings = probe_logits(model), block_settings(model)
    _set_blocks(model, blocks, _reordered(lists, order))
    try:
        _check_identity(model, before)
        _check_settings(model, [settings[index] for index in order])
    except Exception:
        _set_blocks(model, old, lists)
        raise


def _check_identity(model: nn.Module, before: torch.Tensor | None) -> None:
    try:
        after = probe_logits(model)
    except (IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ModelError(
            f"{type(model).__name__} does not run with another number of blocks ({error}); {_ADVICE}"
        ) from error
    if before is None or after is None or torch.allclose(after, before, rtol=0.0, atol=_tolerance(before)):
        return
    raise ModelError(
        f"a new block of {type(model).__name__} would move logits by {(after - before).abs().max():.2g}: it "
        f"normalises the residual stream itself, so it cannot be the identity; {_ADVICE}"
    )


def _check_settings(model: nn.Module, expected: list[dict[str, Any]]) -> None:
    found = block_settings(model)
    if len(found) != len(expected):
        raise ModelError(
            f"{type(model).__name__} makes {len(found)} blocks of a config that states {len(expected)}, so a "
            f"grown one could not be loaded; {_ADVICE}"
        )
    for index, (mine, plain) in enumerate(zip(expected, found, strict=True)):
        if mine != plain:
            names = sorted(name for name in mine.keys() | plain.keys() if mine.get(name) != plain.get(name))
            raise ModelError(
                f"block {index} of {type(model).__name__} would be another one in an export: "
                f"{', '.join(names)} depends on the block's number; {_ADVICE}"
            )


def _tolerance(logits: torch.Tensor) -> float:
    """Far below what a block that is not the identity does, far above what a device's sums may differ by."""
    return 1e-3 * float(logits.abs().max())


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
    """Take all growth away for a while: banks are skipped, inserted blocks left out, adapters without effect.

    With a frozen core this is the pretrained model, bit for bit and at no memory, unless growth edited the
    core: neurons that were recycled stay erased, and out-columns that were divided stay divided.

    Args:
        model: A grown model.

    Yields:
        Nothing.
    """
    blocks = list(find_blocks(model)[1])
    lists = _lists_per_block(_config(model))
    kept = [index for index, birth in enumerate(block_births(model)) if birth is None]
    with banks_detached(model), lora_detached(model):
        if len(kept) == len(blocks):
            yield
            return
        try:
            _set_blocks(model, [blocks[index] for index in kept], _reordered(lists, kept))
            yield
        finally:
            _set_blocks(model, blocks, lists)


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


def _set_blocks(model: nn.Module, blocks: Sequence[nn.Module], lists: dict[str, list[Any]]) -> None:
    holder = find_blocks(model)[1]
    del holder[:]
    holder.extend(blocks)
    config = _config(model)
    config.num_hidden_layers = len(blocks)
    for name, entries in lists.items():
        setattr(config, name, entries)
    for index, block in enumerate(blocks):
        for module in block.modules():
            if isinstance(getattr(module, "layer_idx", None), int):
                setattr(module, "layer_idx", index)  # noqa: B010 (a module's attributes are not typed)


def _config(model: nn.Module) -> Any:
    config = getattr(model, "config", None)
    if config is None:
        raise ModelError(f"{type(model).__name__} has no config, so its number of blocks cannot be changed")
    return config


def _lists_per_block(config: Any) -> dict[str, list[Any]]:
    return {name: list(vars(config)[name]) for name in LISTS_PER_BLOCK if vars(config).get(name)}


def _reordered(lists: dict[str, list[Any]], order: Sequence[int]) -> dict[str, list[Any]]:
    return {name: [entries[index] for index in order] for name, entries in lists.items()}


def last_steps(model: nn.Module, index: int) -> list[nn.Module]:
    """The modules of a block whose outputs are added to the residual stream.

    Args:
        model: A causal language model.
        index: Which block.

    Returns:
        One of the attention, one of the FFN.
    """
    return _last_steps(find_blocks(model)[1][index], index, find_ffn_sites(model)[index].views.down)


def _last_steps(block: nn.Module, index: int, ffn_out: nn.Module) -> list[nn.Module]:
    children = dict(block.named_children())
    for names in known_post_norms():
        if names.attention in children and names.ffn in children:
            return [children[names.attention], children[names.ffn]]
    return [_attention_out(block, index), ffn_out]


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
def _silence(module: nn.Module) -> None:
    """Make a projection or a norm say zero; a norm that scales by 1 + weight is silent at -1."""
    for parameter in module.parameters():
        parameter.zero_()
    weight = module.get_parameter("weight")
    if weight.ndim == 1 and not weight.is_meta and module(torch.ones_like(weight)).any():
        weight.fill_(-1.0)
