"""A worker's many threads share few heaps, of which none keeps much."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mailtumble.worker.heaps import HEAPS_MAX, keep_few_heaps

pytestmark = pytest.mark.programs

THREADS = """
import ctypes, sys, threading
from mailtumble.worker.heaps import keep_few_heaps

if sys.argv[1] == "few":
    keep_few_heaps()
together = threading.Barrier(6)


def work():
    held = bytearray(50_000)
    together.wait()
    del held


threads = [threading.Thread(target=work) for _ in range(6)]
for each in threads:
    each.start()
for each in threads:
    each.join()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


def _heaps(how: str) -> int:
    ran = subprocess.run(
        [sys.executable, "-c", THREADS, how], capture_output=True, text=True, check=True
    )
    return ran.stdout.count("<heap nr=")


def test_threads_share_two_heaps() -> None:
    """Without it each of a few threads has one; elsewhere than on Linux nothing is done."""
    if sys.platform != "linux":
        keep_few_heaps()
        return
    assert _heaps("few") <= HEAPS_MAX
    assert _heaps("many") > HEAPS_MAX
