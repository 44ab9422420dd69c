"""How much memory a process of many threads keeps that it has freed."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_M_ARENA_MAX: Final = -8
"""mallopt(3)."""
HEAPS_MAX: Final = 2


def keep_few_heaps() -> None:
    """Let all threads share two heaps; to be called before they are started.

    glibc gives them heaps of their own, eight for each core, and each keeps what was freed in it:
    mails of 50 KB left a sender 16 MB larger (benchmarks/burst.py). Nothing happens elsewhere.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_M_ARENA_MAX, HEAPS_MAX)
