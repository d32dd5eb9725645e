"""ARC's training questions as text, without those that the evaluation asks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NoReturn

from foam_cli.core.errors import DataError
from foam_cli.data.contamination import Lookup
from foam_cli.data.encode import Document, LossOn
from foam_cli.data.hub import load_rows
from foam_cli.data.rows import read_rows

HUB_ID = "allenai/ai2_arc"
Subset = Literal["Easy", "Challenge"]
Split = Literal["train", "validation", "test"]
SUBSETS: tuple[Subset, ...] = ("Easy", "Challenge")


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What of ARC may be used.

    Attributes:
        train: Documents of the training splits.
        validation: Documents of the validation splits.
        remarks: What was left out, and what could not be checked.
    """

    train: list[Document]
    validation: list[Document]
    remarks: list[str]


@dataclass(frozen=True, kw_only=True)
class ArcReplay:
    """Questions in the form in which the evaluation asks, each followed by its right answer.

    Some test questions stand in ARC's own training and validation splits. A question of the training split
    that the test or the validation split asks is left out, and so is one of the validation split that the
    test split asks: word for word or with 13 words in a row, as `data.contamination` compares.

    Attributes:
        path: A folder with `ARC-<Easy or Challenge>-<split>.jsonl`, or None for the hub.
        revision: A commit of the hub's data set, or None.
        subsets: `Easy`, `Challenge` or both.
        max_length: Tokens of the longest example.

    Source: P. Clark et al., "Think you have solved question answering? Try ARC", 2018, arXiv 1803.05457.
    """

    path: str | None
    revision: str | None
    subsets: list[Subset]
    max_length: int

    def __post_init__(self) -> None:
        if not self.subsets:
            raise ValueError("subsets=[]: name Easy, Challenge or both.")
        if self.path is not None and self.revision is not None:
            raise ValueError(
                f"revision={self.revision}: has no effect on your own files, data.path={self.path}; set it "
                "to null."
            )

    @property
    def trains_on(self) -> tuple[str, ...]:
        """Tasks of the evaluation whose training split this is."""
        return tuple(f"arc_{subset.lower()}" for subset in self.subsets)

    @property
    def loss_on(self) -> LossOn:
        """Every token is learnt, as it was when the base model met such text."""
        return "all"

    @property
    def skip_untrainable(self) -> bool:
        """Every question has something to learn."""
        return False

    def documents(self, seed: int) -> tuple[list[Document], list[Document]]:
        """Write the questions with their answers.

        Args:
            seed: Not used: the splits are ARC's own.

        Returns:
            Documents of the training and of the validation splits.
        """
        del seed
        return self._found.train, self._found.validation

    def remarks(self) -> list[str]:
        """Say what was left out, and what could not be checked.

        Returns:
            Sentences.
        """
        return self._found.remarks

    def old_documents(self, seed: int) -> None:
        """There is nothing older.

        Args:
            seed: Not used.
        """

    def evaluation_items(self, name: str, num_items: int | None) -> NoReturn:
        """The tasks `arc_easy` and `arc_challenge` read their own questions.

        Args:
            name: The task that asks.
            num_items: Not used.

        Raises:
            DataError: Always.
        """
        del num_items
        raise DataError(f"evaluation={name}: data=arc_replay has no questions for it; use data=nanoworld.")

    @cached_property
    def _found(self) -> _Found:
        train = [one for subset in self.subsets for one in self._questions(subset, "train")]
        validation = [one for subset in self.subsets for one in self._questions(subset, "validation")]
        # Whatever is replayed, either set may be what is asked.
        asked_in_test, unchecked = self._asked("test")
        asked_in_validation, _ = self._asked("validation")
        seen = _those_that_hold(train, [*asked_in_test, *asked_in_validation])
        seen |= _those_that_hold(validation, asked_in_test)
        return _Found(
            train=[one for one in train if one["name"] not in seen],
            validation=[one for one in validation if one["name"] not in seen],
            remarks=[*(_left_out(name, seen) for name in self.subsets), *unchecked],
        )

    def _asked(self, split: Split) -> tuple[list[tuple[str, str]], list[str]]:
        """Ids and questions of one split of both sets, and a sentence for what cannot be read."""
        found: list[tuple[str, str]] = []
        unchecked: list[str] = []
        for subset in SUBSETS:
            try:
                found += [(one["name"], one["question"]) for one in self._questions(subset, split)]
            except DataError as error:
                unchecked.append(f"What the {split} split of ARC-{subset} asks could not be checked: {error}")
        return found, unchecked

    def _questions(self, subset: Subset, split: Split) -> list[Document]:
        return [
            _document(row, name, f"ARC-{subset} {split}") for name, row in self._rows(f"ARC-{subset}", split)
        ]

    def _rows(self, config: str, split: Split) -> Iterator[tuple[str, Any]]:
        if self.path is not None:
            file = Path(self.path).expanduser() / f"{config}-{split}.jsonl"
            if not file.is_file():
                raise DataError(f"data.path={self.path}: has no {file.name}; name a folder that holds it.")
            yield from read_rows(file, "data.path")
            return
        instead = "Without a network, name a folder with ARC-Easy-train.jsonl and so on: data.path=FOLDER."
        rows = load_rows(HUB_ID, config, split, self.revision, says="data=arc_replay: ", instead=instead)
        for number, row in enumerate(rows):
            yield f"{HUB_ID} {config} {split}, row {number}", row


def _document(row: Any, where: str, split: str) -> Document:
    """One question as the evaluation puts it, with the right answer."""
    try:
        right = row["choices"]["label"].index(row["answerKey"])
        answer = row["choices"]["text"][right]
        text = f"Question: {row['question']}\nAnswer: {answer}"
        return {"text": text, "name": f"{split} {row['id']}", "question": row["question"]}
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        wanted = "id, question, choices (text and label) and answerKey"
        raise DataError(f"{where}: is no ARC question ({error!r}); it needs {wanted}.") from error


def _those_that_hold(documents: Sequence[Document], asked: Sequence[tuple[str, str]]) -> set[str]:
    lookup = Lookup({"arc": asked})
    lookup.read(documents, "training")
    return lookup.documents


def _left_out(subset: str, seen: set[str]) -> str:
    train, validation = (
        sum(name.startswith(f"ARC-{subset} {split} ") for name in seen) for split in ("train", "validation")
    )
    return (
        f"ARC-{subset}: {train} questions of the training split and {validation} of the validation split are "
        "left out, because the evaluation may ask them."
    )
