"""A store that is no folder: the objects of a bucket, S3's or a like server's, Google's, Azure's.

All that is asked of a bucket is here: to read, to write what was absent, to replace what was not
changed meanwhile, to list in the order of the keys. Who may do so, and where a server is that is
like S3, obstore reads from the variables that each cloud has for it (``AWS_ACCESS_KEY_ID``,
``AWS_ENDPOINT_URL`` …).
"""

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from nncore.cache import Cache

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

SCHEMES = ("s3", "gs", "az")
AT_ONCE = 16  # requests of one that reads many objects

# Unencrypted only where a server's own address says so. A server that is away must be known soon:
# whoever asked it can go on without, or try again later.
CLIENT: "ClientConfig" = {
    "allow_http": True,
    "connect_timeout": timedelta(seconds=2),
    "read_timeout": timedelta(seconds=10),
    "timeout": timedelta(seconds=60),
}
RETRIES: "RetryConfig" = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=5),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=1),
        "base": 2,
    },
}


class Tag(NamedTuple):
    """Which content of an object was read: that of a later one is another."""

    e_tag: str | None
    version: str | None


class _Clients:
    """The connected buckets of this process, by address."""

    owner: int | None = None
    by_url: dict[str, Any] = {}  # noqa: RUF012 - shared on purpose


@dataclass(frozen=True)
class ObjectStore:
    """The store at `url`, a bucket and perhaps a prefix in it; copies are kept in `cache`.

    Every method raises OSError where the server is away or refuses, and what reads
    FileNotFoundError where there is no such object.
    """

    url: str
    cache: Path

    def read(self, key: str) -> bytes:
        """Return an object's content."""
        return self.read_tagged(key)[0]

    def read_tagged(self, key: str) -> tuple[bytes, Tag]:
        """Return an object's content, and the tag with which to `replace` it."""
        with self._errors():
            found = self._client().get(key)
            return bytes(found.bytes()), Tag(found.meta["e_tag"], found.meta["version"])

    def read_immutable(self, key: str, sha256: str | None = None) -> bytes:
        """Return the content of an object that never changes: a copy of it, where there is one.

        A copy that has another SHA-256 than it must have is thrown away.
        """
        name, cache = sha256 or self._name(key), Cache(self.cache)
        content = cache.get(name)
        if content is None or (sha256 and hashlib.sha256(content).hexdigest() != sha256):
            content = self.read(key)
            cache.put(name, content)
        return content

    def read_all(self, keys: Sequence[str]) -> list[bytes]:
        """Return the contents of objects that never change."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(self.read_immutable, keys))

    def read_or_last(self, key: str) -> bytes:
        """Return an object's content; where the server is away, what was read here last."""
        name, cache = self._name(key), Cache(self.cache)
        try:
            content = self.read(key)
        except FileNotFoundError:
            cache.remove(name)
            raise
        except OSError:
            kept = cache.get(name)
            if kept is None:
                raise
            return kept
        if cache.get(name) != content:
            cache.put(name, content)
        return content

    def tag(self, key: str) -> str | None:
        """Return what changes with an object's content, None where there is no such object."""
        try:
            with self._errors():
                return str(self._client().head(key)["e_tag"])
        except FileNotFoundError:
            return None

    def write(self, key: str, content: bytes) -> None:
        """Put an object, whatever was there."""
        with self._errors():
            self._client().put(key, content)

    def create(self, key: str, content: bytes) -> bool:
        """Put an object where there is none; tell whether there was none."""
        return self._put_if(key, content, "create")

    def replace(self, key: str, content: bytes, tag: Tag) -> bool:
        """Put an object in the place of what was read with `tag`; tell whether it still was."""
        known = {name: value for name, value in tag._asdict().items() if value is not None}
        return self._put_if(key, content, known)

    def remove(self, keys: Sequence[str]) -> None:
        """Remove objects, those that there are."""
        for key in keys:
            with self._errors():
                self._client().delete(key)

    def keys(self, prefix: str, after: str | None = None) -> Iterator[str]:
        """Yield the keys below ``prefix/``, ascending, only those behind `after`; page by page."""
        with self._errors():
            for page in self._client().list(prefix, offset=after):
                yield from (found["path"] for found in page)

    def ages(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Yield the keys below ``prefix/``, and how many seconds ago each object was put."""
        now = datetime.now(UTC)
        with self._errors():
            for page in self._client().list(prefix):
                yield from (
                    (found["path"], (now - found["last_modified"]).total_seconds())
                    for found in page
                )

    def names(self, prefix: str, suffix: str = "") -> list[str]:
        """Return what lies directly below ``prefix/``: folders, or objects with a suffix."""
        with self._errors():
            found = self._client().list_with_delimiter(prefix)
        paths = [one["path"] for one in found["objects"]] if suffix else found["common_prefixes"]
        names = [path.rstrip("/").rpartition("/")[2] for path in paths]
        return sorted(name.removesuffix(suffix) for name in names if name.endswith(suffix))

    def _put_if(self, key: str, content: bytes, mode: str | Mapping[str, str]) -> bool:
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with self._errors():
            try:
                self._client().put(key, content, mode=mode)
            except (AlreadyExistsError, PreconditionError):
                return False
        return True

    def _name(self, key: str) -> str:
        return hashlib.sha256(f"{self.url}/{key}".encode()).hexdigest()

    def _client(self) -> Any:
        """Return the bucket, connected in this process.

        Raises
        ------
        RuntimeError
            In a process that was forked from one that has asked a bucket: obstore's threads are
            gone there, and it would wait for them for ever.
        """
        # Here, so that only who has such a store loads the library.
        from obstore.store import from_url

        if _Clients.owner not in (None, os.getpid()):
            raise RuntimeError("This process was forked from one that had asked a bucket already.")
        _Clients.owner = os.getpid()
        if self.url not in _Clients.by_url:
            client = from_url(self.url, client_options=CLIENT, retry_config=RETRIES)
            _Clients.by_url[self.url] = client
        return _Clients.by_url[self.url]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise what obstore raises as OSError."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (FileNotFoundError, BaseError) as error:
            raise self._told(error) from None

    def _told(self, error: Exception) -> OSError:
        from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

        if "NoSuchBucket" in str(error):
            return OSError(errno.ENODEV, f"There is no bucket {self.url}")
        line = str(error).partition("\n")[0].strip()[:500]
        if isinstance(error, FileNotFoundError):
            return FileNotFoundError(errno.ENOENT, line)
        if isinstance(error, PermissionDeniedError | UnauthenticatedError):
            return PermissionError(errno.EACCES, f"{self.url} lets nobody in: {line}")
        return OSError(errno.EHOSTUNREACH, f"{self.url} cannot be reached: {line}")


Store = Path | ObjectStore


def open_store(text: str, cache: str | None = None) -> Store:
    """Return the store that a setting names, a folder or an address.

    The copies of a bucket's objects are kept in `cache`, else in the user's own cache.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if "://" not in text:
        return Path(text).absolute()
    parts = urlsplit(text)
    if parts.scheme not in SCHEMES or not parts.netloc:
        known = ", ".join(f"{scheme}://bucket/prefix" for scheme in SCHEMES)
        raise ValueError(f"expected a folder, or one of {known}; got {text!r}")
    folder = Path(cache) if cache else Path.home() / ".cache" / "inkwell"
    return ObjectStore(text.rstrip("/"), folder.absolute())
