"""Long texts in pieces, so that working on one needs memory for a piece only."""

import re
from collections.abc import Iterator

#: Characters of a piece, about.
PIECE = 1 << 18

#: A space between two letters: byte-level tokenizers begin a new word there whatever stands around it.
_CUT = re.compile(r"(?<=[^\W\d_]) (?=[^\W\d_])")


def pieces(text: str, size: int = PIECE) -> Iterator[str]:
    """Cut a text before words.

    Args:
        text: Any text.
        size: A piece is at least so long, and ends at the next space between two letters.

    Yields:
        The pieces; together they are the text.
    """
    start = 0
    while len(text) - start > size:
        cut = _CUT.search(text, start + size)
        if cut is None:
            break
        yield text[start : cut.start()]
        start = cut.start()
    yield text[start:]
