"""Which parameters are trained, by which optimizer, at which learning rate."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from foam_cli.core.settings import HardwareSettings, TrainSettings
from foam_cli.model.lora import lora_parameters
from foam_cli.model.neuron_adamw import NeuronAdamW
from foam_cli.model.neurons import NeuronBank, growable_ffns
from foam_cli.model.optimizer import PRETRAINED, CoreOptimizer, forget
from foam_cli.model.sites import find_ffn_sites
from foam_cli.model.surgery import Touched

_EPS = 1e-8


def select_trainable(model: nn.Module, train: TrainSettings) -> list[tuple[str, nn.Parameter]]:
    """Freeze and unfreeze parameters.

    Args:
        model: The model; `requires_grad` is set on every parameter. Banks always learn.
        train: Says which of the others learn.

    Returns:
        The pretrained parameters, or the adapters, that learn, by name.
    """
    banks = {id(parameter) for ffn in growable_ffns(model) for parameter in ffn.bank.parameters()}
    wanted: set[int] = set()
    if train.parameters == "full":
        wanted = {id(parameter) for parameter in model.parameters()} - banks
    elif train.parameters == "ffn":
        modules = [module for site in find_ffn_sites(model) for module in site.views.projections()]
        wanted = {id(parameter) for module in modules for parameter in module.parameters()}
    elif train.parameters == "lora":
        wanted = {id(parameter) for parameter in lora_parameters(model)}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in wanted or id(parameter) in banks)
    return [(name, parameter) for name, parameter in model.named_parameters() if id(parameter) in wanted]


def lr_factor(step: int, train: TrainSettings) -> float:
    """Learning rate as a fraction of its peak: linear warm-up, times a cosine over the whole stage.

    Args:
        step: Optimizer steps taken; every stage of a stream begins anew.
        train: Warm-up, length and final fraction.

    Returns:
        The factor for the next step.
    """
    step %= train.steps
    warm = min(1.0, (step + 1) / max(1, train.warmup_steps))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / train.steps)))
    return warm * (train.final_lr_frac + (1 - train.final_lr_frac) * cosine)


class Optimizers:
    """The optimizer of pretrained parameters, blocks and adapters, and that of grown neurons, as one."""

    def __init__(self, model: nn.Module, train: TrainSettings, hardware: HardwareSettings) -> None:
        self._model = model
        self._train = train
        self._banks: list[NeuronBank] = [ffn.bank for ffn in growable_ffns(model)]
        betas = (train.beta1, train.beta2)
        named = select_trainable(model, train)
        self.core = CoreOptimizer(
            named, kind=hardware.optimizer, betas=betas, eps=_EPS, weight_decay=train.weight_decay
        )
        self.neurons = (
            NeuronAdamW(self._banks, betas=betas, eps=_EPS, weight_decay=train.weight_decay)
            if self._banks
            else None
        )
        # Adapters are added to a frozen model, as grown neurons are: they learn at the same rate.
        self._core_lr = train.grown_lr if train.parameters == "lora" else train.lr
        self._parameters = self._trainable()

    def _trainable(self) -> list[nn.Parameter]:
        return [parameter for parameter in self._model.parameters() if parameter.requires_grad]

    def parameters(self) -> list[nn.Parameter]:
        """Everything that is trained.

        Returns:
            The parameters.
        """
        return self._parameters

    def add_block(self, block: nn.Module, birth: int) -> None:
        """Take on an inserted block.

        Args:
            block: The block.
            birth: The step after which it was born.
        """
        new_banks = [ffn.bank for ffn in growable_ffns(block)]
        in_banks = {id(parameter) for bank in new_banks for parameter in bank.parameters()}
        for parameter in block.parameters():
            parameter.requires_grad_(True)
            parameter.grad = None
        self.core.add([(n, p) for n, p in block.named_parameters() if id(p) not in in_banks], birth)
        for bank in new_banks:
            if self.neurons is not None:
                self.neurons.add_bank(bank, birth)
        self._parameters = self._trainable()

    def step(
        self,
        step: int,
        multipliers: Mapping[NeuronBank, torch.Tensor],
        block_lr_scale: Callable[[int], float],
    ) -> float:
        """Take one optimizer step and drop the gradients.

        Args:
            step: Optimizer steps taken before this one.
            multipliers: Learning-rate multipliers of the grown neurons, by bank.
            block_lr_scale: Age of an inserted block to the factor of its learning rate.

        Returns:
            The learning rate of pretrained parameters, or of adapters.
        """
        factor = lr_factor(step, self._train)

        def lr_of_birth(birth: int) -> float:
            if birth == PRETRAINED:
                return self._core_lr * factor
            return self._train.grown_lr * factor * block_lr_scale(step - birth)

        self.core.set_lr(lr_of_birth)
        self.core.step()
        self.core.zero_grad()
        if self.neurons is not None:
            for bank, multiplier_C in multipliers.items():
                self.neurons.set_multiplier(bank, multiplier_C)
            self.neurons.set_lr(lambda _: self._train.grown_lr * factor)
            self.neurons.step()
            self.neurons.zero_grad()
        return self._core_lr * factor

    def forget(self, touched: Sequence[Touched]) -> None:
        """Forget the moments of what an event wrote or erased.

        Args:
            touched: From `surgery.apply`.
        """
        if self.neurons is not None and touched:
            forget(touched, self.neurons, self.core)

    def state_tensors(self) -> dict[str, torch.Tensor]:
        """Everything that both optimizers need to continue bit for bit.

        Returns:
            Named tensors.
        """
        state = {f"core.{name}": value for name, value in self.core.state_tensors(self._model).items()}
        if self.neurons is not None:
            state |= {f"grown.{name}": v for name, v in self.neurons.state_tensors(self._model).items()}
        return state

    def load_state_tensors(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take back what `state_tensors` gave.

        Args:
            tensors: The state.
        """

        def part(prefix: str) -> dict[str, torch.Tensor]:
            return {
                name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)
            }

        self.core.load_state_tensors(self._model, part("core."))
        if self.neurons is not None:
            self.neurons.load_state_tensors(self._model, part("grown."))
