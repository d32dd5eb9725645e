"""Documents on disk, read one by one, so that they are never all in memory."""

import json
import weakref
from array import array
from collections.abc import Iterable, Sequence
from copy import copy
from tempfile import SpooledTemporaryFile
from typing import overload

from foam_cli.data.encode import Document

#: Bytes that stay in memory: a file is of no use to a few documents.
IN_MEMORY = 1 << 24


class _Open:
    """A temporary file that is closed with the last of those who read it."""

    def __init__(self, max_size: int) -> None:
        self.handle = SpooledTemporaryFile(max_size=max_size)  # noqa: SIM115
        weakref.finalize(self, self.handle.close)


class Spool(Sequence[Document]):
    """Documents in a temporary file, which goes when nobody reads it any more.

    As Python objects they take several times the memory of their text.

    Args:
        documents: Gone through once; plain data.
    """

    def __init__(self, documents: Iterable[Document]) -> None:
        self._file = _Open(max_size=IN_MEMORY)
        self._ends = array("q", [0])
        for document in documents:
            self._file.handle.write(json.dumps(document).encode())
            self._ends.append(self._file.handle.tell())
        self._chosen: Sequence[int] = range(len(self._ends) - 1)

    def take(self, numbers: Iterable[int]) -> "Spool":
        """Choose some; they stay in the same file.

        Args:
            numbers: Their numbers.

        Returns:
            Those documents, in this order.
        """
        chosen = copy(self)
        chosen._chosen = array("q", (self._chosen[number] for number in numbers))
        return chosen

    def __len__(self) -> int:
        return len(self._chosen)

    @overload
    def __getitem__(self, index: int) -> Document: ...
    @overload
    def __getitem__(self, index: slice) -> "Spool": ...
    def __getitem__(self, index: int | slice) -> "Document | Spool":
        if isinstance(index, slice):
            return self.take(range(len(self))[index])
        number = self._chosen[index]
        self._file.handle.seek(self._ends[number])
        return json.loads(self._file.handle.read(self._ends[number + 1] - self._ends[number]))
