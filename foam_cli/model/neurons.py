"""Slots for neurons beside a pretrained FFN: FFN(x) = core(x) + grown(x)."""

import inspect
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import nn
from torch.nn import functional as F

from foam_cli.core.errors import GrowthError, ModelError
from foam_cli.model.adapters.layout import FFNViews
from foam_cli.model.inline import InlineFFN
from foam_cli.model.lora import lora_parameters
from foam_cli.model.probe import evaluating
from foam_cli.model.sites import FFNSite, find_ffn_sites

SLOT_MULTIPLE = 64


class NeuronBank(nn.Module):
    """C slots for grown neurons, one row per neuron, kept in fp32 whatever the model computes in.

    An empty slot is an all-zero neuron: its output and its gradient are exactly zero, so it needs no mask.
    A bank takes 4 C (2 D + 1) bytes (plain FFN with biases) or 12 C D bytes (gated FFN without), and 9 C
    bytes to know which slots are live since when.

    Attributes:
        up_CD: In-rows of the (ungated) in-projection.
        gate_CD: In-rows of the gate, or None where the FFN is plain.
        bias_C: Biases of the in-projection, or None where it has none.
        gate_bias_C: Biases of the gate, or None where it has none.
        down_CD: Out-columns, one row per neuron; as long as the output, which is D but beside a linear layer.
        live_C: Which slots hold a neuron.
        birth_C: The optimizer step after which each neuron was born; 0 for empty slots.

    Args:
        views: The pretrained FFN that it stands beside.
        capacity: Number of slots.
    """

    up_CD: Float[nn.Parameter, "C D"]
    gate_CD: Float[nn.Parameter, "C D"] | None
    bias_C: Float[nn.Parameter, " C"] | None
    gate_bias_C: Float[nn.Parameter, " C"] | None
    down_CD: Float[nn.Parameter, "C E"]
    live_C: Bool[torch.Tensor, " C"]
    birth_C: Int[torch.Tensor, " C"]

    def __init__(self, views: FFNViews, capacity: int):
        super().__init__()
        device = views.up_FD.device

        def rows(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(*shape, dtype=torch.float32, device=device))

        width = views.hidden_size
        self.up_CD = rows(capacity, width)
        self.register_parameter("gate_CD", None if views.gate is None else rows(capacity, width))
        self.register_parameter("bias_C", None if views.bias_F is None else rows(capacity))
        self.register_parameter("gate_bias_C", None if views.gate_bias_F is None else rows(capacity))
        self.down_CD = rows(capacity, views.output_size)
        self.register_buffer("live_C", torch.zeros(capacity, dtype=torch.bool, device=device))
        self.register_buffer("birth_C", torch.zeros(capacity, dtype=torch.int64, device=device))
        self.num_slots_in_use = 0
        self.activation: Callable[[torch.Tensor], torch.Tensor] = views.activation
        self.register_load_state_dict_post_hook(_recount_loaded)

    @property
    def capacity(self) -> int:
        """Number of slots (C)."""
        return self.up_CD.shape[0]

    @property
    def numel_per_neuron(self) -> int:
        """Parameters of one neuron."""
        return sum(parameter[:1].numel() for parameter in self.parameters())

    @property
    def num_slots_computed(self) -> int:
        """Slots that a pass goes through (U): those in use, or all of them where it is compiled.

        A number in Python is a constant to the compiler, so a pass that follows the neurons would be compiled
        anew whenever they have grown by 64. Empty slots add exactly nothing.
        """
        return self.capacity if torch.compiler.is_compiling() else self.num_slots_in_use

    def recount(self) -> None:
        """Note how many slots are in use: all up to the last live one, rounded up to 64.

        Call it whenever `live_C` has changed. A number in Python spares every pass a look at the device.
        """
        live = self.live_C.nonzero()
        self.num_slots_in_use = round_up_capacity(int(live.max()) + 1) if len(live) else 0

    def free_slots(self) -> list[int]:
        """Slots that hold no neuron, lowest first.

        Returns:
            Their indices.
        """
        return (~self.live_C).nonzero().flatten().tolist()

    def hidden(self, x: Float[torch.Tensor, "... D"]) -> Float[torch.Tensor, "... U"]:
        """Activity of the first U = `num_slots_computed` slots: what the out-projection is applied to.

        Args:
            x: Input of the FFN.

        Returns:
            The activities, in the dtype of `x`.
        """
        used = self.num_slots_computed
        bias = None if self.bias_C is None else self.bias_C[:used].to(x.dtype)
        up = F.linear(x, self.up_CD[:used].to(x.dtype), bias)
        if self.gate_CD is None:
            return self.activation(up)
        gate_bias = None if self.gate_bias_C is None else self.gate_bias_C[:used].to(x.dtype)
        return self.activation(F.linear(x, self.gate_CD[:used].to(x.dtype), gate_bias)) * up

    def forward(self, x: Float[torch.Tensor, "... D"]) -> Float[torch.Tensor, "... E"]:
        """Sum of the grown neurons.

        Args:
            x: Input of the FFN.

        Returns:
            What the bank adds to the FFN's output.
        """
        hidden = self.hidden(x)
        return F.linear(hidden, self.down_CD[: self.num_slots_computed].to(hidden.dtype).T)

    @torch.no_grad()
    def clear_empty(self) -> None:
        """Set empty slots to zero, where something that is not exact may have moved them."""
        for rows in self.parameters():
            rows.masked_fill_(~self.live_C.view(-1, *[1] * (rows.ndim - 1)), 0)

    @torch.no_grad()
    def erase(self, slots: Sequence[int] | torch.Tensor) -> None:
        """Empty slots.

        Args:
            slots: Their indices.
        """
        index = torch.as_tensor(slots, dtype=torch.int64, device=self.up_CD.device)
        for rows in (*self.parameters(), self.live_C, self.birth_C):
            rows.index_fill_(0, index, 0)
        self.recount()


