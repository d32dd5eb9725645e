"""Which of a model's own documents are worth keeping."""

import re
from collections.abc import Sequence

#: Two texts are nearly the same where they share many runs of so many words.
NUM_WORDS = 13
#: Repetition within a document is counted in runs of so many tokens.
NUM_TOKENS = 4


def words(text: str) -> list[str]:
    """Normalise a text.

    Args:
        text: Any text.

    Returns:
        Its words in lower case, without punctuation.
    """
    return re.findall(r"\w+", text.lower())


def holds_word(text: str, word: str) -> bool:
    """Say whether a word occurs in a text, in upper or lower case.

    Args:
        text: Any text.
        word: One word or several.

    Returns:
        Whether it stands there as such, and not only as a part of another.
    """
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def repeated_frac(ids: Sequence[int]) -> float:
    """The share of a document's runs of four tokens that it has written before.

    Args:
        ids: Its tokens.

    Returns:
        From 0, where no run comes twice, to nearly 1.

    Source: S. Welleck et al., "Neural Text Generation With Unlikelihood Training", 2019, arXiv 1908.04319,
        seq-rep-4: 1 - |different 4-grams| / |4-grams|.
    """
    runs = [tuple(ids[at : at + NUM_TOKENS]) for at in range(len(ids) - NUM_TOKENS + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


class Seen:
    """Remembers what was kept, so that nothing is kept twice.

    Args:
        max_overlap: At most this share of a text's 13-word runs may have been seen before.
    """

    def __init__(self, max_overlap: float) -> None:
        self._max_overlap = max_overlap
        self._whole: set[str] = set()
        self._runs: set[str] = set()

    def why_not(self, text: str) -> str | None:
        """Judge a text, and remember it if there is nothing against it.

        Args:
            text: The text.

        Returns:
            `duplicate`, `near_duplicate`, or None.
        """
        parts = words(text)
        # What has no word at all is told apart by its punctuation.
        whole = " ".join(parts) or text.strip()
        runs = {" ".join(parts[at : at + NUM_WORDS]) for at in range(len(parts) - NUM_WORDS + 1)}
        if whole in self._whole:
            return "duplicate"
        if runs and len(runs & self._runs) > self._max_overlap * len(runs):
            return "near_duplicate"
        self._whole.add(whole)
        self._runs.update(runs)
        return None
