"""Core and grown neurons in one matrix: the same model, in the shapes its own architecture knows."""

import copy
from typing import Any

import torch
from torch import nn

from foam_cli.core.errors import ExportError
from foam_cli.model.inline import InlineFFN
from foam_cli.model.lora import lora_merged
from foam_cli.model.neurons import SLOT_MULTIPLE, GrowableFFN, NeuronBank
from foam_cli.model.sites import FFNSite, find_ffn_sites
from foam_cli.model.width import width_name


def merge(model: Any) -> tuple[Any, list[int], int]:
    """Build the model that an export holds; the running one is only read.

    Every FFN becomes its pretrained neurons that were not recycled, then its live slots, then zero neurons up
    to one width for all blocks: stock configs state a single one. The width is a multiple of 64. Adapters are
    added to their weights.

    Args:
        model: A causal language model of transformers, growable or not.

    Returns:
        A model of the same class without banks, fit for saving alone (tensors that did not change are shared
        with the running model), the number of neurons in use per block, and the common width.

    Raises:
        ExportError: The config has no name for a width that grew, or the class makes another one of it.
    """
    model = lora_merged(model)
    sites = find_ffn_sites(model)
    num_neurons = [_num_neurons(site) for site in sites]
    config = copy.deepcopy(model.config)
    width = _state_width(config, num_neurons, sites[0].views.width)
    config.num_hidden_layers = len(sites)
    config.use_cache = True  # training switches the cache off; whoever loads the export wants to generate
    state = _state(model, sites, width)
    # Building on "meta" allocates nothing; the fork keeps the constructor's draws out of the run's.
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        merged = type(model)(config)
    try:
        merged.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        raise ExportError(
            f"{type(model).__name__} does not build the grown shapes from its config, so it cannot be "
            f"exported as a plain Hugging Face folder; train with train=grown and write "
            f"export.format=delta ({error})"
        ) from error
    merged.tie_weights()
    merged.generation_config = copy.deepcopy(model.generation_config)
    return merged, num_neurons, width


def _state_width(config: Any, num_neurons: list[int], present: int) -> int:
    """Write the common width into a config, or keep the present one where it has no name for it."""
    width = -(-max(num_neurons) // SLOT_MULTIPLE) * SLOT_MULTIPLE
    name = width_name(config)
    if name is not None:
        setattr(config, name, width)
        return width
    if max(num_neurons) <= present:
        return present
    raise ExportError(
        f"{type(config).__name__} has no name for the width of its FFNs, so one of {max(num_neurons)} "
        f"instead of {present} neurons cannot be stated in a plain Hugging Face folder; train with "
        "train=grown and write export.format=delta, or grow blocks"
    )


def _growable(model: nn.Module) -> dict[str, GrowableFFN]:
    return {name: module for name, module in model.named_modules() if isinstance(module, GrowableFFN)}


def _num_neurons(site: FFNSite) -> int:
    if not isinstance(site.parent, GrowableFFN):
        return site.views.width
    return int(site.parent.core_live_F.sum().item() + site.parent.bank.live_C.sum().item())


@torch.no_grad()
def _state(model: nn.Module, sites: list[FFNSite], width: int) -> dict[str, torch.Tensor]:
    """The running model's state under the names and in the shapes of the plain architecture."""
    state: dict[str, torch.Tensor] = dict(model.state_dict())
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for site in sites:
        rows = _bank_rows(site)
        for (parameter, dim), grown in zip(site.views.neuron_parameters(), rows, strict=True):
            state[names[id(parameter)]] = _widened(site, parameter, dim, grown, width)
    return plain_names(model, state)


def plain_names(model: nn.Module, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give tensors of a growable model, or of a part of one, the names that its plain architecture has.

    Args:
        model: The model, or a module of it.
        state: Its tensors.

    Returns:
        The tensors without those of banks, those of cores under their plain names.
    """
    plain = dict(state)
    for path, ffn in _growable(model).items():
        prefix = path if not isinstance(ffn.core, InlineFFN) else path.rpartition(".")[0]
        for key in [key for key in plain if key.startswith(f"{path}.")]:
            tensor = plain.pop(key)
            if key.startswith(f"{path}.core."):
                plain[f"{prefix}.{key.removeprefix(f'{path}.core.')}".removeprefix(".")] = tensor
    return plain


def _bank_rows(site: FFNSite) -> list[list[torch.Tensor | None]]:
    """The live slots' parts of every tensor in `neuron_parameters`, in its order; None stands for zeros.

    A tensor has one part, or two where it holds gate and up.
    """
    bank, views = site.parent.bank if isinstance(site.parent, GrowableFFN) else None, site.views
    up, gate = ("up_CD", "bias_C"), ("gate_CD", "gate_bias_C")
    parts = [(views.up, [gate, up])] if views.layout.is_fused else [(views.up, [up]), (views.gate, [gate])]
    rows: list[list[torch.Tensor | None]] = []
    for projection, names in parts:
        if projection is not None:
            rows.append([_live(bank, weight) for weight, _ in names])
            if getattr(projection, "bias", None) is not None:
                rows.append([_live(bank, bias) for _, bias in names])
    return [*rows, [_live(bank, "down_CD")]]


def _live(bank: NeuronBank | None, name: str | None) -> torch.Tensor | None:
    rows = None if bank is None or name is None else getattr(bank, name)
    return None if bank is None or rows is None else rows[bank.live_C]


def _widened(
    site: FFNSite, parameter: nn.Parameter, dim: int, grown: list[torch.Tensor | None], width: int
) -> torch.Tensor:
    parts = parameter.movedim(dim, 0).chunk(len(grown))
    wide = [_widened_part(site, core, rows, width) for core, rows in zip(parts, grown, strict=True)]
    return torch.cat(wide).movedim(0, dim).contiguous()


def _widened_part(site: FFNSite, core: torch.Tensor, grown: torch.Tensor | None, width: int) -> torch.Tensor:
    if isinstance(site.parent, GrowableFFN):
        core = core[site.parent.core_live_F]
    wide = core.new_zeros(width, *core.shape[1:])
    wide[: len(core)] = core
    if grown is not None:
        wide[len(core) : len(core) + len(grown)] = grown.to(wide.dtype)
    return wide
