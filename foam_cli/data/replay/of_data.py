"""The data source's own old documents, as what is replayed."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OfData:
    """What the data source knows to be old, or where that is nothing, its training stream."""
