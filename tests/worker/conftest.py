from tests.jobs.conftest import executions, post, queue, redis, server

__all__ = ["executions", "post", "queue", "redis", "server"]
