"""What a step frees is there for the next one."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys, torch
from foam_cli.engine.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def step():
    parts = [torch.ones(2**24) for _ in range(2)]  # 64 MiB each, more than glibc ever keeps
for _ in range(20):  # until every block has found its place
    step()
before = faults()
for _ in range(10):
    step()
print(faults() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_the_same_step_again_faults_no_page_in_anew():
    kept, given_back = (
        int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, check=True).stdout)
        for how in ("keep", "default")
    )
    # 128 MiB a step are 32,768 small pages or 64 large ones; kept, they are all there already.
    assert kept < 64
    assert given_back >= 10 * 64
