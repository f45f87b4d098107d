"""A real S3 server for tests, moto's, asked over HTTP, and a door before it that can be shut."""

import contextlib
import signal
import subprocess
import sys
import time

import httpx

from tests.stack import free_port, wait_for

BUCKET = "inkwell"
# One request at a time: moto looks whether an object is there, then puts it; S3 does both at once.
SERVE = """
import sys
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
run_simple("127.0.0.1", int(sys.argv[1]), DomainDispatcherApplication(create_backend_app))
"""
# What moto holds is gone with its process. The door is what dies in tests: whoever asks meets
# broken and refused connections, as if the server had died, and finds all when it is back.
DOOR = """
import asyncio, sys
async def pass_on(reader, writer):
    try:
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
async def enter(reader, writer):
    there = await asyncio.open_connection("127.0.0.1", int(sys.argv[2]))
    await asyncio.gather(pass_on(reader, there[1]), pass_on(there[0], writer))
async def main():
    async with await asyncio.start_server(enter, "127.0.0.1", int(sys.argv[1])) as server:
        await server.serve_forever()
asyncio.run(main())
"""


class S3Server:
    """An S3 server with one bucket, empty at first."""

    def __init__(self):
        self.port, self._behind = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = {
            "AWS_ACCESS_KEY_ID": "anyone",
            "AWS_SECRET_ACCESS_KEY": "anything",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.url,
        }
        self._server = _run(SERVE, self._behind)
        self.start()
        httpx.put(f"{self.url}/{BUCKET}", timeout=60).raise_for_status()

    def store_url(self, prefix):
        """Return what INKWELL_STORE is to be, so that a store has a prefix of its own."""
        return f"s3://{BUCKET}/{prefix}"

    def keys(self, prefix):
        """Return the keys of all objects below a prefix, as anybody may list them."""
        params = {"list-type": 2, "prefix": prefix}
        found = httpx.get(f"{self.url}/{BUCKET}", params=params, timeout=60)
        parts = found.raise_for_status().text.split("<Key>")[1:]
        return [part.partition("</Key>")[0] for part in parts]

    def start(self):
        """Be there again, with all that was there."""
        self._door = _run(DOOR, self.port, self._behind)
        wait_for(self._answers, what="the S3 server to begin")

    def stop(self):
        """Break off every request, and take none."""
        self._door.kill()
        self._door.wait()

    def freeze(self):
        """Take connections, and never answer."""
        self._door.send_signal(signal.SIGSTOP)

    def thaw(self):
        self._door.send_signal(signal.SIGCONT)

    def end(self):
        self.stop()
        self._server.kill()
        self._server.wait()

    def _answers(self):
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(self.url).status_code < 500
        return False


def blink(server, times, away=0.5):
    """Let the server be away for some seconds, again and again."""
    for _ in range(times):
        time.sleep(1.0)
        server.stop()
        time.sleep(away)
        server.start()


def _run(program, *ports):
    command = [sys.executable, "-c", program, *map(str, ports)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
