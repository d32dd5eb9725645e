"""Rows of a data set on the hub, or of a local copy of it; failures say how to do without a network."""

from pathlib import Path
from typing import Any

from foam_cli.core.errors import DataError
from foam_cli.core.text import one_line


def load_rows(
    id: str, config: str | None, split: str, revision: str | None, *, says: str, instead: str
) -> Any:
    """Load one split through `datasets`, which downloads it once and maps it into memory.

    Args:
        id: A hub id, or a folder with the files of one data set.
        config: The configuration's name, or None for the only one.
        split: The split; parts of it are written `train[:1000]`.
        revision: A commit, a tag or a branch of the hub, or None.
        says: What stands before the id in a message: the setting that leads here.
        instead: What to do where the hub cannot be reached.

    Returns:
        A sequence of rows.

    Raises:
        DataError: It cannot be loaded.
    """
    import datasets
    from datasets.exceptions import DatasetsError

    datasets.disable_progress_bars()
    folder = Path(id).expanduser()
    source = str(folder) if folder.is_dir() else id
    try:
        return datasets.load_dataset(source, config, split=split, revision=revision)
    except (DatasetsError, OSError, ValueError, RuntimeError, KeyError) as error:
        asked = f"{says}{id} (config {config or 'default'}, split {split}, revision {revision or 'main'})"
        reason = one_line(f"{type(error).__name__}: {error}").removesuffix(".")
        if folder.is_dir():
            raise DataError(
                f"{asked}: cannot be loaded from this folder: {reason}. Check data.config and data.split, or "
                "name its files: data=files data.path=GLOB."
            ) from error
        raise DataError(f"{asked}: cannot be loaded from the hub: {reason}. {instead}") from error
