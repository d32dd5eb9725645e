"""How to say beside a score that training saw what was asked."""

from collections.abc import Mapping
from typing import Any


def seen_label(record: Any) -> str:
    """Label a task.

    Args:
        record: Its entry under `contamination` in result.json; anything else labels nothing.

    Returns:
        E.g. `7 of 570 items seen in training`, or nothing.
    """
    if not isinstance(record, Mapping):
        return ""
    parts: list[str] = []
    if record.get("seen"):
        parts.append(f"{record['seen']} of {record.get('asked')} items seen in training")
    if record.get("trained_on_split"):
        parts.append("its training split was trained on")
    return ", ".join(parts)


def is_trained_on(record: Any) -> bool:
    """Whether a task's score can be neither learning nor keeping.

    Args:
        record: As for `seen_label`.

    Returns:
        True where training saw any of it.
    """
    if not isinstance(record, Mapping):
        return False
    return bool(record.get("trained_on_split") or record.get("seen"))


def seen_labels(records: Any) -> dict[str, str]:
    """Label all tasks.

    Args:
        records: `contamination` in result.json.

    Returns:
        Task to label, for those that have one.
    """
    if not isinstance(records, Mapping):
        return {}
    labels = {str(task): seen_label(record) for task, record in records.items()}
    return {task: label for task, label in labels.items() if label}
