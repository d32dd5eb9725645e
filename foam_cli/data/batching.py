"""Batches by length up to a token budget, right-padded. The order is a function of (seed, epoch) alone.

A causal model reads left to right, so what is padded on the right cannot change any real token: batches
carry no attention mask, which spares its memory and lets attention run on its fast path.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Int

from foam_cli.core.errors import DataError
from foam_cli.core.seeds import derive_seed
from foam_cli.data.corpus import Corpus, Example

#: Lengths are padded up to a multiple of this, so that few different shapes occur.
PAD_MULTIPLE = 8
#: So is the number of targets: every new shape of a matrix product costs oneDNN a kernel and its memory.
TARGET_MULTIPLE = 128
#: The target of a position that is there to fill up; torch's cross-entropy passes over it.
IGNORED = -100
#: Examples are sorted by length within windows of this many, which keeps most of the shuffling.
SORT_WINDOW = 4096


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One right-padded batch.

    Attributes:
        input_ids_BT: Tokens.
        target_positions_N: Flat positions (row * T + column) whose next token carries loss.
        target_ids_N: Those next tokens; `IGNORED` where a position only fills N up.
        num_targets: Tokens that carry loss.
        num_tokens: Real tokens, padding excluded.
        names: Which examples these are, for messages.
        numbers: The number of every row's example within its corpus, where anybody may ask for it.
        num_new_rows: Rows of what is learnt; replayed ones come after them.
        num_old_targets: Targets in replayed rows, which are the last ones.
    """

    input_ids_BT: Int[torch.Tensor, "B T"]
    target_positions_N: Int[torch.Tensor, " N"]
    target_ids_N: Int[torch.Tensor, " N"]
    num_targets: int
    num_tokens: int
    names: list[str]
    numbers: list[int]
    num_new_rows: int
    num_old_targets: int

    def to(self, device: str) -> "Batch":
        """Move the tensors.

        Args:
            device: Where to.

        Returns:
            The same batch there.
        """
        if device == "cpu":
            return self
        return replace(
            self,
            input_ids_BT=self.input_ids_BT.to(device, non_blocking=True),
            target_positions_N=self.target_positions_N.to(device, non_blocking=True),
            target_ids_N=self.target_ids_N.to(device, non_blocking=True),
        )


def padded(length: int) -> int:
    """Round a length up to the padding multiple.

    Args:
        length: Tokens.

    Returns:
        Tokens with padding.
    """
    return -(-length // PAD_MULTIPLE) * PAD_MULTIPLE


def collate(
    examples: Sequence[Example],
    pad_id: int,
    names: list[str],
    numbers: Sequence[int] = (),
    num_new_rows: int | None = None,
) -> Batch:
    """Pad examples to one length and find their targets.

    Args:
        examples: The examples, replayed ones last.
        pad_id: The token to pad with; it is never a target.
        names: Their names.
        numbers: Their numbers within their corpora, where anybody may ask for them.
        num_new_rows: How many of them are new, or None for all.

    Returns:
        The batch.

    Raises:
        DataError: No token of the batch carries loss.
    """
    width = padded(max(len(one.ids) for one in examples))
    ids = np.full((len(examples), width), pad_id, dtype=np.int64)
    marks = np.zeros((len(examples), width), dtype=np.bool_)
    for row, one in enumerate(examples):
        ids[row, : len(one.ids)] = one.ids
        marks[row, : len(one.ids)] = one.targets
    learnt = np.flatnonzero(marks)
    if learnt.size == 0:
        raise DataError(f"A batch has no token to learn: {', '.join(names)}.")
    filler = -learnt.size % TARGET_MULTIPLE
    num_new_rows = len(examples) if num_new_rows is None else num_new_rows
    return Batch(
        input_ids_BT=torch.from_numpy(ids),
        target_positions_N=torch.from_numpy(np.pad(learnt - 1, (0, filler))),
        target_ids_N=torch.from_numpy(np.pad(ids.reshape(-1)[learnt], (0, filler), constant_values=IGNORED)),
        num_targets=int(learnt.size),
        num_tokens=sum(len(one.ids) for one in examples),
        names=names,
        numbers=list(numbers),
        num_new_rows=num_new_rows,
        num_old_targets=int(marks[num_new_rows:].sum()),
    )


def plan_epoch(lengths: npt.NDArray[np.int64], batch_tokens: int, seed: int, epoch: int) -> list[list[int]]:
    """Cut one shuffled pass over the data into batches.

    Args:
        lengths: Tokens of every example.
        batch_tokens: Rows times padded length of a batch is at most this; one example alone may exceed it.
        seed: The run's seed.
        epoch: Which pass.

    Returns:
        Example numbers per batch; every example once.
    """
    random = np.random.default_rng(derive_seed(seed, "epoch", epoch))
    order = random.permutation(len(lengths))
    batches: list[list[int]] = []
    for start in range(0, len(order), SORT_WINDOW):
        window = order[start : start + SORT_WINDOW]
        window = window[np.argsort(lengths[window], kind="stable")]
        current: list[int] = []
        for index in window.tolist():
            if current and (len(current) + 1) * padded(int(lengths[index])) > batch_tokens:
                batches.append(current)
                current = []
            current.append(index)
        batches.append(current)
    return [batches[i] for i in random.permutation(len(batches))]


class BatchStream:
    """An endless stream of batches; its position is (epoch, cursor) and nothing else."""

    def __init__(self, corpus: Corpus, batch_tokens: int, seed: int) -> None:
        self._corpus = corpus
        self.batch_tokens = batch_tokens
        self._seed = seed
        self._epoch, self._cursor = 0, 0
        self._plan = self._plan_of(0)

    def _plan_of(self, epoch: int) -> list[list[int]]:
        return plan_epoch(self._corpus.lengths, self.batch_tokens, self._seed, epoch)

    def next(self) -> list[int]:
        """Advance by one batch.

        Returns:
            The example numbers of the batch.
        """
        if self._cursor == len(self._plan):
            self._epoch, self._cursor = self._epoch + 1, 0
            self._plan = self._plan_of(self._epoch)
        self._cursor += 1
        return self._plan[self._cursor - 1]

    def state(self) -> dict[str, int]:
        """Say where the stream is.

        Returns:
            Plain data for a checkpoint.
        """
        return {"epoch": self._epoch, "cursor": self._cursor}

    def load_state(self, state: dict[str, int]) -> None:
        """Continue from where a checkpoint was.

        Args:
            state: From `state`.
        """
        self._epoch, self._cursor = state["epoch"], state["cursor"]
        self._plan = self._plan_of(self._epoch)
