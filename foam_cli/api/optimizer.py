"""foam's optimizers of pretrained parameters and of grown neurons, as one that any loop can step."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from foam_cli.api.growing import Growing
from foam_cli.model.neuron_adamw import NeuronAdamW
from foam_cli.model.optimizer import CoreOptimizer, forget
from foam_cli.model.surgery import Touched

_EPS = 1e-8


class GrowingAdamW(torch.optim.Optimizer):
    """AdamW for pretrained parameters, and for grown neurons AdamW with a step count and a rate of their own.

    Its groups are those of both, so a scheduler reaches every learning rate. The state goes by the names of
    parameters, not by their order.

    Args:
        growing: Knows the ages of neurons.
        model: What is trained; parameters that need no gradient are left out.
        lr: Learning rate of pretrained parameters.
        grown_lr: Learning rate of mature grown neurons.
        betas: Decay rates of the two moments.
        weight_decay: Decoupled weight decay of matrices.
    """

    def __init__(
        self,
        growing: Growing,
        model: nn.Module,
        *,
        lr: float,
        grown_lr: float,
        betas: tuple[float, float],
        weight_decay: float,
    ) -> None:
        self._growing, self._model = growing, model
        in_banks = {id(parameter) for ffn in growing.ffns for parameter in ffn.bank.parameters()}
        core = [(name, one) for name, one in model.named_parameters() if id(one) not in in_banks]
        self._core = CoreOptimizer(core, kind="adamw", betas=betas, eps=_EPS, weight_decay=weight_decay)
        banks = [ffn.bank for ffn in growing.ffns]
        self._neurons = NeuronAdamW(banks, betas=betas, eps=_EPS, weight_decay=weight_decay)
        for groups, rate in ((self._core.param_groups, lr), (self._neurons.param_groups, grown_lr)):
            for group in groups:
                group["lr"] = rate
        # The very dictionaries of the two, so that what is written into them counts.
        super().__init__([*self._core.param_groups, *self._neurons.param_groups], {"lr": lr})
        growing.optimizers.append(self)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Update everything that has a gradient.

        Args:
            closure: Computes the loss and its gradients once more, or None where they are there.

        Returns:
            The closure's loss.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for ffn in self._growing.ffns:
            self._neurons.set_multiplier(ffn.bank, self._growing.multipliers(ffn))
        self._core.step()
        self._neurons.step()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop all gradients.

        Args:
            set_to_none: Not looked at; torch's interface has it.
        """
        del set_to_none
        self._core.zero_grad()
        self._neurons.zero_grad()

    def forget(self, touched: Sequence[Touched]) -> None:
        """Forget what is known of neurons that an event wrote or erased.

        Args:
            touched: From `surgery.apply`.
        """
        forget(touched, self._neurons, self._core)

    def state_dict(self) -> dict[str, Any]:
        """The state.

        Returns:
            Tensors by the names of parameters, and the groups' learning rates.
        """
        rates = [
            {key: group[key] for key in ("lr", "initial_lr") if key in group} for group in self.param_groups
        ]
        return {
            "core": self._core.state_tensors(self._model),
            "grown": self._neurons.state_tensors(self._model),
            "rates": rates,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave; other names, shapes or dtypes are a CheckpointError.

        Args:
            state_dict: The state.
        """
        self._core.load_state_tensors(self._model, dict(state_dict["core"]))
        self._neurons.load_state_tensors(self._model, dict(state_dict["grown"]))
        for group, rates in zip(self.param_groups, state_dict["rates"], strict=True):
            group.update(rates)
