"""The worker's settings, read from the environment once, at the start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nncore.logs import FORMATS


class SettingsError(ValueError):
    """A variable of the environment holds what it must not."""


@dataclass(frozen=True)
class Settings:
    """What a worker process needs to know; the README's table says what each is for."""

    store: Path = Path("var")
    redis_url: str = "redis://127.0.0.1:6379/0"
    queue: str = "training"
    mnist_dir: Path | None = None
    log: str = "text"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; an empty variable counts as unset. Raises SettingsError."""
        given = {key: value for key, value in environ.items() if value}
        settings = cls(
            store=Path(given.get("INKWELL_STORE", "var")).absolute(),
            redis_url=given.get("INKWELL_REDIS_URL", cls.redis_url),
            queue=given.get("INKWELL_QUEUE", cls.queue),
            mnist_dir=Path(given["INKWELL_MNIST_DIR"]) if "INKWELL_MNIST_DIR" in given else None,
            log=given.get("INKWELL_LOG", cls.log),
        )
        if settings.log not in FORMATS:
            raise SettingsError(
                f"INKWELL_LOG: expected {' or '.join(FORMATS)}; got {settings.log!r}."
            )
        return settings
