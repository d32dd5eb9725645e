"""Evaluation prompts that training data holds, found before anything is learnt.

Words are runs of letters and digits in lower case; punctuation, white space and line ends do not count.

- A prompt of 13 words or more is seen where a document holds any 13 words in a row of it.
- A shorter prompt is seen where a whole turn or a whole line of a document is that prompt; a label before it,
  such as `Question:`, is passed over.
- 13 words that more than `MAX_SHARING` different prompts of one task have in common are the task's wording,
  not an item. They are not looked up; a prompt that has no others is looked up as a whole, as a short one is.

The prompts are hashed, 16 bytes for every 13 words, and documents stream past them in blocks, so memory does
not grow with the training data. Every hit is compared word by word, so a hash alone never accuses.

Source: T. Brown et al., "Language Models are Few-Shot Learners", 2020, arXiv 2005.14165, appendix C.
Differs: what is too common to count is decided on the evaluation's side, so that a prompt which training
    repeats often is still found; shorter prompts are compared whole.
"""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foam_cli.data.encode import Document
from foam_cli.data.pieces import pieces

GRAM = 13
MAX_SHARING = 5
#: Words of training data that are hashed at a time.
BLOCK = 1 << 16
#: Labels before a question in a text.
LABELS = frozenset({"question", "q", "prompt", "instruction", "user", "human", "input"})

_WORDS = re.compile(r"\w+")
#: The same for ASCII, four times as fast: whatever is in no word becomes a space.
_ASCII_WORDS = {code: " " for code in range(128) if not _WORDS.match(chr(code))}
#: Stands between two texts: no word is like it, so no 13 words reach across.
_GAP = "\n"
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
Hashes = npt.NDArray[np.uint64]


def words_of(text: str) -> list[str]:
    """Split a text into what is compared.

    Args:
        text: Any text.

    Returns:
        Its words in lower case.
    """
    text = text.lower()
    return text.translate(_ASCII_WORDS).split() if text.isascii() else _WORDS.findall(text)


@dataclass(frozen=True, kw_only=True)
class Hit:
    """Where an evaluation prompt was found.

    Attributes:
        document: The training document.
        words: What both hold, in lower case and without punctuation.
    """

    document: str
    words: str


@dataclass(frozen=True, kw_only=True)
class _Prompt:
    """One wording, and the items that ask in it."""

    task: str
    items: list[str]
    words: list[str]


