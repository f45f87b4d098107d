"""What a table was measured on."""

import datetime
import os
import platform
import subprocess
from pathlib import Path


def machine() -> str:
    """Return date, commit, cores, processor and Python in one line."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    today = datetime.date.today().isoformat()
    python = platform.python_version()
    return f"{today}, commit {commit}, {os.cpu_count()} cores of {cpu}, Python {python}"
