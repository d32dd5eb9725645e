"""Easy examples first, by the base model's own loss."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foam_cli.core.seeds import derive_seed
from foam_cli.data.batching import plan_epoch
from foam_cli.data.corpus import Corpus
from foam_cli.data.curriculum import easy_first, phases


@dataclass(frozen=True, kw_only=True)
class Difficulty:
    """Examples in the order of the base model's mean loss per target, in phases of equally many examples.

    The forward passes of the run are shared equally among the phases. In each phase the examples come
    shuffled and batched by length, as often as its share of the passes allows.

    Attributes:
        num_phases: How many phases.
        cumulative: Whether a phase adds its examples to those of the phases before, so that the last one
            shows all of them; else each phase shows its own alone.

    Source: Y. Bengio, J. Louradour, R. Collobert, J. Weston, "Curriculum Learning", ICML 2009: a sequence of
        training distributions of growing support, which `cumulative` is.
    Differs: difficulty is the pretrained model's own loss, with the length for ties; the steps of a phase are
        a fixed share of the run, not decided by a validation loss.
    """

    num_phases: int
    cumulative: bool

    def __post_init__(self) -> None:
        if self.num_phases < 2:
            raise ValueError(
                f"num_phases={self.num_phases}: at least 2; data.curriculum=none shows everything at once."
            )

    @property
    def reads_losses(self) -> bool:
        """Difficulty is the base model's loss."""
        return True

    def pools(self, losses: Sequence[float], lengths: npt.NDArray[np.int64]) -> list[list[int]]:
        """Decide what each phase shows.

        Args:
            losses: The base model's mean loss on every example, in nats per target.
            lengths: Tokens of every example.

        Returns:
            Example numbers per phase.
        """
        parts = phases(easy_first([float(length) for length in lengths], losses), self.num_phases)
        if not self.cumulative:
            return parts
        return [[index for part in parts[: number + 1] for index in part] for number in range(len(parts))]


class PhasedStream:
    """Batches of one phase after the other; its position is plain data.

    Args:
        corpus: The training examples.
        pools: Example numbers per phase.
        batch_tokens: Token budget of a batch.
        seed: The run's seed.
        num_batches: Forward passes of the whole run, shared equally among the phases.
    """

    def __init__(
        self, corpus: Corpus, pools: Sequence[Sequence[int]], batch_tokens: int, seed: int, num_batches: int
    ) -> None:
        self._lengths = corpus.lengths
        self._pools = [np.array(pool, dtype=np.int64) for pool in pools]
        self.batch_tokens, self._seed, self._num_batches = batch_tokens, seed, num_batches
        self._taken, self._phase, self._epoch, self._cursor = 0, 0, 0, 0
        self._plan = self._planned()

    def _planned(self) -> list[list[int]]:
        pool = self._pools[self._phase]
        seed = derive_seed(self._seed, "phase", self._phase)
        plan = plan_epoch(self._lengths[pool], self.batch_tokens, seed, self._epoch)
        return [pool[batch].tolist() for batch in plan]

    def next(self) -> list[int]:
        """Advance by one batch.

        Returns:
            The example numbers of the batch.
        """
        phase = min(self._taken * len(self._pools) // self._num_batches, len(self._pools) - 1)
        if phase != self._phase:
            self._phase, self._epoch, self._cursor = phase, 0, 0
            self._plan = self._planned()
        elif self._cursor == len(self._plan):
            self._epoch, self._cursor = self._epoch + 1, 0
            self._plan = self._planned()
        self._taken += 1
        self._cursor += 1
        return self._plan[self._cursor - 1]

    def state(self) -> dict[str, int]:
        """Say where the stream is.

        Returns:
            Plain data for a checkpoint.
        """
        return {"taken": self._taken, "phase": self._phase, "epoch": self._epoch, "cursor": self._cursor}

    def load_state(self, state: dict[str, int]) -> None:
        """Continue from where a checkpoint was.

        Args:
            state: From `state`.
        """
        self._taken, self._phase = state["taken"], state["phase"]
        self._epoch, self._cursor = state["epoch"], state["cursor"]
        self._plan = self._planned()
