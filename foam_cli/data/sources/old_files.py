"""Files of old documents, for replay beside any data source: `replay.source=files`."""

from dataclasses import dataclass

from foam_cli.data.sources.files import Layout, read_files
from foam_cli.data.spool import Spool


@dataclass(frozen=True, kw_only=True)
class OldFiles:
    """What the base model was trained on, as far as it is in files. Read as `data=files` reads them.

    Attributes:
        path: A file or a glob.
        layout: `auto` recognises each row by its keys.
    """

    path: str
    layout: Layout

    def documents(self, seed: int) -> Spool:
        """Read the documents.

        Args:
            seed: Not used: all of them are read.

        Returns:
            The documents, in the order of the files. A file that cannot be read is a DataError.
        """
        del seed
        return Spool(read_files(self.path, "replay.source.path", self.layout))
