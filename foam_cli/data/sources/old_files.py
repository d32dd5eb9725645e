"""Files of old documents, for replay beside any data source: `replay.source=files`."""

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from foam_cli.core.errors import DataError
from foam_cli.data.curricula.none import NoCurriculum
from foam_cli.data.encode import Document
from foam_cli.data.sources.files import Files


@dataclass(frozen=True, kw_only=True)
class OldFiles:
    """What the base model was trained on, as far as it is in files. Read as `data=files` reads them.

    Attributes:
        path: A file or a glob.
        layout: `auto` recognises each row by its keys.
    """

    path: str
    layout: Literal["auto", "messages", "sharegpt", "alpaca", "text"]

    def documents(self, seed: int) -> list[Document]:
        """Read the documents.

        Args:
            seed: Not used: all of them are read.

        Returns:
            The documents, in the order of the files.

        Raises:
            DataError: There is no such file, or it cannot be read.
        """
        if not glob.glob(str(Path(self.path).expanduser()), recursive=True):  # noqa: PTH207
            raise DataError(f"replay.source.path={self.path}: no such file.")
        files = Files(
            path=self.path, old_path=self.path, layout=self.layout, validation_frac=0.5, max_length=1,
            loss_on="all", skip_untrainable=False, substitutions=None,
            curriculum=NoCurriculum(),
        )  # fmt: skip
        return files.old_documents(seed) or []