class Lookup:
    """Evaluation prompts, and where documents were seen to hold them.

    Attributes:
        hits: Task to the ids of items that were seen, each to where it was first.
        documents: Names of all documents that hold a prompt.
    """

    def __init__(self, prompts: Mapping[str, Iterable[tuple[str, str]]]) -> None:
        """Hash the prompts.

        Args:
            prompts: Task to the id and the text of everything that it asks.
        """
        self.hits: dict[str, dict[str, Hit]] = defaultdict(dict)
        self.documents: set[str] = set()
        self._prompts: list[_Prompt] = []
        self._whole: dict[str, list[int]] = defaultdict(list)
        grams, owners = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
        for task, asked in prompts.items():
            wordings = _wordings(task, asked)
            for prompt, own in zip(wordings, _own_grams([one.words for one in wordings]), strict=True):
                number = len(self._prompts)
                self._prompts.append(prompt)
                grams.append(own)
                owners.append(np.full(own.size, number, np.int64))
                if not own.size:
                    self._whole[" ".join(prompt.words)].append(number)
        order = np.argsort(np.concatenate(grams), kind="stable")
        self._grams, self._owners = np.concatenate(grams)[order], np.concatenate(owners)[order]
        self._whole_lengths = {text.count(" ") + 1 for text in self._whole}
        # Punctuation and space may double a text, hardly more.
        self._longest_whole = 2 * max(map(len, self._whole), default=0)

    def read(self, documents: Iterable[Document], kind: str) -> None:
        """Look for the prompts in documents.

        Args:
            documents: Read once, one after the other.
            kind: Names documents without a name of their own, e.g. `training` for `training document 7`.
        """
        if not self._prompts:
            return
        block: list[str] = []
        names: list[tuple[int, str]] = []  # where in the block a document begins
        for number, document in enumerate(documents):
            name = str(document.get("name", f"{kind} document {number}"))
            names.append((len(block), name))
            for line in self._lines(document, name):
                block += line
                if len(block) >= BLOCK:
                    self._read_block(block, names)
                    block, names = block[1 - GRAM :], [(0, name)]
        self._read_block(block, names)

    def _lines(self, document: Document, name: str) -> Iterator[list[str]]:
        """The words of a document, line by line; whole turns and lines are compared on the way."""
        for text in _texts(document):
            if "\n" in text:
                if len(text) <= self._longest_whole:
                    self._compare_whole(words_of(text), name)
                lines = (line for piece in pieces(text) for line in piece.split("\n"))
            else:
                lines = pieces(text)
            for line in lines:
                words = words_of(line)
                self._compare_whole(words, name)
                yield words
            yield [_GAP]

    def _compare_whole(self, words: list[str], name: str) -> None:
        """Note a turn or a line that is a prompt."""
        labelled = bool(words) and words[0] in LABELS
        for candidate in (words, words[1:]) if labelled else (words,):
            if len(candidate) in self._whole_lengths:
                text = " ".join(candidate)
                for number in self._whole.get(text, ()):
                    self._note(number, name, text)

    def _read_block(self, block: list[str], names: list[tuple[int, str]]) -> None:
        """Look every 13 words in a row up."""
        found = _hashes(block)
        if not (found.size and self._grams.size):
            return
        first = np.searchsorted(self._grams, found)
        same = self._grams[np.minimum(first, self._grams.size - 1)] == found
        starts = [start for start, _ in names]
        for at in np.flatnonzero(same).tolist():
            gram = block[at : at + GRAM]
            document = names[bisect_right(starts, at) - 1][1]
            last = int(np.searchsorted(self._grams, found[at], side="right"))
            for number in self._owners[int(first[at]) : last].tolist():
                if _holds(self._prompts[number].words, gram):
                    self._note(number, document, " ".join(gram))

    def _note(self, number: int, document: str, words: str) -> None:
        prompt = self._prompts[number]
        self.documents.add(document)
        for item in prompt.items:
            self.hits[prompt.task].setdefault(item, Hit(document=document, words=words))


def _wordings(task: str, asked: Iterable[tuple[str, str]]) -> list[_Prompt]:
    """Bring items that ask the same together: what is asked twice is no more common for that."""
    found: dict[tuple[str, ...], _Prompt] = {}
    for item, text in asked:
        words = words_of(text)
        if words:
            found.setdefault(tuple(words), _Prompt(task=task, items=[], words=words)).items.append(item)
    return list(found.values())


def _own_grams(wordings: Sequence[list[str]]) -> list[Hashes]:
    """For each prompt its 13-grams, without those that belong to the task's wording."""
    grams = [np.unique(_hashes(words)) for words in wordings]
    values, counts = np.unique(np.concatenate([np.zeros(0, np.uint64), *grams]), return_counts=True)
    common = values[counts > MAX_SHARING]
    return [own[~np.isin(own, common)] for own in grams] if common.size else grams


def _hashes(words: Sequence[str]) -> Hashes:
    """One hash for every 13 words in a row: a polynomial over the words' own hashes, modulo 2^64."""
    count = max(0, len(words) - GRAM + 1)
    letters = np.fromiter(map(hash, words), np.int64, len(words)).view(np.uint64)
    total = np.zeros(count, np.uint64)
    for place in range(GRAM):
        total *= _FACTOR
        total += letters[place : place + count]
    return total


def _holds(words: list[str], gram: list[str]) -> bool:
    return any(words[at : at + GRAM] == gram for at in range(len(words) - GRAM + 1))


def _texts(document: Document) -> list[str]:
    if "text" in document:
        return [document["text"]]
    return [str(message["content"]) for message in document["messages"]]
