import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from inkwell.sessions import kill, members, wait_until
from inkwell.store_lock import NAME

pytestmark = pytest.mark.integration

# What `inkwell up` does, with other programs: a name and a Python text for each.
SUPERVISE = """
import json, os, sys
from pathlib import Path
from inkwell import program
from inkwell.errors import InkwellError
from inkwell.guard import Guard
from inkwell.output import Output
from inkwell.program import Program
from inkwell.store_lock import locked
from inkwell.supervisor import Supervisor

store, grace, *stages = sys.argv[1:]
program.FIRST_DELAY = 0.05

def named(text):
    name, _, code = text.partition(": ")
    return Program(name, [sys.executable, "-uc", code], os.environ, grace=float(grace))

with locked(Path(store)) as lock:
    guard = Guard(lock)
    stages = [[named(text) for text in json.loads(stage)] for stage in stages]
    names = [program.name for stage in stages for program in stage]
    try:
        Supervisor(stages, Output(names), guard).run()
    except InkwellError as error:
        sys.exit(f"Error: {error}")
    finally:
        guard.dismiss()
"""

IMPORTS = "import os, signal, time; "
HELLO = IMPORTS + "print('pid', os.getpid()); "
OBEDIENT = HELLO + "time.sleep(1000)"
STUBBORN = HELLO + "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(1000)"
LAST_WORDS = (
    f"{IMPORTS}signal.signal(signal.SIGTERM, lambda *_: (print('bye'), os._exit(0)));"
    " print('pid', os.getpid()); time.sleep(1000)"
)
# As RQ's worker does with a job: a child that leaves the process group.
PARENT = HELLO + (
    "child = os.fork() or (os.setpgrp(), time.sleep(1000)); print('pid', child); time.sleep(1000)"
)

Supervise = Callable[..., Any]


@pytest.fixture
def supervise(tmp_path: Path, start: Callable[..., Any]) -> Supervise:
    def start_stages(*stages: list[str], grace: float = 60.0) -> Any:
        return start("-c", SUPERVISE, str(tmp_path), str(grace), *map(json.dumps, stages))

    return start_stages


def pids(running: Any, count: int, name: str = "") -> list[int]:
    return [int(pid) for pid in running.wait_for(rf"{name} *\| pid (\d+)", count=count)]


def alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def gone(*numbers: int, seconds: float = 90.0) -> bool:
    return wait_until(lambda: not any(map(alive, numbers)), seconds)


def test_a_process_that_is_killed_is_started_again_and_the_others_go_on(
    supervise: Supervise,
) -> None:
    running = supervise([f"a: {OBEDIENT}", f"b: {OBEDIENT}"])
    (first,), (other,) = pids(running, 1, "a"), pids(running, 1, "b")

    os.kill(first, signal.SIGKILL)

    again = pids(running, 2, "a")[1]
    assert again != first
    assert alive(other)
    assert "The a was ended by SIGKILL; it is started again" in running.text


def test_what_a_dead_process_left_behind_ends_before_it_is_started_again(
    supervise: Supervise,
) -> None:
    running = supervise([f"a: {PARENT}"])
    leader, orphan = pids(running, 2, "a")

    os.kill(leader, signal.SIGKILL)

    pids(running, 3, "a")
    assert not alive(orphan)


def test_ctrl_c_stops_everything_and_ends_with_zero(supervise: Supervise) -> None:
    running = supervise([f"a: {OBEDIENT}"], [f"b: {LAST_WORDS}"])
    numbers = pids(running, 2)

    running.send(signal.SIGINT)

    assert running.wait() == 0
    assert gone(*numbers, seconds=0)
    assert "| bye" in running.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_that_ask_to_end_do_the_same(
    supervise: Supervise, number: signal.Signals
) -> None:
    running = supervise([f"a: {OBEDIENT}"])
    numbers = pids(running, 1)

    running.send(number)

    assert running.wait() == 0
    assert gone(*numbers, seconds=0)


