"""What processes take while they work: CPU time, and memory at its begin, middle, end and most."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from _processes import cpu_s

SAMPLED_EVERY_S: Final = 2.0
_KB: Final = 1024


@dataclass(slots=True)
class Taken:
    """One process: CPU-seconds since the watch began, and samples of its memory in MB."""

    pid: int
    cpu_before_s: float
    cpu_s: float = 0.0
    rss_mb: list[float] = field(default_factory=list)
    pss_mb: list[float] = field(default_factory=list)

    def sample(self) -> None:
        """Look once; a process that has gone keeps its last figures."""
        self.cpu_s = max(self.cpu_s, cpu_s(self.pid) - self.cpu_before_s)
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            rss, pss = memory_mb(self.pid)
            self.rss_mb.append(rss)
            self.pss_mb.append(pss)

    def stage(self, share: float) -> float:
        """The RSS at a share (0 to 1) of the time."""
        return self.rss_mb[min(int(share * len(self.rss_mb)), len(self.rss_mb) - 1)]


class Watch:
    """``with Watch(pids) as watch:`` samples until the block ends."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        """``pids`` by the names to tell the processes by."""
        self.taken = {name: Taken(pid, cpu_s(pid)) for name, pid in pids.items()}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look once more, and stop."""
        self._over.set()
        self._thread.join()
        self._look()

    def _run(self) -> None:
        while not self._over.wait(SAMPLED_EVERY_S):
            self._look()

    def _look(self) -> None:
        for each in self.taken.values():
            each.sample()


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident and proportional memory (MB of 1000 KB) by ``smaps_rollup``, see proc(5)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = dict(re.findall(r"^(Rss|Pss):\s+(\d+) kB$", text, re.MULTILINE))
    return int(found["Rss"]) * _KB / 1e6, int(found["Pss"]) * _KB / 1e6
