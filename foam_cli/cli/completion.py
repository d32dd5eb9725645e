"""Shell completion of groups, options and keys. It composes configurations but never imports torch."""

from typing import Any

from foam_cli import config
from foam_cli.core.errors import FoamError


def complete_settings(incomplete: str) -> list[str]:
    """Complete one setting.

    Args:
        incomplete: What has been typed of it.

    Returns:
        Settings that begin like that: `group=option`, or a key up to the next dot or its equals sign.
    """
    groups = config.groups()
    key, equals, _ = incomplete.partition("=")
    if equals:
        options = groups.get(key.replace(".", "/"), [])
        return [found for option in options if (found := f"{key}={option}").startswith(incomplete)]
    names = {f"{group.replace('/', '.')}=" for group in groups if "/" not in group}
    if "." in incomplete:
        names |= {f"{group.replace('/', '.')}=" for group in groups if "/" in group}
        names |= set(_keys(_composed()))
    else:
        names |= {f"{key}." if isinstance(value, dict) else f"{key}=" for key, value in _composed().items()}
    return sorted(name for name in names if name.startswith(incomplete))


def complete_tasks(incomplete: str) -> list[str]:
    """Complete a task of `foam eval`, its target, or a setting.

    Args:
        incomplete: What has been typed of it.

    Returns:
        What begins like that.
    """
    tasks = [name for name in [*config.groups()["evaluation"], "run="] if name.startswith(incomplete)]
    return tasks + complete_settings(incomplete)


def complete_studies(incomplete: str) -> list[str]:
    """Complete the study of `foam ablate`, or `search`.

    Args:
        incomplete: What has been typed of it.

    Returns:
        Studies that begin like that.
    """
    return [name for name in ["search", *config.groups().get("study", [])] if name.startswith(incomplete)]


def _composed() -> dict[str, Any]:
    try:
        return config.compose([]).values
    except FoamError:
        return {}


def _keys(node: dict[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key, value in node.items():
        if str(key).startswith("_"):
            continue
        found += _keys(value, f"{prefix}{key}.") if isinstance(value, dict) and value else [f"{prefix}{key}="]
    return found
