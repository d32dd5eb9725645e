"""Rows of a data file, whatever its form."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from foam_cli.core.errors import DataError
from foam_cli.core.files import reading
from foam_cli.core.text import one_line

#: Tabular files by suffix, and the reader of `datasets` for them.
_TABLES = {".parquet": "parquet", ".arrow": "arrow", ".csv": "csv", ".tsv": "csv"}


def read_rows(file: Path, key: str) -> Iterator[tuple[str, Any]]:
    """Read JSON Lines, JSON arrays, plain text, and tables through `datasets`; JSON Lines one by one.

    Args:
        file: The file; its suffix says what it is.
        key: The setting that names it.

    Yields:
        A name for messages, the file and the line, and the row. A file that cannot be read, or is not what
        its suffix says, is a DataError.
    """
    with reading(file, key):
        yield from _table_rows(file, key) if file.suffix in _TABLES else _text_rows(file)


def _text_rows(file: Path) -> Iterator[tuple[str, Any]]:
    if file.suffix not in (".json", ".jsonl"):
        yield f"{file}", file.read_text(encoding="utf-8-sig")
        return
    # Only the newline ends a line: JSON text may hold other line separators.
    with file.open(encoding="utf-8-sig", newline="\n") as lines:
        first = next((line for line in lines if line.strip()), "")
        lines.seek(0)
        if first.lstrip().startswith("["):
            for number, row in enumerate(_parse(lines.read(), file, 1), 1):
                yield f"{file}, entry {number}", row
            return
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"{file}, line {number}", _parse(line, file, number)


def _parse(text: str, file: Path, first_line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise DataError(f"{file}, line {line}: is not JSON: {error.msg} (column {error.colno}).") from error


def _table_rows(file: Path, key: str) -> Iterator[tuple[str, Any]]:
    import datasets
    from datasets.exceptions import DatasetsError

    kind = _TABLES[file.suffix]
    datasets.disable_progress_bars()
    try:
        options = _all_text(file) if kind == "csv" else {}
        rows = datasets.load_dataset(kind, data_files=str(file), split="train", **options)
    except (DatasetsError, OSError, ValueError) as error:
        reason = one_line(error.__cause__ or error)
        raise DataError(
            f"{key}={file}: cannot be read as {kind}: {reason}. Its suffix has to say what it is."
        ) from error
    for number, row in enumerate(rows, 1):
        yield f"{file}, row {number}", row


def _all_text(file: Path) -> dict[str, Any]:
    """Have every column read as text: an answer may look like a number, or like a missing one."""
    import datasets

    separator = "\t" if file.suffix == ".tsv" else ","
    with file.open(encoding="utf-8-sig", newline="") as lines:
        names = next(csv.reader(lines, delimiter=separator), [])
    columns = datasets.Features({name: datasets.Value("string") for name in names})
    return {"sep": separator, "features": columns, "keep_default_na": False}
