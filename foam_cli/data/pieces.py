"""Long texts in pieces, so that working on one needs memory for a piece only."""

import re
from collections.abc import Iterator

#: Characters of a piece, about.
PIECE = 1 << 18

#: Where to cut, the best first. Before a space between two letters byte-level tokenizers begin a new word
#: whatever stands around it; before other white space they mostly do.
_CUTS = (re.compile(r"(?<=[^\W\d_]) (?=[^\W\d_])"), re.compile(r"\s"))


def pieces(text: str, size: int = PIECE) -> Iterator[str]:
    """Cut a text, before a word where there is one.

    Args:
        text: Any text.
        size: A piece is so long, or up to twice as long.

    Yields:
        The pieces; together they are the text.
    """
    start = 0
    while len(text) - start > size:
        low, high = start + size, start + 2 * size
        found = next(filter(None, (cut.search(text, low, high) for cut in _CUTS)), None)
        end = min(high, len(text)) if found is None else found.start()
        yield text[start:end]
        start = end
    if start < len(text) or not text:
        yield text[start:]
