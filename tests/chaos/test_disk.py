"""The store's disk is full, can only be read, or is gone, and comes back."""

import contextlib
import subprocess

import pytest

from nncore.registry import Registry
from tests.chaos.measures import disturb
from tests.conftest import publish
from tests.stack import Stack, wait_for

pytestmark = pytest.mark.integration

MEGABYTES = 24


def mount(*arguments):
    return subprocess.run(["mount", *arguments], capture_output=True, text=True)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """The stack, with its store on a small disk of its own."""
    running = Stack(tmp_path_factory.mktemp("stack"))
    running.store.mkdir()
    mounted = mount("-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(running.store))
    if mounted.returncode:
        pytest.skip(f"no disk of its own can be mounted here: {mounted.stderr.strip()}")
    publish(Registry(running.store))
    try:
        yield running.start()
    finally:
        running.stop()
        subprocess.run(["umount", "--lazy", str(running.store)], check=True)


@contextlib.contextmanager
def full(stack):
    filling = stack.store / "filling"
    with contextlib.suppress(OSError), filling.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(2**16))
    try:
        yield
    finally:
        filling.unlink()


@contextlib.contextmanager
def read_only(stack):
    # As a disk that has an error becomes: at once, whoever has files open.
    remount(stack.store, "ro")
    try:
        yield
    finally:
        remount(stack.store, "rw")


def remount(store, how):
    # It is refused while somebody writes there.
    wait_for(lambda: mount("-o", f"remount,{how}", str(store)).returncode == 0, what=how)


@contextlib.contextmanager
def gone(stack):
    """Only the empty folder is left where the disk was."""
    elsewhere = stack.store.with_name("elsewhere")
    elsewhere.mkdir()
    assert mount("--move", str(stack.store), str(elsewhere)).returncode == 0
    try:
        yield
        assert list(stack.store.rglob("versions")) == []
    finally:
        assert mount("--move", str(elsewhere), str(stack.store)).returncode == 0
        elsewhere.rmdir()


@pytest.mark.parametrize("fault", [full, read_only, gone], ids=lambda fault: fault.__name__)
def test_without_its_disk_the_service_answers_with_what_is_loaded(stack, tell, fault):
    before = versions(stack)
    moves, jobs = [], []

    def try_to_publish():
        alias = "/api/v1/models/digits/aliases/canary"
        moves.append(stack.client.put(alias, json={"version": before[0]}))
        jobs.append(stack.post(epochs=1))
        wait_for(lambda: stack.job(jobs[-1]["id"])["status"] == "scheduled", what="a job put off")

    seen = disturb(stack.url, lambda: fault(stack), try_to_publish)

    assert seen.failures == []
    assert {move.status_code for move in moves} <= {404, 503, 507}, moves
    told = stack.job(jobs[-1]["id"])["story"][-1]["event"]
    for job in jobs:  # all by themselves
        assert stack.wait(job["id"])["status"] == "finished"
    assert len(versions(stack)) == len(before) + len(jobs)
    assert not list((stack.store / "models/digits/.staging").iterdir())
    tell(
        f"store {fault.__name__.replace('_', ' ')}, then back",
        f"{seen}; moving an alias: {moves[0].status_code}; a job: {told!r}, and then it trained",
    )


def versions(stack):
    """Return the numbers of the versions that there are."""
    rows = stack.client.get("/api/v1/models/digits/versions").json()["versions"]
    return [row["version"] for row in rows]
