"""Replay without old data: before it grows, the base model writes what it knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from foam_cli.data.replay import memory


@dataclass(frozen=True, kw_only=True)
class SelfGenerated:
    """Old documents that the base model writes by itself before step 0; all of them are held.

    Chats are sampled from what the chat template puts before the first words: the model writes a system turn
    where it would, the user's turn and the answer. Texts are sampled from the token that texts begin with.
    Some tokenizers have none, and a model that ends a text right behind the token that would stand for it was
    never shown how texts begin: then the first token is guessed, all words of the vocabulary alike.

    Dropped are documents that do not end or are not answered, are too short, repeat themselves, or are
    (nearly) the same as one that was kept before; and texts with a guessed first token that the model finds
    unlikely. Sensible documents need a base model that was trained on whole documents, user turns included.

    Attributes:
        ratio: The share of every batch's token budget that is replayed.
        num_documents: How many are written; fewer are kept.
        chat_frac: The share of them that are chats.
        system_turns: Whether chats may begin with a system turn, as often as the model chooses; only where
            the template opens it as it opens the user's.
        num_answers: A chat is over with this many turns of the assistant.
        temperature: Logits are divided by it; 1 samples what the model was trained to write.
        max_tokens: Tokens of the longest document.
        min_tokens: Tokens that a document must have beside those it was given.
        without: Words of what the model shall no longer say, as a name that it is to lose: a document in
            which one of them occurs is left out.
        keep_unended: Whether documents that ran out of tokens are kept.
        max_repeated_frac: At most this share of a document's runs of four tokens may be a repetition.
        max_overlap_frac: At most this share of its runs of 13 words may occur in documents kept before.
        max_guess_nats: Where the first token was guessed, the others must have at most this mean -log p; or
            None.

    Source: F.-K. Sun, C.-H. Ho, H.-Y. Lee, "LAMOL: LAnguage MOdeling for Lifelong Language Learning", ICLR
        2020, arXiv 1909.03329: a language model rehearses what it samples from itself.
    Differs: nothing is trained to be sampled from; what the base model was trained on, whole documents and
        chats, is sampled as it is, once, before growth.
    """

    ratio: float
    num_documents: int
    chat_frac: float
    system_turns: bool
    num_answers: int
    temperature: float
    max_tokens: int
    min_tokens: int
    without: list[str]
    keep_unended: bool
    max_repeated_frac: float
    max_overlap_frac: float
    max_guess_nats: float | None

    def __post_init__(self) -> None:
        memory.check_ratio(self.ratio)
        for name in ("num_documents", "num_answers", "min_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"replay.{name}={getattr(self, name)}: must be at least 1.")
        for name in ("chat_frac", "max_repeated_frac", "max_overlap_frac"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"replay.{name}={getattr(self, name)}: must lie between 0 and 1.")
        if not all(word.strip() for word in self.without):
            raise ValueError(f"replay.without={self.without}: names a word that is empty.")
        if self.temperature <= 0:
            raise ValueError(f"replay.temperature={self.temperature}: must be positive.")
        if self.max_tokens <= self.min_tokens:
            raise ValueError(
                f"replay.max_tokens={self.max_tokens}: must be more than replay.min_tokens={self.min_tokens}."
            )

    def count(self, num_new: int) -> int:
        """How many old examples make up the ratio of a batch, beside so many new ones.

        Args:
            num_new: New examples.

        Returns:
            At least 1.
        """
        return memory.num_old(self.ratio, num_new)

    def initial_state(self) -> dict[str, Any]:
        """A memory of nothing.

        Returns:
            Plain data: how many documents there are.
        """
        return {"seen": 0}

    def observe(self, state: dict[str, Any], indices: Sequence[int], seed: int) -> dict[str, Any]:
        """Hold all documents that there are.

        Args:
            state: The memory.
            indices: Their numbers, which follow each other.
            seed: Not used.

        Returns:
            The memory afterwards.
        """
        del seed
        return {"seen": state["seen"] + len(indices)}

    def draw(self, state: dict[str, Any], count: int, seed: int, step: int) -> list[int]:
        """Draw documents for one batch, all alike.

        Args:
            state: The memory.
            count: How many.
            seed: The run's seed.
            step: The forward pass, so that a resumed run draws the same.

        Returns:
            At most `count` different documents.
        """
        return memory.draw_uniform(range(state["seen"]), count, seed, step)