def test_stages_start_in_order_and_stop_in_reverse(supervise: Supervise) -> None:
    running = supervise([f"first: {LAST_WORDS}"], [f"second: {LAST_WORDS}"])
    pids(running, 2)

    running.send(signal.SIGTERM)
    running.wait()

    said = [line.split(" ", 1)[1] for line in running.lines]
    assert [line.split()[0] for line in said] == ["first", "second", "second", "first"]


def test_a_process_that_does_not_end_is_killed_after_its_grace(supervise: Supervise) -> None:
    running = supervise([f"a: {STUBBORN}"], grace=0.2)
    running.wait_for("deaf")
    numbers = pids(running, 1)
    asked = time.monotonic()

    running.send(signal.SIGTERM)

    assert running.wait() == 0
    assert gone(*numbers, seconds=0)
    assert time.monotonic() - asked < 60


def test_a_second_ctrl_c_kills_at_once(supervise: Supervise) -> None:
    running = supervise([f"a: {STUBBORN}"], grace=180.0)
    running.wait_for("deaf")
    numbers = pids(running, 1)
    running.send(signal.SIGINT)
    running.wait_for("Waiting up to")
    asked = time.monotonic()

    running.send(signal.SIGINT)

    assert running.wait() == 0
    assert gone(*numbers, seconds=0)
    assert time.monotonic() - asked < 60


def test_no_orphan_stays_when_the_supervisor_is_killed(supervise: Supervise) -> None:
    running = supervise([f"a: {OBEDIENT}"], [f"b: {PARENT}", f"c: {OBEDIENT}"])
    numbers = pids(running, 4)

    running.send(signal.SIGKILL)

    assert gone(*numbers)


def guard_of(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    (guard,) = [n for n in children if "inkwell.guard" in Path(f"/proc/{n}/cmdline").read_text()]
    return int(guard)


def has_open(pid: int, path: Path) -> bool:
    with suppress(OSError):  # some are closed meanwhile
        return str(path) in [os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir()]
    return False


def test_the_guard_holds_the_store_until_nothing_is_left(
    supervise: Supervise, tmp_path: Path, start: Callable[..., Any]
) -> None:
    running = supervise([f"a: {STUBBORN}"])
    running.wait_for("deaf")
    numbers = pids(running, 1)
    guard = guard_of(running.process.pid)
    os.kill(guard, signal.SIGSTOP)  # until somebody waits for it
    running.send(signal.SIGKILL)
    running.process.wait()

    down = start("-m", "inkwell", "down", environ={"INKWELL_STORE": str(tmp_path)})
    assert wait_until(lambda: has_open(down.process.pid, tmp_path / NAME), 90)
    os.kill(guard, signal.SIGCONT)

    assert down.wait() == 0
    assert down.text == "Stopped.\n"
    assert gone(*numbers, seconds=0)


def test_a_process_that_never_starts_well_stops_everything_with_a_reason(
    supervise: Supervise,
) -> None:
    running = supervise([f"a: {OBEDIENT}"], ["b: print('no port'); raise SystemExit(3)"])
    numbers = pids(running, 1, "a")

    assert running.wait() == 1
    line = "Error: The b ended with code 3, 5 times in a row, at its start"
    assert running.lines[-1].startswith(line)
    assert running.text.count("| no port") == 5
    assert gone(*numbers, seconds=0)


def test_it_goes_on_when_nobody_reads_its_output_any_more(tmp_path: Path) -> None:
    chatty = HELLO + "[(print('tick', n), time.sleep(0.05)) for n in range(1000)]"
    command = [sys.executable, "-c", SUPERVISE, str(tmp_path), "5", json.dumps([f"a: {chatty}"])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        pid = int(running.stdout.readline().split()[-1])

        running.stdout.close()
        time.sleep(0.5)

        assert alive(pid)
        running.terminate()
        assert running.wait(90) == 0
        assert not alive(pid)


def test_killing_a_session_reaches_those_that_left_the_process_group(
    start: Callable[..., Any],
) -> None:
    parent = start("-uc", PARENT)
    parent.wait_for("pid", count=2)
    session = parent.process.pid
    assert len(members(session)) == 2

    kill(session)

    assert members(session) == []
    assert parent.wait() == -signal.SIGKILL
