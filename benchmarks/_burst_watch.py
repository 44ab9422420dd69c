"""What processes take while they work: CPU time, and memory at its begin, middle, end and most."""

from __future__ import annotations

import contextlib
import os
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
    pss_mb: float = 0.0

    def sample(self) -> None:
        """Look once; a process that has gone keeps its last figures."""
        self.cpu_s = max(self.cpu_s, cpu_s(self.pid) - self.cpu_before_s)
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            self.rss_mb.append(resident_mb(self.pid))

    def finish(self) -> None:
        """Look once more, at what costs more to know, too."""
        self.sample()
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            self.pss_mb = proportional_mb(self.pid)

    @property
    def growth(self) -> float:
        """The RSS at the end, by that in the middle of the time."""
        return self.stage(1.0) / self.stage(0.5)

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
        for each in self.taken.values():
            each.finish()

    def _run(self) -> None:
        while not self._over.wait(SAMPLED_EVERY_S):
            for each in self.taken.values():
                each.sample()


def resident_mb(pid: int) -> float:
    """Resident memory in MB (10**6 bytes), see proc(5)."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def proportional_mb(pid: int) -> float:
    """Memory in MB, with a part of what is shared with others, see proc(5).

    The kernel walks every page for it, and the process can't get new memory meanwhile: of one
    that has gigabytes this is not to be asked while others wait for its answers.
    """
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = re.search(r"^Pss:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * _KB / 1e6 if found else 0.0
