"""foam grows a pretrained transformer while it trains, and measures what it learnt and what it forgot."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

#: Public names and where they live; they are imported when they are first asked for, torch with them.
_PUBLIC = {
    "CurriculumLearning": "foam_cli.api.curriculum",
    "GrowableLinear": "foam_cli.api.linear",
    "GrowableModel": "foam_cli.api.model",
    "GrowableQwen": "foam_cli.api.model",
    "MemoryReplayBuffer": "foam_cli.api.replay",
    "growth_detached": "foam_cli.model.blocks",
    "load_grown": "foam_cli.export.delta",
    "save_delta": "foam_cli.export.delta",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
