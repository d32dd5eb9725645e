"""Stands beside an optimizer that is not foam's: young neurons' updates, and forgetting."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float

from foam_cli.api.growing import Growing
from foam_cli.core.errors import GrowthError
from foam_cli.model.neurons import GrowableFFN
from foam_cli.model.surgery import Touched

_Group = dict[str, Any]


class AttachedOptimizer:
    """Scales the updates that an optimizer makes of young neurons, and clears its memory of reborn ones.

    A multiplier on a gradient would do nothing under Adam, so the update itself is multiplied: with w before
    and w' after the optimizer's step, the row becomes w + a (w' - w), weight decay included. torch's Adam and
    AdamW count steps by tensor; for a neuron that has had t_i of its t steps, a is also multiplied by

        (1-β₁^t) / (1-β₁^{t_i}) · √((1-β₂^{t_i}) / (1-β₂^t))

    which gives, but for ε and the weight decay, the update of an Adam with a step count of the neuron's own.

    Args:
        growing: Knows the ages of neurons.
        optimizer: The optimizer; one that wraps another, as accelerate's does, is seen through.

    Raises:
        GrowthError: The optimizer does not hold the grown neurons.
    """

    def __init__(self, growing: Growing, optimizer: Any) -> None:
        self._growing = growing
        self._optimizer: torch.optim.Optimizer = getattr(optimizer, "optimizer", optimizer)
        self._before: list[tuple[GrowableFFN, torch.Tensor, _Group, torch.Tensor]] = []
        self._group_of = {id(one): group for group in self._optimizer.param_groups for one in group["params"]}
        missing = [ffn for ffn in growing.ffns if not self._groups(ffn)]
        if missing:
            raise GrowthError(
                f"{type(self._optimizer).__name__} does not hold the slots of {len(missing)} of "
                f"{len(growing.ffns)} layers; make it of model.parameters() after the model was made growable"
            )
        self._optimizer.register_step_pre_hook(self._remember)
        self._optimizer.register_step_post_hook(self._scale)
        growing.optimizers.append(self)

    def _groups(self, ffn: GrowableFFN) -> list[tuple[torch.Tensor, _Group]]:
        held = [(rows, self._group_of.get(id(rows))) for rows in ffn.bank.parameters()]
        return [(rows, group) for rows, group in held if group is not None]

    def _remember(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        del optimizer, args, kwargs
        self._before = [
            (ffn, rows, group, rows.detach()[: ffn.bank.num_slots_in_use].clone())
            for ffn in self._growing.ffns
            if ffn.bank.num_slots_in_use
            for rows, group in self._groups(ffn)
        ]

    @torch.no_grad()
    def _scale(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        del optimizer, args, kwargs
        for ffn, rows, group, before in self._before:
            used = len(before)
            scale_C = self._growing.multipliers(ffn) * self._correction(ffn, rows, group)
            scale = scale_C[:used].to(rows.dtype).view(-1, *[1] * (rows.ndim - 1))
            rows[:used] = before.lerp(rows[:used], scale.expand_as(before))
        self._before = []

    def _correction(self, ffn: GrowableFFN, rows: torch.Tensor, group: _Group) -> Float[torch.Tensor, " C"]:
        age_C = self._growing.step - ffn.bank.birth_C
        step = self._optimizer.state.get(rows, {}).get("step")
        if step is None or not isinstance(self._optimizer, torch.optim.Adam | torch.optim.AdamW):
            return torch.ones_like(age_C, dtype=torch.float64)
        beta1, beta2 = group["betas"]
        t = torch.as_tensor(step, dtype=torch.float64, device=age_C.device)
        t_C = (age_C + 1).clamp(min=1).double().minimum(t)
        first_C = (1 - beta1**t) / (1 - beta1**t_C)
        return first_C * ((1 - beta2**t_C) / (1 - beta2**t)).sqrt()

    @torch.no_grad()
    def forget(self, touched: Sequence[Touched]) -> None:
        """Clear the optimizer's memory of neurons that an event wrote or erased, where it is kept row by row.

        Args:
            touched: From `surgery.apply`.
        """
        for part in touched:
            for rows in part.ffn.bank.parameters():
                self._clear(rows, 0, part.slots)
            if part.core:
                for parameter, dim in part.ffn.views.neuron_parameters():
                    self._clear(parameter, dim, part.ffn.views.places(parameter, dim, part.core))

    def _clear(self, parameter: torch.Tensor, dim: int, places: Sequence[int]) -> None:
        index = torch.tensor(places, dtype=torch.int64, device=parameter.device)
        for memory in self._optimizer.state.get(parameter, {}).values():
            by_row = isinstance(memory, torch.Tensor) and memory.shape == parameter.shape
            if by_row and memory.is_floating_point():  # 8-bit moments are codes, in which 0 is no zero
                memory.index_fill_(dim, index, 0)
