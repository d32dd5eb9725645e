"""Growth in somebody else's training loop: counts its steps, watches its passes, and carries plans out."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import nn

from foam_cli.core.errors import GrowthError
from foam_cli.core.growth import GrowthPlan, GrowthRecord
from foam_cli.growth.context import GrowthContext
from foam_cli.growth.policy import NeuronGrowth
from foam_cli.model.neurons import GrowableFFN
from foam_cli.model.surgery import Touched, apply, erase_core


class Forgetful(Protocol):
    """An optimizer, or what stands beside one."""

    def forget(self, touched: Sequence[Touched]) -> None:
        """Forget what is known of neurons that an event wrote or erased."""
        ...


class Growing:
    """Where the growth of some layers is.

    Attributes:
        policy: Decides.
        ffns: The layers.
        step: Optimizer steps counted.
        state: What the policy remembers.
        records: Every event so far.
        optimizers: Who has to forget after an event.

    Args:
        policy: Decides.
        ffns: The layers.
        seed: Newborn neurons' noise follows from it.
    """

    def __init__(self, policy: NeuronGrowth, ffns: Sequence[GrowableFFN], seed: int) -> None:
        self.policy = policy
        self.ffns = tuple(ffns)
        self.step = 0
        self.state: dict[str, Any] = policy.initial_state()
        self.records: list[GrowthRecord] = []
        self.optimizers: list[Forgetful] = []
        self._seed = seed
        self._tracker = policy.tracker(self.ffns)
        self._dead: list[tuple[GrowableFFN, list[int]]] = []
        self._has_warned = False

    def before_forward(self, module: nn.Module) -> None:
        """Begin to measure the step, if it is its turn and a training pass.

        Args:
            module: What is about to run.
        """
        tracker = self._tracker
        learns = module.training and torch.is_grad_enabled()
        if learns and tracker.is_due(self.step) and not tracker.is_watching:
            tracker.begin(keeps_gradients=False)

    def advance(self, *, sound: bool = True) -> None:
        """Count an optimizer step and take in what was measured during it.

        Args:
            sound: What was measured counts; where the loss was not a finite number it must not.

        Raises:
            GrowthError: The model is trained by several processes.
        """
        distributed = torch.distributed
        if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
            raise GrowthError(
                f"growth in a foreign loop runs in one process, and this one has "
                f"{distributed.get_world_size()}: each would grow other neurons"
            )
        self._tracker.end(discard=not sound)
        for ffn, neurons in self._dead:  # a foreign optimizer's momentum moves what was recycled
            erase_core(ffn, neurons)
        for ffn in self.ffns:  # 8-bit moments beside those of a living neuron may round a zero away
            ffn.bank.clear_empty()
        self.step += 1

    def context(self, block_births: Sequence[int | None] = (None,)) -> GrowthContext:
        """What the policy is told.

        Args:
            block_births: As in GrowthContext.

        Returns:
            What is known now.
        """
        return GrowthContext(
            step=self.step,
            seed=self._seed,
            ffns=self.ffns,
            signals=self._tracker.signals,
            validation_losses=(),
            block_births=block_births,
        )

    def carry_out(self, model: nn.Module, plan: GrowthPlan) -> GrowthRecord:
        """Grow.

        Args:
            model: What holds the layers.
            plan: What to do.

        Returns:
            What was done.
        """
        record, touched = apply(model, plan, self.step)
        for optimizer in self.optimizers:
            optimizer.forget(touched)
        self.records.append(record)
        self.remember_dead()
        if not self._has_warned and not all(ffn.bank.free_slots() for ffn in self.ffns):
            self._has_warned = True
            warnings.warn(
                f"after {self.step} steps all {self.ffns[0].bank.capacity} slots of a layer are taken, so it "
                "grows no further; make it with a larger capacity",
                stacklevel=3,
            )
        return record

    def remember_dead(self) -> None:
        """Note which pretrained neurons are recycled; call it whenever they may have changed."""
        dead = [(ffn, (~ffn.core_live_F).nonzero().flatten().tolist()) for ffn in self.ffns]
        self._dead = [(ffn, neurons) for ffn, neurons in dead if neurons]

    def state_tensors(self) -> dict[str, torch.Tensor]:
        """Steps, what the policy remembers, and the neurons' statistics, for a checkpoint.

        Returns:
            Named tensors.
        """
        counts = [self.step, self.state["num_events"], self.state["trigger"]["last_event_step"]]
        signals = self._tracker.state_tensors()
        return {"counts": torch.tensor(counts), **{f"signals.{name}": one for name, one in signals.items()}}

    def load_state_tensors(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take back what `state_tensors` gave.

        Args:
            tensors: The tensors; those of others are passed over, and statistics may be missing.
        """
        step, num_events, last_event_step = tensors["counts"].tolist()
        self.step = step
        self.state = {"num_events": num_events, "trigger": {"last_event_step": last_event_step}}
        prefix = "signals."
        signals = {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}
        if signals:
            self._tracker.load_state_tensors(signals)

    def multipliers(self, ffn: GrowableFFN) -> torch.Tensor:
        """Learning-rate multipliers for the next update.

        Args:
            ffn: One of the layers.

        Returns:
            One factor per slot.
        """
        return self.policy.multipliers(self.step - ffn.bank.birth_C)


def nothing_grew() -> dict[str, int]:
    """The result of a step without an event.

    Returns:
        What `counted` returns, all zero.
    """
    return {"born": 0, "replaced": 0, "died": 0}


def counted(record: GrowthRecord) -> dict[str, int]:
    """Sum up an event.

    Args:
        record: The event.

    Returns:
        `born`: all newborn neurons; `replaced`: neurons that were given up for one of them; `died`: neurons
        given up without a successor, of which the present rules make none. The number of neurons has changed
        by born - replaced - died.
    """
    born, replaced = sum(record.born.values()), sum(map(len, record.recycled.values()))
    return {"born": born, "replaced": replaced, "died": 0}
