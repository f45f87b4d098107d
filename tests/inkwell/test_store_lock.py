import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inkwell.errors import InkwellError
from inkwell.store_lock import AlreadyRuns, locked, stop_holder

HOLD = """
import signal, sys
from pathlib import Path
from inkwell.store_lock import locked
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    signal.sigwait([signal.SIGTERM])
"""


def test_a_store_is_held_once_and_free_again_afterwards(tmp_path: Path) -> None:
    told = rf"process {os.getpid()}.*inkwell down"

    with locked(tmp_path / "var"), pytest.raises(AlreadyRuns, match=told):
        locked(tmp_path / "var").__enter__()

    with locked(tmp_path / "var"):
        pass


def test_a_file_that_a_crash_left_behind_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "inkwell.pid").write_text("1\n")

    assert not stop_holder(tmp_path)
    with locked(tmp_path):
        pass


def test_there_is_nothing_to_stop_where_nothing_was_ever_started(tmp_path: Path) -> None:
    assert not stop_holder(tmp_path / "var")


def test_a_store_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(InkwellError, match="Cannot use the store"):
        locked(tmp_path / "file").__enter__()


@pytest.mark.integration
def test_the_holder_is_stopped_and_waited_for(tmp_path: Path, start: Callable[..., Any]) -> None:
    holder = start("-c", HOLD, str(tmp_path))
    holder.wait_for("locked")

    assert stop_holder(tmp_path)

    assert holder.wait() == 0
    assert not stop_holder(tmp_path)