def _recount_loaded(bank: nn.Module, incompatible_keys: Any) -> None:
    del incompatible_keys
    assert isinstance(bank, NeuronBank)
    bank.recount()


class GrowableFFN(nn.Module):
    """A pretrained FFN and the bank of neurons that grow beside it.

    Attributes:
        core: The pretrained module; its tensors are never reshaped.
        bank: The grown neurons.
        views: The core's neurons, in one orientation whatever its layout.
        core_live_F: Which pretrained neurons have not been recycled.
        detached: Skip the bank.

    Args:
        views: The pretrained FFN.
        capacity: Slots of the bank.
    """

    core_live_F: Bool[torch.Tensor, " F"]

    def __init__(self, views: FFNViews, capacity: int):
        super().__init__()
        self.core = views.module
        self.views = views
        self.bank = NeuronBank(views, capacity)
        self.detached = False
        self.register_buffer(
            "core_live_F", torch.ones(views.width, dtype=torch.bool, device=views.up_FD.device)
        )

    @property
    def width(self) -> int:
        """Number of pretrained neurons (F), recycled ones included."""
        return self.core_live_F.shape[0]

    @torch.no_grad()
    def reserve(self, num_neurons: int) -> None:
        """Have room for more neurons; a bank that is too small is replaced, so do it before optimizers exist.

        Args:
            num_neurons: How many free slots there shall be, at least.
        """
        old, missing = self.bank, num_neurons - len(self.bank.free_slots())
        if missing <= 0:
            return
        self.bank = NeuronBank(self.views, round_up_capacity(old.capacity + missing)).train(old.training)
        for name, rows in old.state_dict().items():
            self.bank.state_dict()[name][: old.capacity] = rows
        self.bank.recount()

    def forward(self, x: Float[torch.Tensor, "... D"], *others: Any) -> Float[torch.Tensor, "... D"]:
        """The core's output plus the bank's.

        Args:
            x: Input of the FFN.
            *others: What else the core is given, such as the residual stream that some add themselves.

        Returns:
            Its output. A dropout inside the core leaves the bank's part alone.
        """
        y: torch.Tensor = self.core(x, *others)
        return y if self.detached or not self.bank.num_slots_computed else y + self.bank(x)


