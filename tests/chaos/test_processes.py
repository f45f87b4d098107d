"""Processes of the service are killed again and again, under load."""

import os
import random
import signal
import time

import pytest

from tests.chaos.measures import SECONDS
from tests.load import Load, RetryingLoad
from tests.stack import children, wait_for

pytestmark = pytest.mark.integration

CLIENTS = 4


def test_a_killed_process_costs_only_what_it_had_in_hand(stack, tell):
    master = stack.processes["service"].pid
    killed = 0
    with Load(stack.url, clients=CLIENTS) as load, RetryingLoad(stack.url, clients=1) as retrying:
        for _ in range(max(int(SECONDS), 3)):
            time.sleep(1)
            # On a busy machine it may be a while until the arbiter has put others in their place.
            there = wait_for(lambda: children(master), what="a process of the service")
            os.kill(random.choice(there), signal.SIGKILL)
            killed += 1
        wait_for(lambda: len(children(master)) == 2, what="all processes")
        time.sleep(1)

    # A client has one request in hand at a time; one that comes while no process is there waits.
    assert len(load.failures) <= killed * CLIENTS, load.failures
    assert retrying.failures == []
    assert load.answered > killed
    assert retrying.answered > killed
    tell(
        "a gunicorn process killed each second",
        f"{killed} killed; of {load.answered:,} predictions {len(load.failures)} failed, "
        f"of {retrying.answered:,} by a client that retries none; "
        f"longest time without an answer {load.longest:.1f} s",
    )
