"""Carries growth through a run: measures neurons, asks the policy, applies its plan, tells the optimizers."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from transformers import PreTrainedModel

from foam_cli.core.growth import GrowthPlan, GrowthRecord
from foam_cli.core.settings import Settings
from foam_cli.engine.optimizers import Optimizers
from foam_cli.engine.state import RunState
from foam_cli.growth.context import GrowthContext, Measure
from foam_cli.model.blocks import block_births, insert_block
from foam_cli.model.neurons import GrowableFFN, growable_ffns
from foam_cli.model.sites import find_blocks
from foam_cli.model.surgery import apply


class Grower:
    """The growth of one run."""

    def __init__(
        self, settings: Settings, model: PreTrainedModel, ffns: Sequence[GrowableFFN], optimizers: Optimizers
    ) -> None:
        self._policy = settings.growth
        self._seed = settings.seed
        self._model = model
        self._ffns = list(ffns)
        self._optimizers = optimizers
        self._tracker = self._policy.tracker(ffns)

    @property
    def edits_frozen_cores(self) -> bool:
        """Whether pretrained neurons can change although they are not trained, because they are recycled."""
        return bool(self._ffns)

    def watch(self, step: int) -> AbstractContextManager[None] | None:
        """Measure the neurons during the passes of one step, if it is its turn.

        Args:
            step: Optimizer steps done.

        Returns:
            The context to run the step's passes in, or None where nothing is measured.
        """
        if self._tracker is None or not self._tracker.is_due(step):
            return None
        return self._tracker.watch(step)

    def step(self, step: int) -> float:
        """Take an optimizer step in which the young learn at their own rate.

        Args:
            step: Optimizer steps done.

        Returns:
            The learning rate of pretrained parameters.
        """
        multipliers = {ffn.bank: self._policy.multipliers(step - ffn.bank.birth_C) for ffn in self._ffns}
        return self._optimizers.step(step, multipliers, self._policy.block_lr_scale)

    def plan(self, state: RunState, measure: Measure) -> tuple[GrowthPlan | None, dict[str, Any]]:
        """Ask the policy.

        Args:
            state: Where the run is.
            measure: Finds out what else a method wants to know.

        Returns:
            A plan or None, and the policy's next state.
        """
        context = GrowthContext(
            step=state.step,
            seed=self._seed,
            ffns=self._ffns,
            signals=[] if self._tracker is None else self._tracker.signals,
            validation_losses=state.validation,
            block_births=block_births(self._model),
            measure=measure,
        )
        return self._policy.plan(state.growth, context)

    def apply(self, plan: GrowthPlan, step: int) -> GrowthRecord:
        """Carry a plan out.

        Args:
            plan: What to do.
            step: Optimizer steps done.

        Returns:
            What was done.
        """
        record, touched = apply(self._model, plan, step)
        self._optimizers.forget(touched)
        if record.blocks_after:
            self._adopt_blocks(step)
        return record

    def repeat_structure(self, record: GrowthRecord) -> None:
        """Do again what an earlier event did to the model's structure; tensors are loaded afterwards.

        Args:
            record: The event, from a checkpoint.
        """
        for after in sorted(record.blocks_after, reverse=True):
            insert_block(self._model, after, record.step)
        if record.blocks_after:
            self._adopt_blocks(record.step)

    def _adopt_blocks(self, step: int) -> None:
        births = block_births(self._model)
        for birth, block in zip(births, find_blocks(self._model)[1], strict=True):
            if birth == step:
                self._optimizers.add_block(block, step)
        self._ffns = growable_ffns(self._model)
        if self._tracker is not None:
            self._tracker.follow(self._ffns)

    def state_tensors(self) -> dict[str, torch.Tensor]:
        """The neurons' statistics, for a checkpoint.

        Returns:
            Named tensors.
        """
        return (
            {}
            if self._tracker is None
            else {f"signals.{k}": v for k, v in self._tracker.state_tensors().items()}
        )

    def load_state_tensors(self, tensors: dict[str, torch.Tensor]) -> None:
        """Take back what `state_tensors` gave.

        Args:
            tensors: All named tensors of the checkpoint; those of others are passed over.
        """
        if self._tracker is not None:
            mine = {
                name.removeprefix("signals."): v for name, v in tensors.items() if name.startswith("signals.")
            }
            self._tracker.load_state_tensors(mine)
