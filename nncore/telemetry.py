"""Whether spans go to an OpenTelemetry collector. Where they do not, none of it is imported."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nncore.spans import Spans

log = logging.getLogger(__name__)

# The names are OpenTelemetry's: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def wanted(environ: Mapping[str, str]) -> bool:
    """Tell whether the environment names a collector, and does not say that nothing is sent."""
    disabled = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    off = disabled or environ.get("OTEL_TRACES_EXPORTER") == "none"
    return not off and any(environ.get(name) for name in ENDPOINTS)


def spans_of(program: str, *, at_once: bool = False) -> "Spans | None":
    """Return what sends a program's spans; None, with a warning, where the SDK is not installed.

    See `nncore.spans.Spans`.
    """
    try:
        from nncore.spans import Spans
    except ModuleNotFoundError as error:
        log.warning("No spans are sent: install inkwell-serving[otel]. (%s)", error)
        return None
    return Spans(program, at_once=at_once)
