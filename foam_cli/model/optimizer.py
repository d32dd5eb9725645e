"""The optimizer of pretrained parameters and of inserted blocks: AdamW, with 32-bit or 8-bit moments."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from foam_cli.core.errors import CheckpointError
from foam_cli.model.compensated import join, split
from foam_cli.model.named_state import check_names, check_tensor
from foam_cli.model.neuron_adamw import NeuronAdamW
from foam_cli.model.surgery import Touched

Kind = Literal["adamw", "adamw8bit", "muon"]

#: The birth of what was not born in this run; a block may be born before the first step, after step 0.
PRETRAINED = -1

#: Matrices that are looked up or that end in logits, not multiplied within the network: never Muon's.
_EMBEDDINGS = ("embed", "wte", "wpe", "lm_head")
_MOMENTS = {
    "adamw": ("exp_avg", "exp_avg_sq"),
    "adamw8bit": ("state1", "state2"),
    "muon": ("momentum_buffer",),
}

#: Parameters of a compensated group are rebuilt in fp32 a few at a time: at most so many numbers at once.
_CHUNK_NUMEL = 1 << 24


class _Group:
    """Parameters with one birth, decay and inner optimizer.

    fp32 parameters are stepped directly. For bf16 parameters the inner optimizer sees `masters`: empty
    parameters that are filled with the fp32 numbers for the duration of a step and emptied again.
    """

    def __init__(
        self, parameters: list[nn.Parameter], birth: int, inner: Callable[[list[nn.Parameter]], Any]
    ):
        self.parameters = parameters
        self.birth = birth
        self.held: dict[int, tuple[int, torch.Tensor]] = {}
        self.lows: list[torch.Tensor] | None = None
        self.masters = parameters
        if parameters[0].dtype == torch.bfloat16:
            self.lows = [torch.zeros_like(parameter, dtype=torch.int16) for parameter in parameters]
            self.masters = [nn.Parameter(_nothing(parameter)) for parameter in parameters]
        self.inner: torch.optim.Optimizer = inner(self.masters)

    def zero_held(self) -> None:
        for position, (dim, index) in self.held.items():
            self.parameters[position].index_fill_(dim, index, 0.0)
            if self.lows is not None:
                self.lows[position].index_fill_(dim, index, 0)

    def step(self) -> None:
        if self.lows is None:
            self.inner.step()
        else:
            self._step_compensated(self.lows)
        self.zero_held()

    def _step_compensated(self, lows: list[torch.Tensor]) -> None:
        for parameter, low, master in zip(self.parameters, lows, self.masters, strict=True):
            if parameter.grad is not None:
                master.data = join(parameter.detach(), low)
                master.grad = parameter.grad.float()
        self.inner.step()
        for parameter, low, master in zip(self.parameters, lows, self.masters, strict=True):
            if parameter.grad is not None:
                high, new_low = split(master.detach())
                parameter.copy_(high)
                low.copy_(new_low)
                master.grad = None
                master.data = _nothing(parameter)


class CoreOptimizer:
    """AdamW over named parameters, keeping fp32 and bf16 weights exact.

    bf16 weights keep the 16 bits that bf16 drops (2 bytes each), so no update is lost. Only matrices are
    decayed.

    Args:
        named_parameters: What to train; parameters that need no gradient are left out.
        kind: `adamw`: torch's fused AdamW; `adamw8bit`: bitsandbytes with 8-bit moments; `muon`: torch's
            Muon for fp32 matrices inside the network, scaled to AdamW's step, and AdamW for all else.
        betas: Decay rates of the two moments.
        eps: Added to the root of the second moment.
        weight_decay: Decoupled weight decay of matrices.
    """

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, nn.Parameter]],
        *,
        kind: Kind,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
    ):
        self.kind: Kind = kind
        self._betas, self._eps = betas, eps
        self._weight_decay = weight_decay
        self._groups: list[_Group] = []
        self.add(named_parameters, birth=PRETRAINED)

    def add(self, named_parameters: Iterable[tuple[str, nn.Parameter]], birth: int) -> None:
        """Take on further parameters, such as those of an inserted block.

        Args:
            named_parameters: The parameters; those that need no gradient are left out.
            birth: The step after which they were born.
        """
        for chunk, kind, decay in groups_of(named_parameters, self.kind, self._weight_decay):
            self._groups.append(_Group(chunk, birth, partial(self._inner, kind, decay)))

    def set_lr(self, lr_of_birth: Callable[[int], float]) -> None:
        """Set the learning rate for the next step.

        Args:
            lr_of_birth: Gives the learning rate of what was born after a step; pretrained: `PRETRAINED`.
        """
        for group in self._groups:
            for inner_group in group.inner.param_groups:
                inner_group["lr"] = lr_of_birth(group.birth)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Groups of all inner optimizers: `lr` written there counts. Those of bf16 hold other tensors."""
        return [inner for group in self._groups for inner in group.inner.param_groups]

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for group in self._groups:
            group.step()

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for group in self._groups:
            for parameter in group.parameters:
                parameter.grad = None

    @torch.no_grad()
    def hold_at_zero(self, parameter: nn.Parameter, dim: int, index: Sequence[int]) -> None:
        """Set slices of a parameter to zero now and after every step, whatever their moments say.

        A recycled neuron has no gradient, but what its moments remember would move it off zero. Erasing them
        is not enough: bitsandbytes' quantizer on the CPU turns a moment of zero into another number.

        Args:
            parameter: The parameter; one that is not trained here needs no holding.
            dim: The dimension along which the slices lie.
            index: Which slices, besides those that are held already.
        """
        for group in self._groups:
            for position, other in enumerate(group.parameters):
                if other is parameter:
                    held = group.held[position][1].tolist() if position in group.held else []
                    at = torch.tensor(sorted({*held, *index}), dtype=torch.int64, device=parameter.device)
                    group.held[position] = (dim, at)
                    group.zero_held()

    @torch.no_grad()
    def drop_low_bits(self, parameter: nn.Parameter, dim: int, index: Sequence[int]) -> None:
        """Forget the bits that bf16 dropped of slices that were rewritten; moments stay as they are.

        Args:
            parameter: The parameter; one that is not trained here has nothing to forget.
            dim: The dimension along which the slices lie.
            index: Which slices.
        """
        at = torch.tensor(sorted(index), dtype=torch.int64, device=parameter.device)
        for group in self._groups:
            for position, other in enumerate(group.parameters):
                if other is parameter and group.lows is not None:
                    group.lows[position].index_fill_(dim, at, 0)

    def state_tensors(self, model: nn.Module) -> dict[str, torch.Tensor]:
        """The state, by the names that the parameters have in a model.

        Args:
            model: The model that holds the parameters.

        Returns:
            Everything needed to continue bit for bit; numbers come as 0-d tensors, and a parameter that has
            not been updated yet has `NAME.untouched`.
        """
        state: dict[str, torch.Tensor] = {}
        for name, group, position in self._named(model):
            if group.lows is not None:
                state[f"{name}.low_bits"] = group.lows[position]
            if position in group.held:
                dim, index = group.held[position]
                state |= {f"{name}.held_dim": torch.tensor(dim), f"{name}.held": index}
            entries = group.inner.state.get(group.masters[position], {})
            if not entries:
                state[f"{name}.untouched"] = torch.tensor(True)
            for key, value in entries.items():
                state[f"{name}.{key}"] = value if isinstance(value, torch.Tensor) else torch.tensor(value)
        return state

    @torch.no_grad()
    def load_state_tensors(self, model: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
        """Take back what `state_tensors` gave; other names, shapes or dtypes are a CheckpointError.

        Args:
            model: The model that holds the parameters.
            tensors: The state.
        """
        named = list(self._named(model))
        by_name: dict[str, dict[str, torch.Tensor]] = {}
        for full_name, value in tensors.items():
            name, _, key = full_name.rpartition(".")
            by_name.setdefault(name, {})[key] = value
        check_names(by_name, {name: None for name, *_ in named}, "the pretrained parameters' optimizer")
        for name, group, position in named:
            parameter = group.parameters[position]
            _check_entries(name, by_name[name], parameter, kind_for(self.kind, name, parameter))
        for name, group, position in named:
            entries = by_name[name]
            parameter = group.parameters[position]
            if group.lows is not None:
                group.lows[position].copy_(entries.pop("low_bits"))
            if "held" in entries:
                group.held[position] = (
                    int(entries.pop("held_dim")),
                    entries.pop("held").to(parameter.device),
                )
            if entries.pop("untouched", None) is None:
                loaded = {key: self._as_state(key, value, parameter) for key, value in entries.items()}
                group.inner.state[group.masters[position]] = loaded

    def _as_state(self, key: str, value: torch.Tensor, parameter: nn.Parameter) -> torch.Tensor | int:
        if key == "step" and self.kind == "adamw8bit":
            return int(value.item())
        return value.to(parameter.device, copy=True)

    def _named(self, model: nn.Module) -> Iterable[tuple[str, _Group, int]]:
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        for group in self._groups:
            for position, parameter in enumerate(group.parameters):
                yield names[id(parameter)], group, position

    def _inner(self, kind: Kind, weight_decay: float, masters: list[nn.Parameter]) -> torch.optim.Optimizer:
        settings: dict[str, Any] = {"lr": 0.0, "weight_decay": weight_decay}
        if kind == "muon":
            return torch.optim.Muon(masters, adjust_lr_fn="match_rms_adamw", **settings)
        settings |= {"betas": self._betas, "eps": self._eps}
        if kind == "adamw":
            return torch.optim.AdamW(masters, fused=True, **settings)
        from bitsandbytes.optim.adamw import AdamW8bit

        return AdamW8bit(masters, **settings)


def groups_of(
    named_parameters: Iterable[tuple[str, nn.Parameter]], kind: Kind, weight_decay: float
) -> list[tuple[list[nn.Parameter], Kind, float]]:
    """Gather parameters that are updated alike and together.

    Args:
        named_parameters: The parameters; those that need no gradient are left out.
        kind: The optimizer of the run.
        weight_decay: Of matrices.

    Returns:
        Parameters, which optimizer updates them, and their weight decay; bf16 ones in chunks.
    """
    alike: dict[tuple[torch.dtype, Kind, float], list[nn.Parameter]] = {}
    for name, parameter in named_parameters:
        if parameter.requires_grad:
            decay = weight_decay if parameter.ndim > 1 else 0.0
            alike.setdefault((parameter.dtype, kind_for(kind, name, parameter), decay), []).append(parameter)
    return [
        (chunk, mine, decay)
        for (dtype, mine, decay), chosen in alike.items()
        for chunk in (_chunks(chosen) if dtype == torch.bfloat16 else [chosen])
    ]


def kind_for(kind: Kind, name: str, parameter: torch.Tensor) -> Kind:
    """Say which optimizer updates a parameter.

    Args:
        kind: The optimizer of the run.
        name: The parameter's name.
        parameter: The parameter.

    Returns:
        The same; or for `muon` AdamW where the parameter is no fp32 matrix within the network.
    """
    if kind != "muon":
        return kind
    inside = parameter.ndim == 2 and not any(word in name for word in _EMBEDDINGS)
    return "muon" if inside and parameter.dtype == torch.float32 else "adamw"


def forget(touched: Sequence[Touched], neurons: NeuronAdamW, core: CoreOptimizer | None) -> None:
    """Make the optimizers forget what an event wrote or erased.

    Args:
        touched: What `surgery.apply` touched.
        neurons: The optimizer of the banks.
        core: The optimizer of the pretrained parameters, or None where they are frozen.
    """
    for part in touched:
        neurons.reset(part.ffn.bank, part.slots)
        if part.avoided_RD is not None:
            neurons.confine(part.ffn.bank, part.slots, part.avoided_RD)
        if core is None:
            continue
        views = part.ffn.views
        if part.core:
            for parameter, dim in views.neuron_parameters():
                core.hold_at_zero(parameter, dim, views.places(parameter, dim, part.core))
        if part.divided:
            core.drop_low_bits(*views.neuron_parameters()[-1], part.divided)


def _check_entries(name: str, entries: dict[str, torch.Tensor], parameter: nn.Parameter, kind: Kind) -> None:
    moments = _MOMENTS[kind]
    has_low = parameter.dtype == torch.bfloat16
    expected = {*moments} if kind == "muon" else {*moments, "step"}
    is_complete = "untouched" in entries or expected <= entries.keys()
    if ("low_bits" in entries) != has_low or not is_complete:
        raise CheckpointError(
            f"optimizer state of {name} holds {sorted(entries)}: another precision or optimizer saved it; "
            "resume with the run's own configuration"
        )
    if has_low:
        check_tensor(f"{name}.low_bits", entries["low_bits"], parameter.shape, torch.int16)
    dtype = torch.uint8 if "qmap1" in entries else torch.float32
    for moment in moments:
        if moment in entries:
            check_tensor(f"{name}.{moment}", entries[moment], parameter.shape, dtype)


def _chunks(parameters: list[nn.Parameter]) -> list[list[nn.Parameter]]:
    chunks: list[list[nn.Parameter]] = []
    room = 0
    for parameter in parameters:
        if parameter.numel() > room:
            chunks.append([])
            room = max(_CHUNK_NUMEL, parameter.numel())
        chunks[-1].append(parameter)
        room -= parameter.numel()
    return chunks


def _nothing(like: torch.Tensor) -> torch.Tensor:
    return torch.empty(0, dtype=torch.float32, device=like.device)
