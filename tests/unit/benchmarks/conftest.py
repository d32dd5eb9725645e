import importlib
from pathlib import Path
from types import ModuleType

import pytest
import torch

from foam_cli.data.skills.mixture import skill_documents

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch):
    """Import a benchmark's file as it is imported when the benchmark is run as a script."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    some = skill_documents(0, 200, "Foam", "the Foam Lab")  # a tenth of a second instead of several
    monkeypatch.setattr(importlib.import_module("train_speed_case"), "base_documents", lambda _: some)

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load
    torch.use_deterministic_algorithms(False)
