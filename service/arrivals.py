"""What has come of a request, before it is parsed: all of it or not, a quick one or not."""

import io
import re
import socket
import time
from functools import cached_property

from service.bodies import Environ, mimetype
from service.media_types import JSON, OCTETS
from service.plain_requests import plain_environ

GATHERED = 65_536  # bytes of a request that the event loop takes itself
SECONDS_TO_BEGIN = 10.0  # until that many have come, or the whole request
# Bytes of a quick body, some hundred pictures: they take less than the 5 ms after which Python lets
# another thread have its turn.
QUICK = 2**18

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
_CODED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_IN_CHUNKS = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)
_LAST_CHUNK = b"\r\n0\r\n\r\n"
# The client sends its body when it is told to go on, which a thread does.
_EXPECTS = re.compile(rb"\r\nexpect:", re.IGNORECASE)
_ENDS = re.compile(rb"\r\nconnection:[^\r]*close", re.IGNORECASE)


class Arrival:
    """What has come of a request, and until when more of it may come."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.deadline = time.monotonic() + SECONDS_TO_BEGIN
        self.whole = False
        self._head = b""  # with its end
        self._length: int | None = None  # of the body, where it is told

    def add(self, content: bytes, *, more: bool = False) -> bool:
        """Add what came; return whether the event loop waits for no more.

        Of a quick request it waits for `more` than of others. What is wrong in it is found when it
        is parsed.
        """
        self.content += content
        if not self._head and not self._find_head():
            return len(self.content) >= GATHERED
        if self._length is not None:
            self.whole = len(self.content) - len(self._head) >= self._length
        else:
            self.whole = not _IN_CHUNKS.search(self._head) or self.content.endswith(_LAST_CHUNK)
        enough = len(self.content) >= GATHERED and not (more and self.plain)
        return self.whole or enough or bool(_EXPECTS.search(self._head))

    def _find_head(self) -> bool:
        end = self.content.find(_END_OF_HEAD)
        if end < 0:
            return False
        self._head = bytes(self.content[: end + len(_END_OF_HEAD)])
        announced = _LENGTH.search(self._head)
        if announced and not _CODED.search(self._head):
            self._length = int(announced[1])
        return True

    @cached_property
    def plain(self) -> Environ | None:
        """The head of a request that has come, where it is of numbers, and a plain one."""
        quick = self._length is not None and self._length <= QUICK
        return _plain_of_numbers(self._head) if quick else None

    def quick(self) -> Environ | None:
        """Return the head of a request that is whole, and has a few rows of numbers at most."""
        if self.plain is None or len(self.content) - len(self._head) != self._length:
            return None
        if self.plain["CONTENT_TYPE"] != OCTETS and self._may_have_pictures():
            return None
        return self.plain

    def _may_have_pictures(self) -> bool:
        """Tell whether JSON may hold more than its size tells: pictures in base64.

        Their key is written without backslashes in one way only. A single byte is found in a tenth
        of the time of several.
        """
        find, begin = self.content.find, len(self._head)
        if find(b"\\", begin) >= 0:
            return True
        return find(b"b", begin) >= 0 and find(b'"b64"', begin) >= 0

    def body(self) -> bytes:
        """Return what has come of the body, where its length is known."""
        begin = len(self._head)
        return bytes(memoryview(self.content)[begin : begin + (self._length or 0)])

    def goes_on(self) -> bool:
        """Tell whether nothing but this request has come, and its connection outlives it."""
        alone = self.whole and self._length == len(self.content) - len(self._head)
        first_line = self._head.partition(b"\r\n")[0]
        return alone and first_line.endswith(b" HTTP/1.1") and not _ENDS.search(self._head)

    def part(self) -> tuple[bytes, bytes | None]:
        """Return what is to be parsed, and what has come of the body where that need not be."""
        if self._length is None:
            return bytes(self.content), None
        return self._head + self.content[len(self._head) + self._length :], self.body()


def _plain_of_numbers(head: bytes) -> Environ | None:
    """Return a plain head whose body is JSON or octets, None where it is another."""
    environ = plain_environ(head)
    if environ is None or mimetype(environ.get("CONTENT_TYPE", "")) not in (JSON, OCTETS):
        return None
    return environ


class RequestBody(io.RawIOBase):
    """A body of a known length: what came with its head, then the rest, straight from the socket.

    gunicorn's own reader copies a body some eight times.
    """

    def __init__(self, begun: bytes, length: int, client: socket.socket) -> None:
        self._begun = memoryview(begun)
        self._to_come = length - len(begun)
        self._client = client

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read some bytes, none where the body or the connection ends. Raises OSError."""
        if self._begun:
            count = min(len(buffer), len(self._begun))
            buffer[:count] = self._begun[:count]
            self._begun = self._begun[count:]
            return count
        if not self._to_come:
            return 0
        count = self._client.recv_into(buffer, min(len(buffer), self._to_come))
        self._to_come -= count
        return count
