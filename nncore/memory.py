"""How the C library's allocator treats large arrays."""

import ctypes

# Parameters of mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8

KEPT = 256 * 2**20  # bytes
LARGEST = 32 * 2**20  # bytes: glibc's own limit for the threshold on 64 bits


def keep_freed_memory(kept: int = KEPT) -> None:
    """Let this process keep what large arrays leave, at most `kept` bytes, for the next ones.

    Otherwise glibc gives it back to the system in each step of training, and every page of the
    next step's arrays has to be mapped and cleared anew: that is half of the time of a network
    with convolutions. Where the C library has no ``mallopt`` nothing is done.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(M_ARENA_MAX, 1)  # arenas of threads give back at once, whatever the threshold
    mallopt(M_MMAP_THRESHOLD, LARGEST)
    mallopt(M_TRIM_THRESHOLD, kept)
