"""Finds out what growth methods ask for: passes through the model on a few batches, taken only when asked."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from foam_cli.core.errors import DataError
from foam_cli.growth.context import FFNSample, Pool
from foam_cli.growth.samples import sample_ffns
from foam_cli.model.blocks import block_skipped
from foam_cli.model.neurons import growable_ffns
from foam_cli.model.probe import evaluating
from foam_cli.model.sites import find_blocks

#: For a pool of data: functions that each give a part of the mean loss, with its graph.
Losses = Callable[[Pool], Sequence[Callable[[], torch.Tensor]]]


class Measurements:
    """The answers of one step; each pass is taken once, without dropout.

    Args:
        model: The model, not compiled.
        losses: The losses of its batches.
    """

    def __init__(self, model: nn.Module, losses: Losses):
        self._model = model
        self._losses = losses
        self._samples: dict[Pool, tuple[FFNSample, ...]] = {}

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
