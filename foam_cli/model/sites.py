"""Where a model's blocks and feed-forward modules are: found by layout, never by the model's name."""

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from typing import Any

from torch import nn

from foam_cli.core.errors import ModelError
from foam_cli.model import adapters
from foam_cli.model.adapters.layout import FFNLayout, FFNViews, PostNorms
from foam_cli.model.inline import take_over


@dataclass(frozen=True, kw_only=True)
class FFNSite:
    """The feed-forward module of one block, and the place it is plugged into.

    Attributes:
        block: Index of the block.
        path: Dotted name of the module inside the model.
        parent: The module that holds it; the block itself where that holds the projections directly.
        attribute: Its name there; empty where the block itself holds the projections.
        views: Its neurons, in one orientation whatever the layout.
    """

    block: int
    path: str
    parent: nn.Module
    attribute: str
    views: FFNViews

    def plug_in(self, ffn: nn.Module) -> None:
        """Let the block call another module for its FFN.

        Args:
            ffn: The module.
        """
        if self.attribute:
            setattr(self.parent, self.attribute, ffn)
        else:
            take_over(self.parent, self.views.layout, ffn)


@cache
def known_layouts() -> tuple[FFNLayout, ...]:
    """All feed-forward layouts that the adapters state.

    Returns:
        The `LAYOUTS` of every file in `adapters/`, in order of file name.
    """
    return _stated("LAYOUTS")


@cache
def known_post_norms() -> tuple[PostNorms, ...]:
    """All names of norms behind a branch that the adapters state.

    Returns:
        The `POST_NORMS` of every file in `adapters/`, in order of file name.
    """
    return _stated("POST_NORMS")


def _stated(name: str) -> tuple[Any, ...]:
    files = sorted(module.name for module in pkgutil.iter_modules(adapters.__path__, adapters.__name__ + "."))
    return tuple(one for file in files for one in getattr(importlib.import_module(file), name, ()))


def find_blocks(model: nn.Module) -> tuple[str, nn.ModuleList]:
    """Find the list that holds the model's blocks: the `ModuleList` with the most parameters.

    Args:
        model: A causal language model.

    Returns:
        The list's dotted name and the list.

    Raises:
        ModelError: The model holds no `ModuleList`.
    """
    lists = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.ModuleList)]
    if not lists:
        raise ModelError(
            f"{type(model).__name__} holds no torch.nn.ModuleList, so its blocks cannot be found; "
            "foam grows transformers whose blocks are kept in one"
        )
    # On a tie the first, outer list wins: a list inside a block never has more parameters than the blocks.
    return max(lists, key=lambda item: sum(parameter.numel() for parameter in item[1].parameters()))


def find_ffn_sites(model: nn.Module) -> list[FFNSite]:
    """Find the feed-forward module of every block; none of a known layout, or several, is a ModelError.

    Args:
        model: A causal language model; where its FFNs are growable, their pretrained cores are found.

    Returns:
        One site per block, in order.
    """
    holder, blocks = find_blocks(model)
    return [_find_in_block(f"{holder}.{index}", index, block) for index, block in enumerate(blocks)]


def _find_in_block(block_path: str, index: int, block: nn.Module) -> FFNSite:
    if any(path.rpartition(".")[2] == "experts" for path, _ in block.named_modules()):
        raise ModelError(f"{block_path} ({type(block).__name__}) is a mixture of experts, and {_GROWABLE}")
    found = [
        (name, FFNViews(module, layout))
        for name, module in block.named_modules()
        for layout in known_layouts()
        if layout.matches(module) and (name or layout.gate is None)
    ]
    if len(found) != 1:
        raise ModelError(_explain(block_path, block, [name for name, _ in found]))
    name, views = found[0]
    parent, _, attribute = name.rpartition(".")
    return FFNSite(
        block=index,
        path=f"{block_path}.{name}" if name else block_path,
        parent=block.get_submodule(parent),
        attribute=attribute,
        views=views,
    )


_GROWABLE = "mixtures of experts cannot be grown, only blocks with exactly one feed-forward module"


def _explain(block_path: str, block: nn.Module, found: list[str]) -> str:
    if found:
        return (
            f"{block_path} ({type(block).__name__}) has {len(found)} feed-forward modules "
            f"({', '.join(found)}); {_GROWABLE}"
        )
    children = ", ".join(f"{name} ({_describe(module)})" for name, module in block.named_children())
    return (
        f"the feed-forward module of {block_path} ({type(block).__name__}) is of no known layout; it holds: "
        f"{children}. An adapter in foam_cli/model/adapters must state the attribute names of the "
        "in-projection (up), the gate (None, or the same as up where one projection holds both), the "
        "out-projection (down) and the activation, and whether weights are stored transposed"
    )


def _describe(module: nn.Module) -> str:
    inside = [name for name, _ in module.named_children()]
    return type(module).__name__ + (f": {', '.join(inside)}" if inside else "")
