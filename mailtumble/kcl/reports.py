"""What a child tells the supervisor: a small file per child, written anew every second."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from mailtumble.worker.web import Pulse, Vitals

EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A child's own account. ``moved_at``: microseconds UTC, of the last finished read."""

    pid: int
    shard: str
    moved_at: int
    lag_ms: int
    tally: Mapping[str, int]
    counters: Mapping[str, int]


def write(folder: Path, report: Report) -> None:
    """Write it in one step, so that nobody reads half of it."""
    draft = folder / f"{report.pid}.draft"
    draft.write_text(json.dumps(asdict(report)), encoding="utf-8")
    draft.replace(folder / f"{report.pid}.json")


def is_alive(pid: int) -> bool:
    """Whether there is such a process of ours."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


class Children:
    """All children of one daemon, as the supervisor sees them."""

    def __init__(self, folder: Path, alive: Callable[[int], bool] = is_alive) -> None:
        """Reports of children that are not ``alive`` are removed; what they counted stays."""
        self._folder = folder
        self._alive = alive
        self._gone: Counter[str] = Counter()
        self.reports: list[Report] = []

    @property
    def pids(self) -> list[int]:
        """The children there are."""
        return [report.pid for report in self.reports]

    def look(self) -> None:
        """Read the reports."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            report = Report(**json.loads(path.read_text(encoding="utf-8")))
            if self._alive(report.pid):
                found.append(report)
            else:
                self._gone.update(report.counters)
                path.unlink()
        self.reports = found

    def tell(self, vitals: Vitals) -> None:
        """Put together what the views show."""
        vitals.pulses = {each.shard: Pulse(each.moved_at, each.lag_ms) for each in self.reports}
        vitals.tallies = {each.shard: each.tally for each in self.reports}
        counters = Counter(self._gone)
        for each in self.reports:
            counters.update(each.counters)
        vitals.counters = dict(counters)
