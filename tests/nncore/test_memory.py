import subprocess
import sys

import pytest

# Two arrays, 12 MB each, made and left again.
PROGRAM = """
import sys
import numpy as np
from nncore.memory import keep_freed_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

if sys.argv[1] == "keep":
    keep_freed_memory()
arrays = [np.ones(3_000_000, np.float32) for _ in range(2)]
before = resident()
del arrays
print(before - resident())
"""


def given_back(how):
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
    )
    return int(run.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and glibc")
def test_memory_of_large_arrays_is_kept_where_asked_for_and_only_there():
    assert given_back("keep") < 1_000_000
    assert given_back("as usual") > 20_000_000
