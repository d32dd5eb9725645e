"""Watches neurons at work: the pressure of the gradient on them, and how active they are."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import nn
from torch.utils.hooks import RemovableHandle

from foam_cli.core.errors import CheckpointError
from foam_cli.growth.context import NeuronSignals
from foam_cli.model.neurons import GrowableFFN

_NAMES = ("pressure_N", "mean_abs_N", "mean_square_N")


class PressureTracker:
    """Running statistics of all neurons, measured every so many steps and without waiting for the device.

    The pressure on a neuron is ‖∇w_i‖ of its in-rows where the core learns, and |Σ_t h_i ∂L/∂h_i| where it
    is frozen and has no weight gradient. Running means use the decay raised to the power of the interval, so
    their time constants are in steps, however seldom they are measured. Padding counts as activity.

    Args:
        ffns: The growable FFNs, one per block.
        every_steps: Steps between measurements.
        pressure_decay: Decay of the pressure per step.
        activity_decay: Decay of the activities per step.

    Source: the growth rule of Neural Foam, pressure_i ← 0.9 pressure_i + 0.1 ‖∇w_i‖.
    """

    def __init__(
        self, ffns: Sequence[GrowableFFN], *, every_steps: int, pressure_decay: float, activity_decay: float
    ):
        self.every_steps = every_steps
        self._pressure_keep = pressure_decay**every_steps
        self._activity_keep = activity_decay**every_steps
        self._known: dict[GrowableFFN, NeuronSignals] = {}
        self._samples: list[_Sample] = []
        self._handles: list[RemovableHandle] = []
        self.follow(ffns)

    @property
    def signals(self) -> list[NeuronSignals]:
        """The statistics, one per block."""
        return list(self._known.values())

    def follow(self, ffns: Sequence[GrowableFFN]) -> None:
        """Say which FFNs the model has now; those that are known keep their statistics.

        Args:
            ffns: The growable FFNs, one per block.
        """
        self._known = {ffn: self._known.get(ffn) or _no_signals(ffn) for ffn in ffns}

    @contextmanager
    def watch(self, step: int) -> Generator[None]:
        """Measure during all forward and backward passes of one step, if it is its turn.

        Gradients must still be there when the context ends. Hooks exist only inside, so other steps cost
        nothing; a compiled module does not run them, so run a watched step (see `is_due`) on the original.

        Args:
            step: Optimizer steps done.

        Yields:
            Nothing.
        """
        if not self.is_due(step):
            yield
            return
        self.begin(keeps_gradients=True)
        is_complete = False
        try:
            yield
            is_complete = True
        finally:
            self.end(discard=not is_complete)

    @property
    def is_watching(self) -> bool:
        """Whether a step is being measured."""
        return bool(self._samples)

    def begin(self, *, keeps_gradients: bool) -> None:
        """Begin to measure a step, for loops that a context cannot be put around; `end` must follow.

        Args:
            keeps_gradients: Gradients will still be there at the end. Otherwise what is needed of them is
                taken as soon as they are made, which costs a little more.
        """
        self._samples = [_Sample(ffn) for ffn in self._known]
        self._handles = [handle for sample in self._samples for handle in sample.hooks()]
        if not keeps_gradients:
            self._handles += [handle for sample in self._samples for handle in sample.gradient_hooks()]
        self._known = {ffn: _beside(ffn, signals) for ffn, signals in self._known.items()}

    def end(self, *, discard: bool = False) -> None:
        """Take what was measured since `begin` into the statistics.

        Args:
            discard: Forget it instead.
        """
        for handle in self._handles:
            handle.remove()
        samples, self._samples, self._handles = self._samples, [], []
        for sample in samples if not discard else []:
            self._known[sample.ffn] = self._updated(self._known[sample.ffn], sample)

    def is_due(self, step: int) -> bool:
        """Say whether a step is measured.

        Args:
            step: Optimizer steps done.

        Returns:
            True every `every_steps` steps.
        """
        return step % self.every_steps == 0

    @torch.no_grad()
    def _updated(self, old: NeuronSignals, sample: "_Sample") -> NeuronSignals:
        if sample.num_tokens == 0:
            return old
        means_N = (sample.sum_abs_N / sample.num_tokens, sample.sum_square_N / sample.num_tokens)
        return NeuronSignals(
            pressure_N=torch.lerp(sample.pressure(), old.pressure_N, self._pressure_keep),
            mean_abs_N=torch.lerp(means_N[0], old.mean_abs_N, self._activity_keep),
            mean_square_N=torch.lerp(means_N[1], old.mean_square_N, self._activity_keep),
            num_samples=old.num_samples + 1,
        )

    def state_tensors(self) -> dict[str, torch.Tensor]:
        """The statistics, for a checkpoint.

        Returns:
            Tensors by block and name.
        """
        state: dict[str, torch.Tensor] = {}
        for block, signals in enumerate(self.signals):
            state |= {f"{block}.{name}": getattr(signals, name) for name in _NAMES}
            state[f"{block}.num_samples"] = torch.tensor(signals.num_samples)
        return state

    def load_state_tensors(self, tensors: dict[str, torch.Tensor]) -> None:
        """Take back what `state_tensors` gave.

        Args:
            tensors: The statistics.

        Raises:
            CheckpointError: They are of a model with other blocks or widths.
        """
        mine = self.state_tensors()
        for name in mine.keys() | tensors.keys():
            if name not in mine or name not in tensors or mine[name].shape != tensors[name].shape:
                raise CheckpointError(
                    f"statistics of neurons: {name} does not fit the model; "
                    "resume with the run's own configuration"
                )
        for block, ffn in enumerate(self._known):
            loaded: dict[str, Any] = {
                name: tensors[f"{block}.{name}"].to(mine[f"{block}.{name}"]) for name in _NAMES
            }
            self._known[ffn] = NeuronSignals(**loaded, num_samples=int(tensors[f"{block}.num_samples"]))


class _Sample:
    """What one step shows of one FFN."""

    def __init__(self, ffn: GrowableFFN):
        self.ffn = ffn
        self.is_frozen = not ffn.views.up.get_parameter("weight").requires_grad
        self.num_tokens = 0
        self.sum_abs_N = _zeros(ffn)
        self.sum_square_N = _zeros(ffn)
        self.core_force_F = _zeros(ffn)[: ffn.width]
        self.from_gradients: tuple[torch.Tensor, torch.Tensor] | None = None

    def hooks(self) -> Iterator[RemovableHandle]:
        yield self.ffn.views.down.register_forward_pre_hook(self._on_core)
        yield self.ffn.bank.register_forward_pre_hook(self._on_bank)

    def gradient_hooks(self) -> Iterator[RemovableHandle]:
        # Every gradient that comes in replaces what was taken before, so the last one finds all complete.
        inputs = [module.get_parameter("weight") for module in self.ffn.views.projections()[:-1]]
        for parameter in (*inputs, *self.ffn.bank.parameters()):
            if parameter.requires_grad:
                yield parameter.register_post_accumulate_grad_hook(self._on_gradient)

    def _on_gradient(self, parameter: torch.Tensor) -> None:
        del parameter
        self.from_gradients = self._taken()

    def _on_core(self, module: nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        del module
        if not torch.is_grad_enabled():
            return None
        h = args[0]
        if self.is_frozen:
            if not h.requires_grad:
                h = h.detach().requires_grad_()  # below the first trainable parameter there is no graph yet
            h.register_hook(self._pusher(h.detach()))
        self.num_tokens += h[..., 0].numel()
        self._add(h.detach(), slice(None, self.ffn.width))
        return (h, *args[1:])

    def _on_bank(self, module: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        del module
        if torch.is_grad_enabled():
            with torch.no_grad():
                h = self.ffn.bank.hidden(args[0])
                self._add(h, slice(self.ffn.width, self.ffn.width + h.shape[-1]))

    def _pusher(self, h: torch.Tensor) -> Callable[[torch.Tensor], None]:
        def push(gradient: torch.Tensor) -> None:
            self.core_force_F += (h * gradient).reshape(-1, h.shape[-1]).sum(0, dtype=torch.float32)

        return push

    def _add(self, h: torch.Tensor, where: slice) -> None:
        rows = h.reshape(-1, h.shape[-1])  # a single vector has no other dimension
        self.sum_abs_N[where] += rows.abs().sum(0, dtype=torch.float32)
        self.sum_square_N[where] += rows.float().square().sum(0)

    def pressure(self) -> Float[torch.Tensor, " N"]:
        """Pressure on pretrained neurons and slots, both in the same form."""
        core_F, bank_C = self.from_gradients or self._taken()
        if self.is_frozen:
            return torch.cat([self.core_force_F, bank_C]).abs()
        return torch.cat([core_F, bank_C]).sqrt()

    @torch.no_grad()
    def _taken(self) -> tuple[torch.Tensor, torch.Tensor]:
        """What the pressure needs of the gradients that are there."""
        bank, views = self.ffn.bank, self.ffn.views
        core_F = torch.zeros_like(self.core_force_F)
        if self.is_frozen:
            # Σ_t h_i ∂L/∂h_i = Σ_t h_i ⟨∂L/∂y, down_i⟩, and Σ_t h_i ∂L/∂y is the gradient of down_i.
            return core_F, (bank.down_CD * _gradient(bank.down_CD)).sum(1)
        for rows_FD in views.in_gradients():
            core_F += rows_FD.float().square().sum(1)
        squares = [_gradient(rows).square().sum(1) for rows in (bank.up_CD, bank.gate_CD) if rows is not None]
        return core_F, torch.stack(squares).sum(0)


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _zeros(ffn: GrowableFFN) -> torch.Tensor:
    return torch.zeros(ffn.width + ffn.bank.capacity, device=ffn.bank.up_CD.device)


def _beside(ffn: GrowableFFN, signals: NeuronSignals) -> NeuronSignals:
    """The statistics on the device where the FFN is now."""
    moved = {name: getattr(signals, name).to(ffn.bank.up_CD.device) for name in _NAMES}
    return replace(signals, **moved)


def _no_signals(ffn: GrowableFFN) -> NeuronSignals:
    return NeuronSignals(
        pressure_N=_zeros(ffn), mean_abs_N=_zeros(ffn), mean_square_N=_zeros(ffn), num_samples=0
    )
