"""Public names cost nothing until they are asked for."""

import subprocess
import sys

NAMES = ("CurriculumLearning", "GrowableLinear", "GrowableModel", "GrowableQwen", "MemoryReplayBuffer")


def test_names_are_there_without_torch():
    code = (
        "import sys, foam_cli, foam_cli.cli.main; "
        f"assert set({NAMES!r}) <= set(dir(foam_cli)); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
