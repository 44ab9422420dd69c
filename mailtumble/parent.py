"""Processes that must not outlive whoever started them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_WATCH_EVERY_S: Final = 0.5


def die_with(parent: int) -> None:
    """End this process when ``parent``, its parent, ends, however that ends.

    Linux sends the signal by itself (prctl(2), PR_SET_PDEATHSIG), when the *thread* ends that
    started this process; elsewhere a thread looks.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        watch(parent)
    if os.getppid() != parent:  # it ended before anybody watched it
        sys.exit(1)


def watch(parent: int) -> None:
    """The same by a thread that looks: for a parent whose threads come and go (Java's do)."""
    threading.Thread(target=_watch, args=(parent,), daemon=True, name="parent-watch").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_EVERY_S)
    os._exit(1)
