"""Redis is lost in six ways: predictions do not notice, jobs say so, then all goes on by itself."""

import contextlib
import signal
import time

import pytest
import redis

from nncore.registry import Registry
from tests.chaos.measures import disturb
from tests.chaos.slow_proxy import SlowProxy
from tests.conftest import publish
from tests.stack import Stack, wait_for

pytestmark = pytest.mark.integration

JOB = {"model": "digits", "dataset": "digits", "epochs": 1}


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """The stack, with a proxy in front of its Redis."""
    running = Stack(tmp_path_factory.mktemp("stack"))
    running.proxy = SlowProxy(running.redis_port)
    running.environ["INKWELL_REDIS_URL"] = f"redis://127.0.0.1:{running.proxy.port}/0"
    publish(Registry(running.store))
    try:
        yield running.start()
    finally:
        running.stop()
        running.proxy.close()


@contextlib.contextmanager
def killed(stack):
    stack.kill("redis")
    yield
    stack.start_redis()


@contextlib.contextmanager
def frozen(stack):
    stack.processes["redis"].send_signal(signal.SIGSTOP)
    yield
    stack.processes["redis"].send_signal(signal.SIGCONT)


@contextlib.contextmanager
def slow(stack):
    stack.proxy.delay = 3.0
    yield
    stack.proxy.delay = 0.0


@contextlib.contextmanager
def full(stack):
    with redis.Redis(port=stack.redis_port) as client:
        client.config_set("maxmemory", "1")
        yield
        client.config_set("maxmemory", "0")


@contextlib.contextmanager
def wiped(stack):
    with redis.Redis(port=stack.redis_port) as client:
        client.flushall()
    yield


@contextlib.contextmanager
def restarted(stack):
    stack.kill("redis", signal.SIGTERM)
    stack.start_redis()
    yield


def posted(stack):
    """Return what a job gets now, and how many seconds that took."""
    started = time.monotonic()
    response = stack.client.post("/api/v1/jobs", json=JOB)
    return response, time.monotonic() - started


@pytest.mark.parametrize("fault", [killed, frozen, slow, full], ids=lambda fault: fault.__name__)
def test_without_redis_predictions_go_on_and_jobs_are_refused_clearly(stack, tell, fault):
    answers = []

    seen = disturb(stack.url, lambda: fault(stack), lambda: answers.append(posted(stack)))

    assert seen.failures == []
    for response, _ in answers:
        assert response.status_code == 503, response.text
        assert response.json()["type"].endswith("queue-unreachable")
        assert response.headers["Retry-After"]
    longest = max(seconds for _, seconds in answers)
    back = goes_on(stack)
    tell(
        f"Redis {fault.__name__}",
        f"{seen}; a job got 503 within {longest:.2f} s; {back:.1f} s afterwards one had trained",
    )


@pytest.mark.parametrize("fault", [wiped, restarted], ids=lambda fault: fault.__name__)
def test_a_redis_that_came_back_is_used_as_it_is(stack, tell, fault):
    seen = disturb(stack.url, lambda: fault(stack))

    assert seen.failures == []
    back = goes_on(stack)
    tell(f"Redis {fault.__name__}", f"{seen}; {back:.1f} s afterwards a job had trained")


def goes_on(stack):
    """Return how many seconds passed until a new job had trained, with nobody's help."""
    started = time.monotonic()
    job = wait_for(lambda: accepted(stack), what="a job that is taken")
    assert stack.wait(job["id"])["status"] == "finished"
    return time.monotonic() - started


def accepted(stack):
    response, _ = posted(stack)
    return response.json() if response.status_code == 202 else None
