"""What the engine asks of a replay strategy, and of where old documents come from."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from foam_cli.data.encode import Document


@runtime_checkable
class Replay(Protocol):
    """Which old examples are part of which batch; its state is plain data, so that runs resume exactly."""

    @property
    def ratio(self) -> float:
        """The share of every batch's token budget that is replayed."""
        ...

    def count(self, num_new: int) -> int:
        """How many old examples go with so many new ones."""
        ...

    def initial_state(self) -> dict[str, Any]:
        """A memory that holds nothing."""
        ...

    def observe(self, state: dict[str, Any], indices: Sequence[int], seed: int) -> dict[str, Any]:
        """The memory after it was shown examples, by their numbers."""
        ...

    def draw(self, state: dict[str, Any], count: int, seed: int, step: int) -> list[int]:
        """At most `count` different examples for one batch."""
        ...


@runtime_checkable
class ReadsLosses(Protocol):
    """A replay strategy that is told how well the model does."""

    def note_losses(self, state: dict[str, Any], losses: Mapping[int, float]) -> dict[str, Any]:
        """The memory after examples, by their numbers, were met with these losses in nats per target."""
        ...


@runtime_checkable
class ReplaySource(Protocol):
    """Where old documents come from. A data source is one too: its training documents are then replayed."""

    def documents(self, seed: int) -> Sequence[Document] | tuple[Sequence[Document], Sequence[Document]]:
        """Documents, or those for training and those set apart."""
        ...
