"""``python -m worker.health``: exit 0 where Redis answers and a worker of this host is alive."""

import socket
import sys
from datetime import UTC, datetime, timedelta

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Worker

from worker.settings import Settings

# A worker shows itself every 2 s; with Redis away for a while, less often.
STALE = timedelta(seconds=60)


def problem(settings: Settings) -> str | None:
    """Return what is wrong, or None."""
    connection = Redis.from_url(
        settings.redis_url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
    )
    try:
        workers = Worker.all(connection=connection)
    except RedisError as error:
        return f"No Redis at {settings.redis_url}: {error}"
    host = socket.gethostname()
    beats = [worker.last_heartbeat for worker in workers if worker.hostname == host]
    now = datetime.now(UTC)
    if not any(beat and now - beat < STALE for beat in beats):
        return f"No worker on {host} has shown itself for {STALE.seconds} s."
    return None


if __name__ == "__main__":
    found = problem(Settings.from_env())
    if found:
        sys.exit(found)
