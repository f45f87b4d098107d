"""W3C Trace Context: which request of a client's a line of the log belongs to.

Source: https://www.w3.org/TR/trace-context/
"""

import os
import re
from typing import NamedTuple

HEADER = "traceparent"
_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NEVER = "ff"  # a version that there is not
_VERSION = "00"


class Trace(NamedTuple):
    """A trace, and the span in it that is under way: hexadecimal digits."""

    trace_id: str
    span_id: str
    flags: str = "00"

    @classmethod
    def begin(cls) -> "Trace":
        """Begin a trace of our own, which nobody has asked to sample."""
        digits = os.urandom(24).hex()
        return cls(digits[:32], digits[32:])

    @classmethod
    def read(cls, header: str) -> "Trace | None":
        """Return what a ``traceparent`` tells, None where it is none."""
        found = _FORM.fullmatch(header.strip())
        if found is None:
            return None
        version, trace_id, span_id, flags, more = found.groups()
        # A later version may tell more; ours must not.
        if version == _NEVER or (version == _VERSION and more):
            return None
        if not trace_id.strip("0") or not span_id.strip("0"):
            return None
        return cls(trace_id, span_id, flags)

    def child(self) -> "Trace":
        """Return a new span of the same trace."""
        return Trace(self.trace_id, _new_span_id(), self.flags)

    def header(self) -> str:
        """Return the ``traceparent`` by which others take up the trace."""
        return f"{_VERSION}-{self.trace_id}-{self.span_id}-{self.flags}"


def continued(header: str) -> Trace:
    """Return a span of the trace that a ``traceparent`` tells of, else of a new one."""
    told = Trace.read(header) if header else None
    return told.child() if told else Trace.begin()


def _new_span_id() -> str:
    return os.urandom(8).hex()
