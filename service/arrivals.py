"""What has come of a request, before it is parsed: all of it or not, a quick one or not."""

import io
import re
import socket
import time
from functools import lru_cache
from typing import NamedTuple

from service.bodies import Environ, mimetype
from service.media_types import JSON, OCTETS
from service.plain_requests import plain_environ

GATHERED = 65_536  # bytes of a request that the event loop takes itself
SECONDS_TO_BEGIN = 10.0  # until that many have come, or the whole request
# Bytes of a quick body, some hundred pictures: they take less than the 5 ms after which Python lets
# another thread have its turn.
QUICK = 2**18

_END_OF_HEAD = b"\r\n\r\n"
# Never refused: who asks would take a service that is busy for a dead one.
_PROBES = (b"GET /livez ", b"GET /readyz ")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
_CODED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_IN_CHUNKS = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)
_LAST_CHUNK = b"\r\n0\r\n\r\n"
_EXPECTS = re.compile(rb"\r\nexpect:", re.IGNORECASE)
_ENDS = re.compile(rb"\r\nconnection:[^\r]*close", re.IGNORECASE)


class Head(NamedTuple):
    """What the head of a request tells of the rest."""

    length: int | None  # of the body, where it is told
    in_chunks: bool
    expects: bool  # to be told to go on before the body is sent, which a thread does
    ends: bool  # its connection, after the answer
    probe: bool
    plain: Environ | None  # of numbers of which few may come; to be copied


_NOTHING = Head(None, in_chunks=False, expects=False, ends=True, probe=False, plain=None)


@lru_cache(64)  # those of a client are alike, and to read one takes longer than a small network
def _told(head: bytes) -> Head:
    announced = None if _CODED.search(head) else _LENGTH.search(head)
    length = int(announced[1]) if announced else None
    return Head(
        length,
        in_chunks=bool(_IN_CHUNKS.search(head)),
        expects=bool(_EXPECTS.search(head)),
        ends=not head.partition(b"\r\n")[0].endswith(b" HTTP/1.1") or bool(_ENDS.search(head)),
        probe=head.startswith(_PROBES),
        plain=_plain_of_numbers(head) if length is not None and length <= QUICK else None,
    )


def can_be_refused(content: bytes | bytearray) -> bool:
    """Tell whether this is one whole request, no probe, which its connection outlives."""
    begin = content.find(_END_OF_HEAD) + len(_END_OF_HEAD)
    head = _told(bytes(content[:begin]))
    return head.length == len(content) - begin and not head.ends and not head.probe


class Arrival:
    """What has come of a request, and until when more of it may come."""

    def __init__(self) -> None:
        self.content: bytes | bytearray = b""  # most come in one part, which is not copied
        self.deadline = time.monotonic() + SECONDS_TO_BEGIN
        self.whole = False
        self._head = _NOTHING
        self._begin = 0  # of the body, where the head has come

    def add(self, content: bytes, *, more: bool = False) -> bool:
        """Add what came; return whether the event loop waits for no more.

        Of a quick request it waits for `more` than of others. What is wrong in it is found when it
        is parsed.
        """
        if isinstance(self.content, bytes) and self.content:
            self.content = bytearray(self.content)
        self.content += content
        if not self._begin and not self._find_head():
            return len(self.content) >= GATHERED
        head = self._head
        if head.length is not None:
            self.whole = len(self.content) - self._begin >= head.length
        else:
            self.whole = not head.in_chunks or self.content.endswith(_LAST_CHUNK)
        enough = len(self.content) >= GATHERED and not (more and head.plain is not None)
        return self.whole or enough or head.expects

    def _find_head(self) -> bool:
        end = self.content.find(_END_OF_HEAD)
        if end < 0:
            return False
        self._begin = end + len(_END_OF_HEAD)
        self._head = _told(bytes(self.content[: self._begin]))
        return True

    def quick(self) -> Environ | None:
        """Return the head of a request that is whole, and has a few rows of numbers at most."""
        if not self._is_alone() or self._head.plain is None:
            return None
        if self._head.plain["CONTENT_TYPE"] != OCTETS and self._may_have_pictures():
            return None
        return dict(self._head.plain)

    def _is_alone(self) -> bool:
        """Tell whether a request has come whose length is told, and nothing behind it."""
        return self._head.length == len(self.content) - self._begin

    def _may_have_pictures(self) -> bool:
        """Tell whether JSON may hold more than its size tells: pictures in base64.

        Their key is written without backslashes in one way only. A single byte is found in a tenth
        of the time of several.
        """
        find, begin = self.content.find, self._begin
        if find(b"\\", begin) >= 0:
            return True
        return find(b"b", begin) >= 0 and find(b'"b64"', begin) >= 0

    def body(self) -> bytes:
        """Return what has come of the body, where its length is known."""
        end = self._begin + (self._head.length or 0)
        return bytes(memoryview(self.content)[self._begin : end])

    @property
    def probe(self) -> bool:
        """Whether it asks how the service is."""
        return self._head.probe

    def part(self) -> tuple[bytes, bytes | None]:
        """Return what is to be parsed, and what has come of the body where that need not be."""
        if self._head.length is None:
            return bytes(self.content), None
        head, behind = self.content[: self._begin], self._begin + self._head.length
        return bytes(head + self.content[behind:]), self.body()


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
