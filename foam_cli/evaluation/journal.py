"""Answers as they come: what was asked once is not asked again, even if the process is killed."""

import hashlib
import json
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from foam_cli.core.files import read_jsonl


def asked(*parts: Sequence[int]) -> str:
    """Name a question put to a model.

    Args:
        *parts: Everything that the answer depends on, but for the model: token ids, limits.

    Returns:
        A name that other questions do not have.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(array("q", part).tobytes())
    return digest.hexdigest()


class Journal:
    """Answers of one model to one task's questions, kept in memory and, if it has a place, in a file.

    Every batch of answers is handed to the operating system as JSON Lines before the next one is begun, so
    that a killed process loses no more than the batch it was working on.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._answers: dict[str, Any] = {}
        self._mended = False
        for row in read_jsonl(path) if path is not None else []:
            self._answers[row["asked"]] = row["answer"]
        self.num_found = len(self._answers)

    def __contains__(self, name: str) -> bool:
        return name in self._answers

    def __getitem__(self, name: str) -> Any:
        return self._answers[name]

    def __len__(self) -> int:
        return len(self._answers)

    def add(self, answers: Iterable[tuple[str, Any]]) -> None:
        """Keep a batch of answers.

        Args:
            answers: (name, answer) pairs; an answer is plain data.
        """
        rows = list(answers)
        self._answers.update(rows)
        if self.path is None:
            return
        if not self._mended:
            self._mend(self.path)
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps({"asked": name, "answer": answer}) + "\n" for name, answer in rows)

    def _mend(self, path: Path) -> None:
        """Drop a line that a crash cut off, or the next one would be glued to it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            file.seek(0)
            whole, newline, _ = file.read().rpartition(b"\n")
            file.truncate(len(whole + newline))
        self._mended = True
