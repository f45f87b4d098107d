"""The command line and the Python client: they speak HTTP to the service."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inkwell.async_client import AsyncClient
    from inkwell.client import Client, ServiceError, ServiceUnreachable
    from inkwell.errors import InkwellError
    from inkwell.handle import NotFinished

__all__ = [
    "AsyncClient",
    "Client",
    "InkwellError",
    "NotFinished",
    "ServiceError",
    "ServiceUnreachable",
]

_WHERE = {
    "AsyncClient": "async_client",
    "InkwellError": "errors",
    "NotFinished": "handle",
}


def __getattr__(name: str) -> Any:
    # When it is asked for: the guard and `inkwell --help` need none of it.
    if name not in __all__:
        raise AttributeError(f"module 'inkwell' has no attribute {name!r}")
    return getattr(import_module(f"inkwell.{_WHERE.get(name, 'client')}"), name)
