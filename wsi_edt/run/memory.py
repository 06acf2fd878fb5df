"""Memory that was freed goes back to the system."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress


def trim_memory() -> None:
    """Give what was freed back, where the C library is glibc: of itself it keeps up to 100 MiB after large pictures."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL("libc.so.6").malloc_trim(0)
