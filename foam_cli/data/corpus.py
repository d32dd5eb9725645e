"""Tokenised documents: flat arrays of tokens with a mask of those that carry loss."""

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, kw_only=True)
class Example:
    """One tokenised document.

    Attributes:
        ids: Its tokens.
        targets: True where the token is learnt (it is predicted from those before it). The first token
            never is.
    """

    ids: npt.NDArray[np.int32] | Sequence[int]
    targets: npt.NDArray[np.bool_] | Sequence[bool]


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Many examples in three flat arrays; an example is a slice of them.

    Attributes:
        ids: All tokens.
        targets: Which of them carry loss.
        offsets: Example i is the slice offsets[i]:offsets[i + 1].
        facts: Counts worth telling the user (documents, truncated, ...).
    """

    ids: npt.NDArray[np.int32]
    targets: npt.NDArray[np.bool_]
    offsets: npt.NDArray[np.int64]
    facts: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(examples: Iterable[Example], facts: dict[str, Any] | None = None) -> "Corpus":
        """Lay examples out flat, one after the other, so that they need not all be held at once.

        Args:
            examples: The examples.
            facts: Counts to keep beside them; read when the last example is in.

        Returns:
            The corpus.
        """
        ids, targets, offsets = array("i"), bytearray(), array("q", [0])
        for one in examples:
            ids.frombytes(np.asarray(one.ids, np.int32).tobytes())
            targets += np.asarray(one.targets, np.bool_).tobytes()
            offsets.append(len(ids))
        return Corpus(
            ids=np.frombuffer(ids, np.int32),
            targets=np.frombuffer(targets, np.bool_),
            offsets=np.frombuffer(offsets, np.int64),
            facts=dict(facts or {}),
        )

    @staticmethod
    def joined(corpora: "Sequence[Corpus]") -> "Corpus":
        """Put corpora behind each other.

        Args:
            corpora: At least one.

        Returns:
            All their examples, numbered on; the first one's facts.
        """
        starts = np.cumsum([0, *(one.offsets[-1] for one in corpora)])
        offsets = [one.offsets[1:] + start for one, start in zip(corpora, starts, strict=False)]
        return Corpus(
            ids=np.concatenate([one.ids for one in corpora]),
            targets=np.concatenate([one.targets for one in corpora]),
            offsets=np.concatenate([np.zeros(1, dtype=np.int64), *offsets]),
            facts=corpora[0].facts,
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of every example."""
        return np.diff(self.offsets)

    def example(self, index: int) -> Example:
        """Look at one example.

        Args:
            index: Its number.

        Returns:
            A view of its tokens and its mask.
        """
        part = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        return Example(ids=self.ids[part], targets=self.targets[part])

    def take(self, indices: Sequence[int]) -> "Corpus":
        """Copy some examples to a corpus of their own.

        Args:
            indices: Their numbers.

        Returns:
            The smaller corpus.
        """
        return Corpus.of((self.example(index) for index in indices), self.facts)

    @cached_property
    def sha256(self) -> str:
        """Hash of the tokens and the mask, by which two runs know that they saw the same data."""
        digest = hashlib.sha256()
        for part in (self.ids, self.targets, self.offsets):
            digest.update(np.ascontiguousarray(part).view(np.uint8).data)
        return digest.hexdigest()
