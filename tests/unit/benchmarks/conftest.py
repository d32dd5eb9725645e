import importlib
from pathlib import Path
from types import ModuleType

import pytest
import torch

from foam_cli.data.skills.mixture import skill_documents
from foam_cli.data.skills.nano.world import nano_world

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch):
    """Import a benchmark's file as it is imported when the benchmark is run as a script."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    some = skill_documents(
        nano_world("Foam", "the Foam Lab"), 0, 200
    )  # a tenth of a second instead of several
    monkeypatch.setattr(importlib.import_module("train_speed_case"), "base_documents", lambda _: some)

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load
    torch.use_deterministic_algorithms(False)
