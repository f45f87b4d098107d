"""Logs: one line an event on standard error, the same form in service and worker."""

import json
import logging
import logging.config
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

FORMATS = ("text", "json")
_FIELDS = "fields"
_bound: ContextVar[dict[str, Any]] = ContextVar("bound", default={})  # noqa: B039 - never changed


def configure(form: str) -> None:
    """Send all log records to standard error, as ``text`` for people or ``json`` for programs."""
    logging.config.dictConfig(dict_config(form))


def dict_config(form: str) -> dict[str, Any]:
    """Return the same as a configuration for `logging.config.dictConfig`."""
    formatter = JsonFormatter if form == "json" else TextFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"level": "INFO", "handlers": ["stderr"]},
    }


def with_fields(**fields: Any) -> dict[str, dict[str, Any]]:
    """Return what to pass as ``extra`` of a log call, so that `fields` stand in the line."""
    return {_FIELDS: fields}


def bind(**fields: Any) -> None:
    """Let `fields`, and no others, stand in every JSON line of this thread from now on.

    They cost nothing that `bound` would cost: for a thread that binds anew before each request.
    """
    _bound.set(fields)


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Let `fields` stand in every JSON line of this thread for a while."""
    before = _bound.set(fields)
    try:
        yield
    finally:
        _bound.reset(before)


class TextFormatter(logging.Formatter):
    """``12:30:01 INFO worker: message key=value``; times are local."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with a traceback where there is one."""
        fields = getattr(record, _FIELDS, {})
        return " ".join([super().format(record), *(f"{k}={v}" for k, v in fields.items())])


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ts (UTC), level, logger, msg, what is bound, the record's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "ts": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
            **_bound.get(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
