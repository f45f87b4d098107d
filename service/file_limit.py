"""How many connections a process may have: each is an open file."""

import resource


def most_connections(wanted: int) -> int:
    """Return how many connections this process and its children may have, at most `wanted`.

    As many files again are left to all else. Raises the limit of open files where it is lower and
    the system lets us: many shells begin with 1024.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = 2 * wanted if hard == resource.RLIM_INFINITY else min(2 * wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return files // 2
