"""A linear layer that grows hidden neurons beside itself."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional as F

from foam_cli.api.attached import AttachedOptimizer
from foam_cli.api.defaults import growth_policy
from foam_cli.api.growing import Growing, counted, nothing_grew
from foam_cli.core.errors import GrowthError, ModelError
from foam_cli.core.growth import GrowthPlan
from foam_cli.growth.activity import Recycled
from foam_cli.growth.neuron_view import alive
from foam_cli.model.linear import LINEAR_LAYOUT, LinearViews
from foam_cli.model.neurons import GrowableFFN, round_up_capacity

#: Everything that growth adds to a state_dict has a name that begins so.
PREFIX = "grown."


class GrowableLinear(nn.Linear):
    """`nn.Linear` with room for neurons: y = W x + b + W_out φ(W_in x).

    The layer keeps its width, so it stands wherever an `nn.Linear` does. What grows are hidden neurons: rows
    of W_in and columns of W_out. Until then the sum is W x + b, bit for bit. A newborn's column of W_out is
    zero, so growing changes no output. All slots exist from the beginning, as zeros that have no gradient:
    an optimizer that was made before growth keeps working.

    Until something has grown the state_dict is nn.Linear's: `weight` and `bias`. Afterwards it has in
    addition `grown.up_CD` (W_in), `grown.down_CD` (W_out, transposed), `grown.live_C`, `grown.birth_C` and
    `grown.counts`. A state_dict of nn.Linear loads strictly, and empties all slots; one of a layer with fewer
    slots fills the first ones.

    Neurons are numbered 0 to out_features - 1 for the rows of `weight`, and on from there for the slots.

    Attributes:
        grown: The slots; at least fp32, whatever the layer computes in.

    Args:
        in_features: Size of each input.
        out_features: Size of each output.
        bias: Whether there is a b.
        device: Where.
        dtype: Of weight and bias.
        enable_replacement: Let grown neurons that matter least make room; rows of `weight` always stay.
        gradient_percentile: Neurons pressed above this percentile may be copied from.
        max_growth_per_step: Neurons born by one event.
        growth_cooldown: Optimizer steps from the start, and from one event, to the next.
        maturation_age: Optimizer steps for which a neuron is neither copied from nor replaced, and learns at
            twice the rate where the optimizer was shown to `attach`.
        capacity: Neurons to have room for; rounded up to a multiple of 64.
        activation: φ; must map 0 to 0.
        seed: The noise of newborn neurons follows from it.

    Raises:
        ModelError: φ does not map 0 to 0.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        enable_replacement: bool = False,
        gradient_percentile: float = 90.0,
        max_growth_per_step: int = 10,
        growth_cooldown: int = 200,
        maturation_age: int = 500,
        capacity: int = 256,
        activation: Callable[[torch.Tensor], torch.Tensor] = F.gelu,
        seed: int = 0,
    ) -> None:
        super().__init__(in_features, out_features, bias, device, dtype)
        if activation(torch.zeros(1)).item() != 0.0:
            raise ModelError(f"activation={activation}: does not map 0 to 0, so empty slots would be heard")
        self.activation = activation
        self.outputs = nn.Identity()
        ffn = GrowableFFN(LinearViews(self, LINEAR_LAYOUT), round_up_capacity(capacity))
        self.grown = ffn.bank
        policy = growth_policy(
            gradient_percentile=gradient_percentile,
            max_growth_per_step=max_growth_per_step,
            growth_cooldown=growth_cooldown,
            maturation_age=maturation_age,
            enable_replacement=enable_replacement,
        )
        self.growing = Growing(policy, (ffn,), seed)
        self._firing: tuple[str, dict[str, Any]] | None = None
        self.register_state_dict_post_hook(_leave_out_empty)
        self.register_load_state_dict_pre_hook(_fill_in_missing)

    def forward(self, input: Float[torch.Tensor, "*B D"]) -> Float[torch.Tensor, "*B E"]:
        """Compute W x + b + W_out φ(W_in x).

        Args:
            input: x; named as in nn.Linear.

        Returns:
            y.
        """
        self.growing.before_forward(self)
        y: torch.Tensor = self.outputs(super().forward(input))
        return y + self.grown(input) if self.grown.num_slots_in_use else y

    def check_growth(self) -> tuple[bool, list[int]]:
        """Count an optimizer step, and say whether to grow after it. Call it once after every step.

        Returns:
            Whether to grow, and the neurons to copy, hardest pressed first.
        """
        growing = self.growing
        growing.advance()
        context = growing.context()
        firing, state = growing.policy.ask(growing.state, context)
        sources = () if firing is None else growing.policy.sources(firing, context).get(0, ())
        self._firing = None if firing is None else (firing.reason, state)
        return bool(sources), list(sources)

    def perform_growth(self, source_indices: Sequence[int]) -> dict[str, int]:
        """Grow: one neuron for every source, as far as there is room.

        Args:
            source_indices: From `check_growth`, or any others.

        Returns:
            How many neurons were born, were replaced, and died: see `foam_cli.api.growing.counted`.

        Raises:
            GrowthError: A source is no living neuron.
        """
        growing, sources = self.growing, tuple(int(index) for index in source_indices)
        (ffn,) = growing.ffns
        alive_N = alive(ffn).tolist()
        if wrong := [index for index in sources if not 0 <= index < len(alive_N) or not alive_N[index]]:
            raise GrowthError(
                f"source_indices: {wrong} are no living neurons; there are 0 to {ffn.width - 1}, and slots "
                f"{[ffn.width + slot for slot in self.grown.live_C.nonzero().flatten().tolist()]}"
            )
        reason, state = self._firing or ("asked for", growing.state)
        recycled = self._recycled(ffn, sources)
        given_up = () if recycled is None else recycled.neurons
        sources = sources[: len(self.grown.free_slots()) + len(given_up)]
        if not sources:
            return nothing_grew()
        event = state["num_events"] + 1
        born = growing.policy.initializer.bear(growing.context(), 0, sources, event)
        births = replace(born, recycled=given_up[: len(sources)])
        plan = GrowthPlan(event=event, step=growing.step, reason=reason, neurons=(births,))
        record = growing.carry_out(ffn, plan)
        growing.state = {**state, "num_events": event}
        self._firing = None
        return counted(record)

    def attach(self, optimizer: Any) -> None:
        """Let an optimizer treat young neurons as foam's does, as far as it can be done.

        Args:
            optimizer: Holds the layer's parameters.
        """
        AttachedOptimizer(self.growing, optimizer)

    def _recycled(self, ffn: GrowableFFN, sources: tuple[int, ...]) -> Recycled | None:
        """Grown neurons that make room, by the policy's rule; it looks at norms of out-columns only."""
        context, policy = self.growing.context(), self.growing.policy
        eligible_N = policy.mature(context)[0].clone()
        eligible_N[: ffn.width] = False
        eligible_N[list(sources)] = False
        norms_C = self.grown.down_CD.detach().norm(dim=1)
        norms_N = torch.cat([norms_C.new_ones(ffn.width), norms_C])  # a unit vector for each output
        return policy.recycling.choose(context.signals[0], eligible_N, norms_N[:, None], len(sources))

    def _apply(self, fn: Any, recurse: bool = True) -> "GrowableLinear":
        super()._apply(fn, recurse)
        (ffn,) = self.growing.ffns  # no child of this module, so what it holds is not moved with it
        ffn.core_live_F = ffn.core_live_F.to(self.weight.device)
        return self


def _leave_out_empty(
    module: nn.Module, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any]
) -> None:
    del local_metadata
    assert isinstance(module, GrowableLinear)
    if not module.grown.live_C.any():
        for name in [name for name in state_dict if name.startswith(prefix + PREFIX)]:
            del state_dict[name]
        return
    state_dict[f"{prefix}{PREFIX}counts"] = module.growing.state_tensors()["counts"]


def _fill_in_missing(module: nn.Module, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
    del others
    assert isinstance(module, GrowableLinear)
    counts = state_dict.pop(f"{prefix}{PREFIX}counts", torch.zeros(3, dtype=torch.int64))
    for name, mine in module.grown.state_dict().items():
        rows, key = torch.zeros_like(mine), f"{prefix}{PREFIX}{name}"
        found = state_dict.get(key, rows[:0])
        if len(found) <= len(rows):  # with more slots than there are, torch says that sizes differ
            rows[: len(found)] = found.to(rows)
            state_dict[key] = rows
    module.growing.load_state_tensors({"counts": counts})
