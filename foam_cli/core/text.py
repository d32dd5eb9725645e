"""Text from elsewhere, made fit to be shown: nothing in it can act on a terminal or reorder a line."""

import re
import unicodedata

_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
#: Line ends, tabs, and the joiners without which some scripts cannot be written.
_KEPT = "\n\t\u200c\u200d"
_HALVES = re.compile("[\ud800-\udfff]")


def visible(text: str) -> str:
    """Write out letters that cannot be seen: they could move a cursor, reorder a line, or be no text at all.

    Args:
        text: Any text.

    Returns:
        The text with control and direction marks as escapes; line ends, tabs and joiners stay.
    """
    return text if text.isascii() and text.isprintable() else "".join(_written_out(one) for one in text)


def one_line(text: object) -> str:
    """Bring a message from elsewhere onto one line.

    Args:
        text: Anything that can be written as text, such as an exception.

    Returns:
        Its visible text, white space collapsed.
    """
    return visible(" ".join(str(text).split()))


def _written_out(letter: str) -> str:
    hidden = unicodedata.category(letter) in _HIDDEN and letter not in _KEPT
    return letter.encode("unicode_escape").decode() if hidden else letter


def is_text(text: str) -> bool:
    """Say whether a string can be written down: JSON may hold halves of surrogate pairs, which nothing reads.

    Args:
        text: Any string.

    Returns:
        Whether it holds none of them.
    """
    return text.isascii() or _HALVES.search(text) is None
