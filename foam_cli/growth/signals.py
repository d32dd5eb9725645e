"""Watches neurons at work: the pressure of the gradient on them, and how active they are."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
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
        samples = [_Sample(ffn) for ffn in self._known]
        handles = [handle for sample in samples for handle in sample.hooks()]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
        for sample in samples:
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

    def hooks(self) -> Iterator[RemovableHandle]:
        yield self.ffn.views.down.register_forward_pre_hook(self._on_core)
        yield self.ffn.bank.register_forward_pre_hook(self._on_bank)

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
            self.core_force_F += (h * gradient).flatten(0, -2).sum(0, dtype=torch.float32)

        return push

    def _add(self, h: torch.Tensor, where: slice) -> None:
        rows = h.flatten(0, -2)
        self.sum_abs_N[where] += rows.abs().sum(0, dtype=torch.float32)
        self.sum_square_N[where] += rows.float().square().sum(0)

    def pressure(self) -> Float[torch.Tensor, " N"]:
        """Pressure on pretrained neurons and slots, both in the same form."""
        bank, views = self.ffn.bank, self.ffn.views
        if self.is_frozen:
            # Σ_t h_i ∂L/∂h_i = Σ_t h_i ⟨∂L/∂y, down_i⟩, and Σ_t h_i ∂L/∂y is the gradient of down_i.
            down_C = (bank.down_CD * _gradient(bank.down_CD)).sum(1)
            return torch.cat([self.core_force_F, down_C]).abs()
        core_F = torch.zeros_like(self.core_force_F)
        for rows_FD in views.in_gradients():
            core_F += rows_FD.float().square().sum(1)
        bank_C = sum(
            _gradient(rows).square().sum(1) for rows in (bank.up_CD, bank.gate_CD) if rows is not None
        )
        return torch.cat([core_F, torch.as_tensor(bank_C)]).sqrt()


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _zeros(ffn: GrowableFFN) -> torch.Tensor:
    return torch.zeros(ffn.width + ffn.bank.capacity, device=ffn.bank.up_CD.device)


def _no_signals(ffn: GrowableFFN) -> NeuronSignals:
    return NeuronSignals(
        pressure_N=_zeros(ffn), mean_abs_N=_zeros(ffn), mean_square_N=_zeros(ffn), num_samples=0
    )
