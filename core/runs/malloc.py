"""Memory that one batch frees stays with the process for the next."""

from __future__ import annotations

import ctypes
import sys

# Parameters of glibc's mallopt(3).
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> bool:
    """Tell glibc not to give freed blocks back to the system; whether that could be told.

    By default every feature map of some megabytes is mapped afresh and unmapped again, and filling
    it costs a page fault for every 4 KiB: a seventh of the time of rendering 32 images of 64 pixels,
    a quarter for 64 images (docs/benchmarks.md). It acts on the whole process, so it is for workers
    and the command line, not for importing programs.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 64 * 2**20))
    taken = [mallopt(parameter, value) == 1 for parameter, value in settings]
    return all(taken)