def round_up_capacity(num_neurons: int) -> int:
    """Slots for a number of neurons: rounded up so that matrix products stay aligned.

    Args:
        num_neurons: At least how many; 0 stays 0.

    Returns:
        The next multiple of 64.
    """
    return -(-num_neurons // SLOT_MULTIPLE) * SLOT_MULTIPLE


def make_growable(model: nn.Module, capacity: int) -> list[GrowableFFN]:
    """Give every FFN of a model a bank of empty slots; its outputs do not change.

    Convert the model to its dtype before: banks are fp32, and a later `model.to(dtype)` would convert them.
    An FFN of unknown layout, one that computes something else than its layout says, or one whose activation
    does not map zero to zero is a ModelError, and nothing has changed.

    Args:
        model: A causal language model, changed in place.
        capacity: Neurons to have room for in each block; rounded up to a multiple of 64.

    Returns:
        The growable FFNs, one per block.

    Raises:
        GrowthError: The model is growable already.
    """
    if growable_ffns(model):
        raise GrowthError(f"{type(model).__name__} is growable already: its FFNs have banks")
    sites = find_ffn_sites(model)
    for site in sites:
        _check_site(site)
    for site in sites:
        views = site.views if site.attribute else InlineFFN(site.views).views
        site.plug_in(GrowableFFN(views, round_up_capacity(capacity)).train(site.parent.training))
    return growable_ffns(model)


@torch.no_grad()
def _check_site(site: FFNSite) -> None:
    views, where = site.views, f"{site.path} ({type(site.views.module).__name__})"
    if views.activation(torch.zeros(1)).item() != 0.0:
        raise ModelError(
            f"the activation of {where} does not map 0 to 0, so "
            "an empty slot would not stay silent; SiLU, GELU, ReLU and their like can be grown"
        )
    weight = views.down.get_parameter("weight")
    if weight.is_meta or not site.attribute:
        return
    x_BTD = torch.arange(views.hidden_size, device=weight.device).cos()[None, None].to(weight.dtype)
    with evaluating(views.module):
        found = views.module(x_BTD, *[torch.zeros_like(x_BTD)] * _num_others(views.module))
        stated = views.output(x_BTD)
    if not torch.allclose(found, stated, rtol=1e-2, atol=1e-2 * float(stated.abs().max())):
        raise ModelError(
            f"{where} has the attributes of a known layout but computes something else, so neurons beside it "
            f"would not be like its own; its class needs a layout of its own in foam_cli/model/adapters"
        )


def _num_others(module: nn.Module) -> int:
    """How many arguments beside its input an FFN must be given: the residual stream, where it adds that."""
    arguments = list(inspect.signature(module.forward).parameters.values())[1:]
    return sum(one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD for one in arguments)


def growable_ffns(model: nn.Module) -> list[GrowableFFN]:
    """The growable FFNs of a model.

    Args:
        model: Any model.

    Returns:
        One per block, in order; empty where the model has not been made growable.
    """
    return [module for module in model.modules() if isinstance(module, GrowableFFN)]


@contextmanager
def banks_detached(model: nn.Module) -> Generator[None]:
    """Skip every bank for a while.

    Args:
        model: A growable model.

    Yields:
        Nothing.
    """
    ffns = growable_ffns(model)
    before = [ffn.detached for ffn in ffns]
    try:
        for ffn in ffns:
            ffn.detached = True
        yield
    finally:
        for ffn, detached in zip(ffns, before, strict=True):
            ffn.detached = detached


def num_parameters_in_use(model: nn.Module) -> int:
    """Count parameters as an export has them.

    Only live slots count, recycled neurons do not, tied tensors count once, and adapters are merged.

    Args:
        model: Any model.

    Returns:
        The number of parameters.
    """
    total = sum(parameter.numel() for parameter in model.parameters())
    total -= sum(parameter.numel() for parameter in lora_parameters(model))
    return total - sum(_num_out_of_use(ffn, lambda _: True) for ffn in growable_ffns(model))


def num_trainable_in_use(model: nn.Module) -> int:
    """Count the parameters that learn: as `num_parameters_in_use`, but adapters count.

    Args:
        model: Any model.

    Returns:
        The number of parameters.
    """
    total = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return total - sum(_num_out_of_use(ffn, lambda p: p.requires_grad) for ffn in growable_ffns(model))


def _num_out_of_use(ffn: GrowableFFN, counted: Callable[[nn.Parameter], bool]) -> int:
    """Count what belongs to empty slots and recycled neurons."""
    unused_slots = int((~ffn.bank.live_C).sum().item())
    recycled = int((~ffn.core_live_F).sum().item())
    per_slot = sum(one[:1].numel() for one in ffn.bank.parameters() if counted(one))
    per_core_neuron = sum(
        one.numel() // ffn.width for one, _ in ffn.views.neuron_parameters() if counted(one)
    )
    return unused_slots * per_slot + recycled * per_core_neuron
