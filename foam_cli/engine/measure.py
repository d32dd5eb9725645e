"""Finds out what growth methods ask for: passes through the model on a few batches, taken only when asked."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from foam_cli.growth.context import FFNSample, Pool
from foam_cli.growth.samples import sample_ffns
from foam_cli.model.neurons import growable_ffns

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
            with self._evaluating():
                self._samples[pool] = sample_ffns(growable_ffns(self._model), self._losses(pool))
        return self._samples[pool]

    @contextmanager
    def _evaluating(self) -> Generator[None]:
        was_training = self._model.training
        self._model.eval()
        try:
            yield
        finally:
            self._model.train(was_training)
