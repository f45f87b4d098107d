import pytest

from jobs.executions import Executions
from jobs.options import JobOptions
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
    """Post a job of its own with the given changes to its configuration."""

    def post(*, priority="normal", **changed):
        config = TrainConfig.from_dict({"model": "digits", "dataset": "digits"} | changed)
        options = JobOptions(priority=priority, force=True)
        return queue.enqueue(config, options, request_id="r").job

    return post
