"""The user's own files as a source: `data.path=FILE_OR_GLOB`."""

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from foam_cli.core.errors import DataError
from foam_cli.core.seeds import rng
from foam_cli.data.curricula.protocols import Curriculum
from foam_cli.data.encode import Document, LossOn
from foam_cli.data.layouts import to_document
from foam_cli.data.rows import read_rows
from foam_cli.data.spool import Spool

Layout = Literal["auto", "messages", "sharegpt", "alpaca", "text"]


@dataclass(frozen=True, kw_only=True)
class Files:
    """JSON Lines, JSON arrays, plain text, and tables (Parquet, CSV, TSV, Arrow) through `datasets`.

    Attributes:
        path: A file or a glob.
        old_path: A file or a glob with old data for replay, or None.
        layout: `auto` recognises each row by its keys.
        validation_frac: The share of the documents set apart for the validation loss.
        max_length: Tokens of the longest example.
        loss_on: What is learnt of a chat.
        skip_untrainable: Leave out examples whose prompt alone fills `max_length`, instead of an error.
        substitutions: `{{key}}` in the files is replaced by its value; None for nothing to replace.
        curriculum: The order in which examples are shown.
    """

    path: str
    old_path: str | None
    layout: Layout
    validation_frac: float
    max_length: int
    loss_on: LossOn
    skip_untrainable: bool
    substitutions: dict[str, str] | None
    curriculum: Curriculum

    def __post_init__(self) -> None:
        if not 0 < self.validation_frac < 1:
            raise ValueError(f"data.validation_frac={self.validation_frac}: must lie between 0 and 1.")

    def documents(self, seed: int) -> tuple[Spool, Spool]:
        """Read the documents.

        Args:
            seed: Decides which are set apart.

        Returns:
            Training and validation documents, both in the order of the files.

        Raises:
            DataError: There are fewer than two documents.
        """
        everything = Spool(read_files(self.path, "data.path", self.layout, self.substitutions))
        if len(everything) < 2:
            raise DataError(f"data.path={self.path}: holds {len(everything)} documents; two are the least.")
        count = max(1, round(self.validation_frac * len(everything)))
        apart = set(rng(seed, "validation").sample(range(len(everything)), count))
        train = (index for index in range(len(everything)) if index not in apart)
        return everything.take(train), everything.take(sorted(apart))

    def old_documents(self, seed: int) -> Spool | None:
        """Read the old data.

        Args:
            seed: Not used: all of it is read.

        Returns:
            Documents for replay, or None where `old_path` is null.
        """
        del seed
        if not self.old_path:
            return None
        return Spool(read_files(self.old_path, "data.old_path", self.layout, self.substitutions))

    def evaluation_items(self, name: str, num_items: int | None) -> NoReturn:
        """Files bring no questions for the built-in tasks.

        Args:
            name: The task that asks.
            num_items: Not used.

        Raises:
            DataError: Always.
        """
        del num_items
        raise DataError(f"evaluation={name}: data=files has no questions for it; use data=nanoworld.")


def read_files(
    pattern: str, key: str, layout: Layout, substitutions: dict[str, str] | None = None
) -> Iterator[Document]:
    """Read documents from files.

    Args:
        pattern: A file or a glob.
        key: The setting that names them.
        layout: `auto` recognises each row by its keys.
        substitutions: `{{key}}` is replaced by its value.

    Yields:
        Document by document, in the order of the files.

    Raises:
        DataError: There is no such file, it cannot be read, or a row has no such layout.
    """
    files = sorted(glob.glob(str(Path(pattern).expanduser()), recursive=True))  # noqa: PTH207
    if not files:
        raise DataError(f"{key}={pattern}: no such file; name one that is there, or a glob that finds some.")
    for file in map(Path, files):
        for name, row in read_rows(file, key):
            try:
                document = to_document(_substitute(row, substitutions or {}), layout)
            except ValueError as error:
                raise DataError(f"{name}: {error}.") from error
            yield {**document, "name": name}


def _substitute(value: Any, substitutions: dict[str, str]) -> Any:
    if isinstance(value, str):
        for key, replacement in substitutions.items():
            value = value.replace("{{" + key + "}}", replacement)
        return value
    if isinstance(value, list):
        return [_substitute(item, substitutions) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {key: _substitute(item, substitutions) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return value
