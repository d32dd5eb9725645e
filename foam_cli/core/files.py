"""Files that are either whole or absent: written aside, fsynced, renamed."""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from foam_cli.core.errors import DataError


def sha256_file(path: Path) -> str:
    """Hash a file.

    Args:
        path: The file.

    Returns:
        Its SHA-256 in hex.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """Hash plain data by its canonical JSON.

    Args:
        value: Anything `json.dumps` takes.

    Returns:
        SHA-256 in hex.
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def file_written_aside(path: Path) -> Generator[Path]:
    """Fill a file aside and rename it into place when it is written and fsynced.

    Args:
        path: Where the file shall be; its folder is made where it is missing.

    Yields:
        The file to write. After an exception it is removed and `path` is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield aside
        _fsync(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace a file's content at once: readers see the old text or the new one, never a part.

    Args:
        path: The file; its folder is made where it is missing.
        text: The new content.
    """
    with file_written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Replace a file's content by indented JSON, at once.

    Args:
        path: The file.
        value: Anything `json.dumps` takes.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Args:
        path: The file.

    Returns:
        Its content.
    """
    return json.loads(path.read_text(encoding="utf-8"))


def append_jsonl(path: Path, row: dict[str, Any]) -> None:
    """Append one line of JSON.

    Args:
        path: The file; made where it is missing.
        row: The line.
    """
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Read a JSON Lines file; a last line that was cut off by a crash is left out.

    Args:
        path: The file; an absent one has no lines.

    Returns:
        Its lines.
    """
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").removesuffix("\n").split("\n"):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


@contextmanager
def reading(path: Path, key: str) -> Generator[None]:
    """Say what is wrong with a text file that a setting names, if it cannot be read.

    Args:
        path: The file.
        key: The setting.

    Yields:
        Nothing; the file is read within.

    Raises:
        DataError: It is not there, is a folder, must not be read, or is not UTF-8.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{key}={path}: is not UTF-8 text ({error}); convert it.") from error
    except FileNotFoundError as error:
        raise DataError(f"{key}={path}: no such file; name one that is there.") from error
    except IsADirectoryError as error:
        raise DataError(f"{key}={path}: is a folder; name the file in it.") from error
    except OSError as error:
        raise DataError(f"{key}={path}: cannot be read ({error.strerror}); name another file.") from error


@contextmanager
def folder_written_aside(target: Path, may_replace: Callable[[Path], bool]) -> Generator[Path]:
    """Fill a folder aside and rename it into place when everything in it is written and fsynced.

    Args:
        target: Where the folder shall be.
        may_replace: Asked with `target` where that exists; False makes this a FileExistsError.

    Yields:
        The folder to fill. After an exception it is removed and `target` is untouched.

    Raises:
        FileExistsError: `target` exists and must not be replaced.
    """
    if target.exists() and not may_replace(target):
        raise FileExistsError(str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    aside.mkdir()
    try:
        yield aside
        for file in aside.rglob("*"):
            _fsync(file)
        old = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.old")
        if target.exists():
            target.rename(old)
        aside.rename(target)
        _fsync(target.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
