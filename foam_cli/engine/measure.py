"""Finds out what growth methods ask for: passes through the model on a few batches, taken only when asked."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from foam_cli.core.errors import DataError
from foam_cli.core.growth import NeuronBirths
from foam_cli.growth.context import FFNSample, Pool
from foam_cli.growth.newborn import newborn_output
from foam_cli.growth.samples import sample_ffns, sample_inputs
from foam_cli.model.blocks import block_skipped
from foam_cli.model.neurons import GrowableFFN, growable_ffns
from foam_cli.model.probe import evaluating
from foam_cli.model.sites import find_blocks

#: For a pool of data: functions that each give a part of the mean loss, with its graph.
Losses = Callable[[Pool], Sequence[Callable[[], torch.Tensor]]]


class Measurements:
    """The answers of one step; each pass is taken once, without dropout.

    Args:
        model: The model, not compiled.
        losses: The losses of its batches.
        more_losses: Those of more batches, for what is summed up instead of kept; by default the same.
    """

    def __init__(self, model: nn.Module, losses: Losses, more_losses: Losses | None = None):
        self._model = model
        self._losses = losses
        self._more_losses = more_losses or losses
        self._samples: dict[Pool, tuple[FFNSample, ...]] = {}
        self._moments: dict[Pool, tuple[torch.Tensor, ...]] = {}

    def ffn_samples(self, pool: Pool) -> tuple[FFNSample, ...]:
        """Sample every growable FFN.

        Args:
            pool: Which data.

        Returns:
            One sample per block.
        """
        if pool not in self._samples:
            with evaluating(self._model):
                self._samples[pool] = sample_ffns(growable_ffns(self._model), self._losses(pool))
        return self._samples[pool]

    def input_moments(self, pool: Pool) -> tuple[torch.Tensor, ...]:
        """Measure E[x xᵀ] of every growable FFN's input, over tokens that the loss looks at.

        Args:
            pool: Which data.

        Returns:
            One matrix per block, in fp64.
        """
        if pool not in self._moments:
            ffns = growable_ffns(self._model)
            sums = [torch.zeros(ffn.views.hidden_size, ffn.views.hidden_size).double() for ffn in ffns]
            num_tokens = 0
            with evaluating(self._model):
                for loss_of in self._more_losses(pool):
                    inputs = sample_inputs(ffns, loss_of)
                    num_tokens += len(inputs[0])
                    for block, x_TD in enumerate(inputs):
                        wide_TD = x_TD.to(torch.promote_types(x_TD.dtype, torch.float32))
                        sums[block] += (wide_TD.T @ wide_TD).cpu()
            self._moments[pool] = tuple(s / max(1, num_tokens) for s in sums)
        return self._moments[pool]

    @torch.no_grad()
    def loss_with(self, births: Sequence[NeuronBirths]) -> float:
        """Measure the loss on new data as if some neurons were born.

        Args:
            births: The newborns; what they recycle is left alone.

        Returns:
            The mean loss per target, in nats.
        """
        ffns = growable_ffns(self._model)

        def add(one: NeuronBirths) -> RemovableHandle:
            def grown(ffn: GrowableFFN, args: tuple[Any, ...], y: torch.Tensor) -> torch.Tensor:
                return y + newborn_output(one, ffn.bank.activation, args[0])

            return ffns[one.block].register_forward_hook(grown)

        handles = [add(one) for one in births]
        try:
            with evaluating(self._model):
                return self._total(self._losses("new"))
        finally:
            for handle in handles:
                handle.remove()

    @torch.no_grad()
    def skip_losses(self) -> list[float]:
        """Measure how much each block matters to old data, or to new data where none is old.

        Returns:
            For each block the change of the loss in nats when it is skipped.
        """
        with evaluating(self._model):
            try:
                losses = self._losses("old")
            except DataError:
                losses = self._losses("new")
            whole = self._total(losses)
            changes: list[float] = []
            for index in range(len(find_blocks(self._model)[1])):
                with block_skipped(self._model, index):
                    changes.append(self._total(losses) - whole)
            return changes

    def _total(self, losses: Sequence[Callable[[], torch.Tensor]]) -> float:
        return sum(float(loss_of()) for loss_of in losses)
