"""What stands behind the question mark of an address."""

from flask import request

from service.problems import Problem

DEFAULT_PAGE = 20
MAX_PAGE = 100


def query_number(name: str, default: int | None, *, at_most: int) -> int | None:
    """Return a positive whole number of the query, or `default`. Raises Problem 422."""
    text = request.args.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= at_most:
        detail = f"?{name}= wants a whole number from 1 to {at_most}; got {text[:80]!r}."
        raise Problem(422, "not-a-number", detail)
    return int(text)


def page_limit() -> int:
    """Return how many rows of a list are wanted. Raises Problem 422."""
    return query_number("limit", DEFAULT_PAGE, at_most=MAX_PAGE) or DEFAULT_PAGE
