"""Stands in the place of a client's socket while its answer is made."""

import socket
from typing import Any


class Outbox:
    """Keeps what is sent, so that no client holds up who answers; all else the socket does."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._sent: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def sendall(self, content: bytes) -> None:
        """Keep what would have been sent."""
        self._sent.append(content)

    def setblocking(self, blocking: bool) -> None:
        """Do nothing: nothing that is sent here blocks."""

    settimeout = setblocking

    def flush(self) -> bytes:
        """Send at once what the system takes; return the rest. Raises OSError."""
        content = b"".join(self._sent)
        self._client.setblocking(False)
        try:
            return content[self._client.send(content) :]
        except BlockingIOError:
            return content
