import pytest

from jobs.executions import Executions
from jobs.options import read_job
from jobs.queue import JobQueue
from jobs.records import connect
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
def post(queue, tmp_path):
    """Post a job of its own with the given changes to its configuration."""

    def post(**changed):
        body = {"model": "digits", "dataset": "digits", "force": True} | changed
        return queue.enqueue(*read_job(body, tmp_path), request_id="r").job

    return post
