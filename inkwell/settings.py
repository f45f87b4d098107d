"""Settings of the command line; the only module of this package that reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from inkwell.errors import InkwellError

# "Listen at every address" is nothing that one can connect to.
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}  # noqa: S104 - compared, never bound


class SettingsError(InkwellError):
    """A setting has a value that it cannot have."""


@dataclass(frozen=True)
class Settings:
    """What the environment says about where the service is and how to start it.

    Where the store is a `bucket`, `store` is the folder of what is this machine's own all the same.
    """

    store: Path = Path("./var")
    bucket: str | None = None
    redis_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    url: str = "http://127.0.0.1:8000"
    admin_token: str | None = field(default=None, repr=False)
    predict_token: str | None = field(default=None, repr=False)
    model: str = "digits"
    environ: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; an empty variable counts as absent.

        Raises
        ------
        SettingsError
            If a value is not of the expected kind.
        """
        host = environ.get("INKWELL_HOST") or cls.host
        port = _port(environ.get("INKWELL_PORT") or str(cls.port))
        store = environ.get("INKWELL_STORE") or str(cls.store)
        bucket = store if "://" in store else None
        return cls(
            store=cls.store if bucket else Path(store),
            bucket=bucket,
            redis_url=environ.get("INKWELL_REDIS_URL") or None,
            host=host,
            port=port,
            url=environ.get("INKWELL_URL") or _address(host, port),
            admin_token=environ.get("INKWELL_ADMIN_TOKEN") or None,
            predict_token=environ.get("INKWELL_PREDICT_TOKEN") or None,
            model=environ.get("INKWELL_MODEL") or cls.model,
            environ=environ,
        )

    @property
    def local_url(self) -> str:
        """Where a service that this machine starts is to be found, whatever INKWELL_URL says."""
        return _address(self.host, self.port)

    @property
    def token_file(self) -> Path:
        """The file in which the service keeps the token that it made itself."""
        return self.store / "admin_token"

    def token(self) -> str | None:
        """Return the admin token, else the one of predictions, with which less can be done.

        The admin token is the one that is set, else the one in the store, which belongs to the
        service of this machine: it is not sent to another.
        """
        return self.admin_token or self._stored_token() or self.predict_token

    def _stored_token(self) -> str | None:
        if self.bucket or not self._url_is_local():
            return None
        try:
            return self.token_file.read_text().strip() or None
        except OSError:
            return None

    def _url_is_local(self) -> bool:
        try:
            host = urlsplit(self.url).hostname or ""
        except ValueError:  # no address at all, as the client will say
            return False
        return is_loopback(host) or host == self.host

    def for_processes(self, redis_url: str) -> dict[str, str]:
        """Return the environment of the processes that `inkwell up` starts."""
        environ = dict(self.environ)
        if mnist := environ.get("INKWELL_MNIST_DIR"):
            # The processes run in another folder, so a relative path would lead elsewhere.
            environ["INKWELL_MNIST_DIR"] = str(Path(mnist).absolute())
        return environ | {
            "INKWELL_STORE": self.bucket or str(self.store.absolute()),
            "INKWELL_REDIS_URL": redis_url,
            "INKWELL_HOST": self.host,
            "INKWELL_PORT": str(self.port),
            "INKWELL_MODEL": self.model,
            "PYTHONUNBUFFERED": "1",  # lines appear when they are written
        }


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this very machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(host: str, port: int) -> str:
    host = ANY_ADDRESS.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= port <= 65535:
        raise SettingsError(f"INKWELL_PORT must be a number from 1 to 65535, got {text!r}")
    return port
