"""What a child tells the supervisor: a small file per child, written anew every second."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from mailtumble.worker.metrics import Series
from mailtumble.worker.web import Pulse, Vitals

EVERY_S: Final = 1.0

Plain = tuple[str, Sequence[str], float]
"""A series' name, its labels and its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A child's own account of its shard, as :class:`mailtumble.worker.web.Pulse` has it.

    ``counts`` and ``gauges``: what its meter says, as JSON can.
    """

    pid: int
    shard: str
    moved_at: int
    lag_ms: int
    steps: Mapping[str, int]
    awaits: str
    awaits_since: int
    counts: Sequence[Plain]
    gauges: Sequence[Plain]


def plain(values: Mapping[Series, float]) -> list[Plain]:
    """What a meter says, in lists."""
    return [(name, labels, value) for (name, labels), value in values.items()]


def _read(values: Sequence[Plain]) -> dict[Series, float]:
    return {(name, tuple(labels)): value for name, labels, value in values}


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
        self._gone: Counter[Series] = Counter()
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
                self._gone.update(_read(report.counts))
                path.unlink()
        # Where a zombie and its successor tell of one shard, the one that moves has the last word.
        self.reports = sorted(found, key=lambda each: each.moved_at)

    def tell(self, vitals: Vitals) -> None:
        """Put together what the views show: counters summed, a gauge as its child says."""
        vitals.pulses = {
            each.shard: Pulse(
                each.moved_at,
                each.lag_ms,
                dict(each.steps),
                awaits=each.awaits,
                awaits_since=each.awaits_since,
            )
            for each in self.reports
        }
        counts = Counter(self._gone)
        gauges: dict[Series, float] = {}
        for each in self.reports:
            counts.update(_read(each.counts))
            gauges.update(_read(each.gauges))
        vitals.meter.take(counts, gauges)
