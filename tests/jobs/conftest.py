import pytest

from jobs.executions import Executions
from jobs.queue import JobQueue
from jobs.records import connect
from nncore.config import TrainConfig
from tests.stack import Stack

QUEUE = "training"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A running Redis."""
    running = Stack(tmp_path_factory.mktemp("redis"))
    try:
        running.start_redis()
        yield running
    finally:
        running.stop()


@pytest.fixture
def redis(server):
    """A client of an empty Redis."""
    with connect(server.environ["INKWELL_REDIS_URL"]) as client:
        client.flushall()
        yield client


@pytest.fixture
def queue(redis):
    return JobQueue(redis, QUEUE)


@pytest.fixture
def executions(redis):
    return Executions(redis, QUEUE)


@pytest.fixture
def post(queue):
    """Post a job with the given changes to its configuration."""

    def post(*, model="digits", priority="normal", **changed):
        payload = {"model": model, "dataset": "digits", **changed}
        return queue.enqueue(TrainConfig.from_dict(payload), request_id="r", priority=priority)

    return post
