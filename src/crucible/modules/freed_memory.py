"""Memory that an update frees stays with the process.

glibc gives large blocks back to the system when they are freed and gets them again, page by page and filled with zeros,
for the next micro-batch: with a small model on a CPU a twentieth of an update.
"""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # the parameters' numbers in glibc's malloc.h
KEPT = 2**30  # bytes: the most that may lie free at the end of the heap
LARGEST = 32 * 2**20  # bytes: the largest block that is taken from the heap; glibc refuses more
AT_ONCE = 64 * 2**20  # bytes: the heap grows by so much


def keep_freed_memory() -> bool:
    """Tells the C library to keep freed memory, where it is glibc; False elsewhere. Numbers do not change."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    settings = {TRIM_THRESHOLD: KEPT, MMAP_THRESHOLD: LARGEST, TOP_PAD: AT_ONCE}
    return mallopt is not None and all(mallopt(name, value) == 1 for name, value in settings.items())
