"""AdamW that knows how old each neuron is."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import nn

from foam_cli.model.named_state import check_names, check_tensor
from foam_cli.model.neurons import NeuronBank

_MOMENTS = ("exp_avg", "exp_avg_sq")


class NeuronAdamW(torch.optim.Optimizer):
    """Exact AdamW for the rows of banks: own step count and learning-rate multiplier for every neuron.

    With t_i the updates that neuron i has had, g its gradient and a_i its multiplier:

        m ← β₁ m + (1-β₁) g        v ← β₂ v + (1-β₂) g²
        w ← w - lr a_i λ w - lr a_i (m / (1-β₁^{t_i})) / (√(v / (1-β₂^{t_i})) + ε)

    A neuron born late thus starts as one born at step 0 does; under a shared count t = 1000 its first update
    would be 2.5 times the learning rate. The multiplier scales the update, since Adam does not feel the scale
    of a gradient. Empty slots stay exactly zero. Biases are not decayed. The state takes 8 bytes per bank
    parameter and 12 bytes per slot.

    Neurons can be confined: what Adam makes of their in-rows' gradients is then applied without its parts
    along some directions, and their biases do not move. Where a bank has such neurons, the directions are
    state, 4 bytes per weight.

    Args:
        banks: The banks; more can join by `add_bank`.
        betas: Decay rates of the two moments.
        eps: Added to the root of the second moment.
        weight_decay: λ, decoupled.

    Source: I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", 2019, arXiv 1711.05101,
        algorithm 2.
    Differs: step count and learning rate belong to a neuron, not to a tensor.
    """

    def __init__(
        self, banks: Sequence[NeuronBank], *, betas: tuple[float, float], eps: float, weight_decay: float
    ):
        self._banks: list[NeuronBank] = []
        defaults = {"lr": 0.0, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__([_group(bank, birth=0) for bank in banks], defaults)
        for bank in banks:
            self._register(bank)

    def add_bank(self, bank: NeuronBank, birth: int) -> None:
        """Take on the bank of a block that was inserted.

        Args:
            bank: Its bank.
            birth: The step after which the block was born.
        """
        self.add_param_group(_group(bank, birth))
        self._register(bank)

    def set_lr(self, lr_of_birth: Callable[[int], float]) -> None:
        """Set the learning rate for the next step.

        Args:
            lr_of_birth: Gives the learning rate of what was born after a step; banks of the pretrained
                blocks count as born after step 0.
        """
        for group in self.param_groups:
            group["lr"] = lr_of_birth(group["birth"])

    def set_multiplier(self, bank: NeuronBank, multiplier_C: Float[torch.Tensor, " C"]) -> None:
        """Set the learning-rate multipliers of a bank's neurons, until they are set again.

        Args:
            bank: The bank.
            multiplier_C: One multiplier per slot.
        """
        self.state[bank.up_CD]["multiplier_C"].copy_(multiplier_C)

    @torch.no_grad()
    def reset(self, bank: NeuronBank, slots: Sequence[int]) -> None:
        """Forget what is known of slots that were written or erased.

        Args:
            bank: The bank.
            slots: Their indices.
        """
        index = torch.as_tensor(slots, dtype=torch.int64, device=bank.up_CD.device)
        for name in ("num_steps_C", "confined_C"):
            if name in self.state[bank.up_CD]:
                self.state[bank.up_CD][name].index_fill_(0, index, 0)
        for parameter in bank.parameters():
            for moment in _MOMENTS:
                self.state[parameter][moment].index_fill_(0, index, 0.0)

    def confine(self, bank: NeuronBank, slots: Sequence[int], avoided_RD: Float[torch.Tensor, "R D"]) -> None:
        """Keep the in-rows of some slots from learning some directions, and their biases from learning.

        It ends for a slot when the slot is reset. Slots that are confined already avoid the new directions
        from now on, instead of the earlier ones.

        Args:
            bank: The bank.
            slots: Their indices.
            avoided_RD: The directions, orthonormal.
        """
        state = self.state[bank.up_CD]
        index = torch.as_tensor(slots, dtype=torch.int64, device=bank.up_CD.device)
        state.setdefault("confined_C", torch.zeros_like(bank.live_C)).index_fill_(0, index, 1)
        state["avoided_RD"] = avoided_RD.to(bank.up_CD, copy=True)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Update every bank that has gradients.

        Args:
            closure: Not supported; torch's interface has it.
        """
        assert closure is None
        for bank, group in zip(self._banks, self.param_groups, strict=True):
            if bank.up_CD.grad is not None:
                self._step_bank(bank, group)

    def _step_bank(self, bank: NeuronBank, group: dict[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        counts: dict[str, torch.Tensor] = self.state[bank.up_CD]
        # Slots that are empty count nothing; the clamp keeps their 0/0 away.
        t_C = counts["num_steps_C"].add_(bank.live_C).clamp(min=1).double()
        multiplier_C = counts["multiplier_C"].double()
        step_C = group["lr"] * multiplier_C / (1 - beta1**t_C)
        root_C = (1 - beta2**t_C).sqrt()
        decay_C = group["lr"] * multiplier_C * group["weight_decay"]
        for row in bank.parameters():
            if row.grad is None:
                continue
            step, root, decay = (_beside(row, c_C) for c_C in (step_C, root_C, decay_C))
            mean = self.state[row]["exp_avg"].lerp_(row.grad, 1 - beta1)
            square = self.state[row]["exp_avg_sq"].mul_(beta2).addcmul_(row.grad, row.grad, value=1 - beta2)
            update = (mean * step).div_((square.sqrt() / root).add_(group["eps"]))
            if row is not bank.down_CD and "avoided_RD" in counts:
                _take_out(update, counts["avoided_RD"], counts["confined_C"])
            row.sub_(update.addcmul_(row, decay) if row.ndim > 1 else update)

    def state_tensors(self, model: nn.Module) -> dict[str, torch.Tensor]:
        """The state, by the names that the parameters have in a model.

        Args:
            model: The model that holds the banks.

        Returns:
            Moments and step counts; multipliers follow from age and are not state.
        """
        return {
            f"{name}.{key}": value
            for name, parameter in model.named_parameters()
            for key, value in self.state.get(parameter, {}).items()
            if key != "multiplier_C"
        }

    def load_state_tensors(self, model: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
        """Take back what `state_tensors` gave; other names, shapes or dtypes are a CheckpointError.

        Args:
            model: The model that holds the banks.
            tensors: The state.
        """
        for name, parameter in model.named_parameters():
            self._expect_confinement(parameter, tensors.get(f"{name}.avoided_RD"))
        mine = self.state_tensors(model)
        check_names(tensors, mine, "the grown neurons' optimizer")
        for name, value in mine.items():
            check_tensor(name, tensors[name], value.shape, value.dtype)
        for name, value in mine.items():
            value.copy_(tensors[name])

    def _expect_confinement(self, parameter: nn.Parameter, avoided: torch.Tensor | None) -> None:
        """Have the state that a checkpoint has of confined neurons: how much that is depends on the data."""
        state = self.state.get(parameter, {})
        if "num_steps_C" not in state:
            return
        for name in ("confined_C", "avoided_RD"):
            state.pop(name, None)
        if avoided is not None:
            state["confined_C"] = torch.zeros_like(state["num_steps_C"], dtype=torch.bool)
            state["avoided_RD"] = parameter.new_zeros(len(avoided), parameter.shape[1])

    def _register(self, bank: NeuronBank) -> None:
        self._banks.append(bank)
        for parameter in bank.parameters():
            self.state[parameter] = {moment: torch.zeros_like(parameter.detach()) for moment in _MOMENTS}
        self.state[bank.up_CD]["num_steps_C"] = torch.zeros_like(bank.birth_C)
        self.state[bank.up_CD]["multiplier_C"] = torch.ones_like(bank.up_CD.detach()[:, 0])


def _group(bank: NeuronBank, birth: int) -> dict[str, Any]:
    return {"params": list(bank.parameters()), "birth": birth}


def _take_out(
    update: torch.Tensor, avoided_RD: Float[torch.Tensor, "R D"], confined_C: Bool[torch.Tensor, " C"]
) -> None:
    held = confined_C.to(update.dtype)
    if update.ndim == 1:
        update.mul_(1 - held)
        return
    for _ in range(2):  # the second pass removes what the first leaves where matrices multiply in TF32
        update.addcmul_((update @ avoided_RD.T) @ avoided_RD, held[:, None], value=-1)


def _beside(row: torch.Tensor, value_C: torch.Tensor) -> torch.Tensor:
    return value_C.to(row.dtype).view(-1, *[1] * (row.ndim - 1))
