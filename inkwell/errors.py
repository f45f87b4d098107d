"""The base of every error that a person reads as one line."""


class InkwellError(Exception):
    """Something that the person can act on; the command line prints it without a traceback."""
