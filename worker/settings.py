"""The worker's settings, read from the environment once, at the start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nncore import telemetry
from nncore.logs import FORMATS
from nncore.object_store import Store, open_store

MAX_COUNT = 1_000_000


class SettingsError(ValueError):
    """A variable of the environment holds what it must not."""


@dataclass(frozen=True)
class Settings:
    """What a worker process needs to know; the README's table says what each is for."""

    store: Store = Path("var")
    redis_url: str = "redis://127.0.0.1:6379/0"
    queue: str = "training"
    mnist_dir: Path | None = None
    keep_last: int | None = None
    keep_best: int = 0
    log: str = "text"
    spans: bool = False

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; an empty variable counts as unset. Raises SettingsError."""
        given = {key: value for key, value in environ.items() if value}
        settings = cls(
            store=_store(given),
            redis_url=given.get("INKWELL_REDIS_URL", cls.redis_url),
            queue=given.get("INKWELL_QUEUE", cls.queue),
            mnist_dir=Path(given["INKWELL_MNIST_DIR"]) if "INKWELL_MNIST_DIR" in given else None,
            keep_last=_count(given, "INKWELL_KEEP_LAST"),
            keep_best=_count(given, "INKWELL_KEEP_BEST") or cls.keep_best,
            log=given.get("INKWELL_LOG", cls.log),
            spans=telemetry.wanted(given),
        )
        if settings.log not in FORMATS:
            raise SettingsError(
                f"INKWELL_LOG: expected {' or '.join(FORMATS)}; got {settings.log!r}."
            )
        return settings


def _store(given: Mapping[str, str]) -> Store:
    try:
        return open_store(given.get("INKWELL_STORE", "var"), given.get("INKWELL_CACHE"))
    except ValueError as error:
        raise SettingsError(f"INKWELL_STORE: {error}.") from None


def _count(given: Mapping[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not text.isdecimal() or not text.isascii() or not 1 <= int(text) <= MAX_COUNT:
        raise SettingsError(f"{name}: expected a number from 1 to {MAX_COUNT:,}; got {text!r}.")
    return int(text)
