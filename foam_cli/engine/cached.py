"""What is expensive to find out about a base model, kept on disk by what it depends on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from foam_cli.core.files import read_json, sha256_json, write_text


def cached(folder: Path, kind: str, key: Any, find_out: Callable[[], Any]) -> Any:
    """Find something out once.

    Args:
        folder: Where runs are kept; their common cache is in it.
        kind: What it is; a folder of that name is made.
        key: Everything it depends on, as plain data.
        find_out: Does the work where nothing has been kept; gives plain data.

    Returns:
        What was found, now or earlier.
    """
    file = folder / ".cache" / kind / f"{sha256_json(key)}.json"
    try:
        return read_json(file)
    except (OSError, ValueError):
        found = find_out()
        write_text(file, json.dumps(found))
        return found
