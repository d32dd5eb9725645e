"""Any data set of the hub: by its id, and by which columns hold what."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from foam_cli.core.errors import DataError
from foam_cli.core.seeds import rng
from foam_cli.data.encode import Document, LossOn
from foam_cli.data.hub import load_rows
from foam_cli.data.layouts import from_columns, to_document
from foam_cli.data.spool import Spool

#: What `columns` may name: a set of them at a time, those in the second set as well where there are any.
COLUMN_SETS = (({"prompt", "response"}, {"system"}), ({"messages"}, {"tools"}), ({"text"}, set[str]()))


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A data set that `datasets.load_dataset` loads; no code of the data set's own is ever run.

    Attributes:
        id: The hub id, or a folder with a downloaded copy.
        config: The configuration's name, or None where there is one only.
        split: What is learnt; a part of it is written `train[:1000]`.
        validation_split: What is set apart for the validation loss, or None for a part of `split`.
        validation_frac: The part of `split` set apart where `validation_split` is None.
        revision: A commit, tag or branch, or None for the newest.
        columns: Which column holds what: `{prompt: ..., response: ..., system: ...}`, `{messages: ...,
            tools: ...}` or `{text: ...}`; system and tools may be left out. None recognises each row by its
            keys, as data=files does.
        max_length: Tokens of the longest example.
        loss_on: What is learnt of a chat.
        skip_untrainable: Leave out examples whose prompt alone fills `max_length`, instead of an error.
    """

    id: str
    config: str | None
    split: str
    validation_split: str | None
    validation_frac: float | None
    revision: str | None
    columns: dict[str, str] | None
    max_length: int
    loss_on: LossOn
    skip_untrainable: bool

    def __post_init__(self) -> None:
        if (self.validation_split is None) == (self.validation_frac is None):
            raise ValueError(
                f"validation_split={self.validation_split}, validation_frac={self.validation_frac}: give one "
                "of them, and set the other to null."
            )
        if self.validation_frac is not None and not 0 < self.validation_frac < 1:
            raise ValueError(f"validation_frac={self.validation_frac}: must lie between 0 and 1.")
        named = set(self.columns or ())
        if self.columns is not None and not any(must <= named <= must | may for must, may in COLUMN_SETS):
            raise ValueError(
                f"columns={self.columns}: names {sorted(named)}. Name prompt and response (and system), or "
                "messages (and tools), or text; null recognises the usual layouts."
            )

    def documents(self, seed: int) -> tuple[Spool, Spool]:
        """Load the documents.

        Args:
            seed: Decides which are set apart where the data set has no split for that.

        Returns:
            Training and validation documents.

        Raises:
            DataError: There are fewer than two documents.
        """
        everything = Spool(self._read(self.split))
        if self.validation_split is not None:
            return everything, Spool(self._read(self.validation_split))
        if len(everything) < 2:
            raise DataError(
                f"data.id={self.id}, data.split={self.split}: holds {len(everything)} rows; two are the "
                "least."
            )
        count = max(1, round((self.validation_frac or 0) * len(everything)))
        apart = set(rng(seed, "validation").sample(range(len(everything)), count))
        train = (index for index in range(len(everything)) if index not in apart)
        return everything.take(train), everything.take(sorted(apart))

    def old_documents(self, seed: int) -> None:
        """It is not known what the base model was trained on.

        Args:
            seed: Not used.
        """

    def evaluation_items(self, name: str, num_items: int | None) -> NoReturn:
        """A data set of the hub brings no questions for the built-in tasks.

        Args:
            name: The task that asks.
            num_items: Not used.

        Raises:
            DataError: Always.
        """
        del num_items
        raise DataError(f"evaluation={name}: data=hub has no questions for it; use data=nanoworld.")

    def _read(self, split: str) -> Iterator[Document]:
        instead = (
            "Without a network, name a folder with a downloaded copy, data.id=FOLDER, or its files, "
            "data=files data.path=GLOB."
        )
        rows: Any = load_rows(self.id, self.config, split, self.revision, says="data.id=", instead=instead)
        for number, row in enumerate(rows):
            name = f"{self.id} {split}, row {number}"
            try:
                yield {**self._document(row), "name": name}
            except ValueError as error:
                raise DataError(f"{name}: {error}.") from error

    def _document(self, row: Mapping[str, Any]) -> Document:
        return to_document(row, "auto") if self.columns is None else from_columns(row, self.columns)
