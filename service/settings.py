"""The service's settings, read from the environment once, at the start."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nncore import telemetry
from nncore.logs import FORMATS
from nncore.object_store import Store, open_store

# What a large upload may still send before the connection is closed on it: a client that writes
# its whole body before it reads would otherwise see a reset instead of the answer.
DRAIN_BYTES = 256 * 2**20


class SettingsError(ValueError):
    """A variable of the environment holds what it must not."""


@dataclass(frozen=True)
class Settings:
    """What the service's processes need to know; the README's table says what each is for."""

    store: Store = Path("var")
    redis_url: str = "redis://127.0.0.1:6379/0"
    queue: str = "training"
    model: str = "digits"
    host: str = "127.0.0.1"
    port: int = 8000
    web_workers: int = 1
    web_threads: int = 8
    admin_token: str | None = None
    predict_token: str | None = None
    max_body_mb: int = 64
    max_rows: int = 10_000
    max_streams: int = 16
    max_waiting: int = 256
    drain_seconds: int = 0
    log: str = "text"
    fast_path: str = "on"
    spans: bool = False

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; an empty variable counts as unset. Raises SettingsError."""
        given = {key: value for key, value in environ.items() if value}
        return cls(
            store=_store(given),
            redis_url=given.get("INKWELL_REDIS_URL", cls.redis_url),
            queue=given.get("INKWELL_QUEUE", cls.queue),
            model=given.get("INKWELL_MODEL", cls.model),
            host=given.get("INKWELL_HOST", cls.host),
            port=_count(given, "INKWELL_PORT", cls.port, at_most=65_535),
            web_workers=_count(given, "INKWELL_WEB_WORKERS", len(os.sched_getaffinity(0))),
            web_threads=_count(given, "INKWELL_WEB_THREADS", cls.web_threads),
            admin_token=given.get("INKWELL_ADMIN_TOKEN"),
            predict_token=_token(given, "INKWELL_PREDICT_TOKEN"),
            max_body_mb=_count(given, "INKWELL_MAX_BODY_MB", cls.max_body_mb),
            max_rows=_count(given, "INKWELL_MAX_ROWS", cls.max_rows),
            max_streams=_count(given, "INKWELL_MAX_STREAMS", cls.max_streams),
            max_waiting=_count(given, "INKWELL_MAX_WAITING", cls.max_waiting),
            drain_seconds=_count(
                given, "INKWELL_DRAIN_SECONDS", cls.drain_seconds, at_least=0, at_most=20
            ),
            log=_choice(given, "INKWELL_LOG", cls.log, FORMATS),
            fast_path=_choice(given, "INKWELL_FAST_PATH", cls.fast_path, ("on", "off")),
            spans=telemetry.wanted(given),
        )


def _store(given: Mapping[str, str]) -> Store:
    """Return the store. With one that is a bucket there is no safe place to make a token in."""
    try:
        store = open_store(given.get("INKWELL_STORE", "var"), given.get("INKWELL_CACHE"))
    except ValueError as error:
        raise SettingsError(f"INKWELL_STORE: {error}.") from None
    if not isinstance(store, Path) and not given.get("INKWELL_ADMIN_TOKEN", "").strip():
        raise SettingsError(
            "INKWELL_ADMIN_TOKEN: set one. The service makes one only in a store that is a folder: "
            "who may read a bucket need not be who may change things."
        )
    return store


def _token(given: Mapping[str, str], name: str) -> str | None:
    """Return a token without the line end of its file. One of blanks would open what is shut."""
    token = given.get(name)
    if token is not None and not token.strip():
        raise SettingsError(f"{name}: expected a token; got {token!r}. Unset it, or set one.")
    return token.strip() if token else None


def _choice(given: Mapping[str, str], name: str, default: str, known: Sequence[str]) -> str:
    chosen = given.get(name, default)
    if chosen not in known:
        raise SettingsError(f"{name}: expected {' or '.join(known)}; got {chosen!r}.")
    return chosen


def _count(
    given: Mapping[str, str],
    name: str,
    default: int,
    *,
    at_least: int = 1,
    at_most: int = 1_000_000,
) -> int:
    text = given.get(name, str(default))
    if not text.isdecimal() or not text.isascii() or not at_least <= int(text) <= at_most:
        expected = f"a whole number from {at_least} to {at_most}"
        raise SettingsError(f"{name}: expected {expected}; got {text!r}.")
    return int(text)
