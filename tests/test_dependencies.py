"""What is installed is what was locked."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_package_is_locked_to_one_version_and_its_hashes(lock):
    packages = lock.read_text().replace("\\\n", " ").strip().splitlines()

    assert packages
    for package in packages:
        assert re.match(r"[a-z0-9.-]+(\[[a-z,]+\])?==\S+ ", package), package
        assert HASH.search(package), package


@pytest.mark.parametrize("name", ["Makefile", "Dockerfile"])
def test_what_is_locked_is_installed_by_its_hashes(name):
    commands = (ROOT / name).read_text().replace("\\\n", " ").splitlines()
    installing = [line for line in commands if re.search(r"install\b.*\.lock", line)]

    assert installing
    assert all("--require-hashes" in line for line in installing), installing
