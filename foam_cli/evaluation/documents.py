"""Text to measure a language model on, read from a file of the user's."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from foam_cli.core.errors import DataError
from foam_cli.core.files import reading
from foam_cli.core.text import is_text

#: How much of a document is one item where it is looked up in training data, and how far that reaches on.
PASSAGE_WORDS, OVERLAP_WORDS = 100, 24


def read_text(path: Path, key: str) -> str:
    """Read a UTF-8 file.

    Args:
        path: The file.
        key: The setting that names it.

    Returns:
        Its text. A file that cannot be read is a DataError that names the setting.
    """
    with reading(path, key):
        return path.read_text(encoding="utf-8-sig")


def read_lines(path: Path, key: str) -> list[dict[str, Any]]:
    """Read JSON Lines, every line an object.

    Args:
        path: The file.
        key: The setting that names it.

    Returns:
        The objects; empty lines are skipped.

    Raises:
        DataError: The file is missing, or a line is not a JSON object.
    """
    rows: list[dict[str, Any]] = []
    # Only the newline ends a line: JSON text may hold other line separators.
    for number, line in enumerate(read_text(path, key).split("\n"), start=1):
        if not line.strip():
            continue
        row = _parsed(line, f"{path}, line {number}")
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number}: {line[:60]!r} is not a JSON object; write one per line")
        rows.append(cast("dict[str, Any]", row))
    return rows


def read_documents(path: Path, key: str) -> list[str]:
    """Read documents from JSON Lines (`.jsonl`), a JSON list (`.json`) or plain text, which is one document.

    Args:
        path: The file. In JSON a document is a string or an object with the key `text`.
        key: The setting that names it.

    Returns:
        The documents that are not empty.

    Raises:
        DataError: The file is missing, malformed or holds no document.
    """
    if path.suffix == ".jsonl":
        values: list[Any] = list(read_lines(path, key))
    elif path.suffix == ".json":
        loaded = _parsed(read_text(path, key), str(path))
        if not isinstance(loaded, list):
            raise DataError(f"{key}={path}: holds a {type(loaded).__name__}; a list of documents is needed")
        values = cast("list[Any]", loaded)
    else:
        values = [read_text(path, key)]
    documents = [
        _document(value, f"{path}, document {number}") for number, value in enumerate(values, start=1)
    ]
    kept = [document for document in documents if document.strip()]
    if not kept:
        raise DataError(f"{key}={path}: holds no text; name a file that does")
    return kept


def passages(documents: Sequence[str]) -> list[tuple[str, str]]:
    """Cut documents into passages that can be looked up in training data one by one.

    Args:
        documents: The documents.

    Returns:
        Names and texts. A passage reaches a little into the next, so that no words in a row are torn apart.
    """
    found: list[tuple[str, str]] = []
    for number, document in enumerate(documents, start=1):
        words = document.split()
        for start in range(0, max(1, len(words) - OVERLAP_WORDS), PASSAGE_WORDS):
            text = " ".join(words[start : start + PASSAGE_WORDS + OVERLAP_WORDS])
            found.append((f"document {number}, word {start + 1}", text))
    return found


def _document(value: Any, where: str) -> str:
    text: Any = cast("dict[str, Any]", value).get("text") if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise DataError(f"{where}: is neither a string nor an object with a string under the key 'text'")
    if not is_text(text):
        raise DataError(f"{where}: holds half a surrogate pair, which no tokenizer reads; take it out")
    return text


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"{where}: is not JSON ({error})") from error
