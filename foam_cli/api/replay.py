"""A memory of old examples, mixed into new batches."""

from collections.abc import Sequence
from typing import Any

from foam_cli.core.errors import CheckpointError, DataError
from foam_cli.data.replay.of_data import OfData
from foam_cli.data.replay.reservoir import Reservoir
from foam_cli.data.replay.weighted import draw_weighted, loss_weights

Example = dict[str, Any]


class MemoryReplayBuffer:
    """A bounded, uniform sample of all examples that were added, and batches with a share of them.

    What is held is decided by a reservoir, losses or not: each of n examples added is held with chance
    max_size / n. What is drawn of it is drawn by loss: of the examples left, one with loss l comes next with
    a chance proportional to max(l, 0.001); one that was added without a loss counts as the mean of the
    others. Without any loss all are alike. No example comes twice in a batch.

    Args:
        max_size: The buffer holds at most this many examples.
        seed: All draws follow from it and from what was done before.
    """

    def __init__(self, max_size: int = 10_000, *, seed: int = 0) -> None:
        self._reservoir = _reservoir(0.5, max_size)  # its ratio is given batch by batch
        self._seed = seed
        self._state: dict[str, Any] = self._reservoir.initial_state()
        self._examples: dict[int, Example] = {}
        self._num_draws = 0

    def __len__(self) -> int:
        return len(self._examples)

    def add(self, prompt: str, response: str, loss: float | None = None) -> None:
        """Show an example to the buffer.

        Args:
            prompt: What was asked.
            response: What is right.
            loss: The model's loss on it in nats, or None where it is not known.
        """
        number, before = int(self._state["seen"]), self._state["held"]
        self._state = self._reservoir.observe(self._state, [number], self._seed)
        held = self._state["held"]
        if number in held:
            example: Example = {"prompt": prompt, "response": response}
            if len(held) == len(before):
                del self._examples[before[held.index(number)]]
            self._examples[number] = example if loss is None else {**example, "loss": float(loss)}

    def get_replay_batch(self, new_examples: Sequence[Any], replay_ratio: float = 0.2) -> list[Any]:
        """Mix old examples into a batch.

        Args:
            new_examples: New examples, of whatever form.
            replay_ratio: The share of the mixed batch that is old, at least 0 and below 1. At least one old
                example is added unless it is 0.

        Returns:
            The new examples as they are, and behind them the old ones as `{"prompt", "response"}`; fewer than
            the ratio asks for where the buffer holds no more.
        """
        new = list(new_examples)
        if not new or not self._examples or replay_ratio == 0:
            return new
        self._num_draws += 1
        count = _reservoir(replay_ratio, self._reservoir.max_examples).count(len(new))
        held = [self._examples[number] for number in self._state["held"]]
        drawn = draw_weighted(
            loss_weights([one.get("loss") for one in held]), count, self._seed, self._num_draws
        )
        return [*new, *({key: held[at][key] for key in ("prompt", "response")} for at in drawn)]

    def state_dict(self) -> dict[str, Any]:
        """The buffer for a checkpoint.

        Returns:
            Plain data that JSON can hold.
        """
        examples = [self._examples[number] for number in self._state["held"]]
        return {**self._state, "examples": examples, "num_draws": self._num_draws}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave.

        Args:
            state: The state.

        Raises:
            CheckpointError: It holds more examples than this buffer may.
        """
        if len(state["held"]) > self._reservoir.max_examples:
            raise CheckpointError(
                f"the saved buffer holds {len(state['held'])} examples, and max_size is "
                f"{self._reservoir.max_examples}; make the buffer as large as it was"
            )
        self._state = {"held": list(state["held"]), "seen": state["seen"]}
        self._examples = dict(zip(state["held"], state["examples"], strict=True))
        self._num_draws = state["num_draws"]


def _reservoir(ratio: float, size: int) -> Reservoir:
    try:
        return Reservoir(ratio=ratio, max_examples=size, source=OfData())
    except ValueError as error:
        raise DataError(str(error)) from error
