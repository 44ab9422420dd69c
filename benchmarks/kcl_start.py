"""Measures how quickly a worker under the KCL begins, and how much memory its JVM takes.

From the start of ``mailtumble worker core --host kcl`` to the first record processed, which is
when the first mail stands in the view ``mails`` (interpreter, Java, leases, child, take-over,
look-up, decision and commit included):

- cold: no lease table, no cursor, a stream of 4 shards with mails on it;
- restart: supervisor, daemon and children have all been killed with -9, mails came meanwhile.

Beside it: until a mail of every shard is processed. After a load of some thousand mails the JVM's
peak resident memory is read (VmHWM). Needs Java. Ends with exit code 1 if a bound does not hold.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from _measure import Table, command, show
from _processes import Worker, peak_mb
from _world import World, worlds

from mailtumble.ports.stream import OutgoingRecord, Shard
from schemas.ids import hash_key

START_BOUND_S: Final = 12.0
MEMORY_BOUND_MB: Final = 512.0
DEFAULTS_S: Final = {"cold lease table": 109.0, "restart after kill -9": 126.0}
"""The KCL's own settings, measured with the same jars until a child is called; then it reads."""
STARTS_WITHIN_S: Final = 60.0
WORKS_OFF_WITHIN_S: Final = 600.0
WAITING: Final = 40
"""Mails that wait for the worker: some on each shard."""


def say(text: str) -> None:
    """Progress, apart from what is printed at the end."""
    print(text, file=sys.stderr, flush=True)


@dataclass(slots=True)
class Starts:
    """For each run the seconds from the start to the first mail, and to a mail of every shard.

    ``cpu_s``: CPU-seconds of all its processes until the first.
    """

    first_s: list[float] = field(default_factory=list)
    all_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Measured:
    """All runs. ``started_mb`` and ``loaded_mb``: the JVMs' peaks before and after the load."""

    starts: dict[str, Starts]
    started_mb: list[float] = field(default_factory=list)
    loaded_mb: list[float] = field(default_factory=list)

    def holds(self) -> bool:
        """Whether every single run keeps the bounds."""
        slowest = max(second for each in self.starts.values() for second in each.first_s)
        most = max(*self.started_mb, *self.loaded_mb)
        return slowest < START_BOUND_S and most <= MEMORY_BOUND_MB


class Run:
    """One world: its worker begins cold, takes a load, is killed and begins again."""

    def __init__(self, world: World, folder: Path, measured: Measured) -> None:
        """The world is fresh: no worker has seen it."""
        self._world = world
        self._folder = folder
        self._measured = measured
        self._shards = world.stream.shards()

    def cold(self, load: int) -> None:
        """Begin on an empty lease table, work the load off, and kill everybody."""
        with self._begin("cold lease table") as worker:
            self._measured.started_mb.append(peak_mb(worker.daemon()))
            if load:
                loaded = self._world.put_mails(load)
                worker.until(
                    lambda: self._all_are_shown(loaded), WORKS_OFF_WITHIN_S, "view of every mail"
                )
                self._measured.loaded_mb.append(peak_mb(worker.daemon()))
            worker.kill()

    def restart(self) -> None:
        """Begin where everybody was killed; end in order."""
        with self._begin("restart after kill -9") as worker:
            self._measured.started_mb.append(peak_mb(worker.daemon()))

    def _begin(self, how: str) -> Worker:
        records = self._world.put_mails(WAITING)
        parts = _by_shard(records, self._shards)
        settings = self._world.wiring.settings
        worker = Worker(
            ["core", "--host", "kcl"],
            self._folder,
            {
                "MAILTUMBLE_PREFIX": settings.prefix,
                "MAILTUMBLE_REGION": settings.region,
                "MAILTUMBLE_KCL_WORKER_ID": "bench",
            },
        )
        try:
            starts = self._measured.starts[how]
            starts.first_s.append(
                worker.until(lambda: self._is_shown(records), STARTS_WITHIN_S, "view of a mail")
            )
            starts.cpu_s.append(worker.cpu_s())
            starts.all_s.append(
                worker.until(
                    lambda: all(self._is_shown(part) for part in parts),
                    STARTS_WITHIN_S,
                    "view of a mail of each shard",
                )
            )
        except BaseException:
            worker.kill()
            raise
        say(f"  {how}: {starts.first_s[-1]:.1f} s, every shard {starts.all_s[-1]:.1f} s")
        return worker

    def _is_shown(self, records: Sequence[OutgoingRecord]) -> bool:
        return self._world.statuses(records)["missing"] < len(records)

    def _all_are_shown(self, records: Sequence[OutgoingRecord]) -> bool:
        return self._world.statuses(records)["missing"] == 0


def _by_shard(
    records: Sequence[OutgoingRecord], shards: Sequence[Shard]
) -> list[list[OutgoingRecord]]:
    parts = [[each for each in records if shard.holds(hash_key(each.subject))] for shard in shards]
    return [part for part in parts if part]


def starts(measured: Measured) -> Table:
    """How quickly, beside the bound and the KCL's own defaults."""
    table = Table(
        "From start to the first mail processed, seconds",
        (
            "start",
            "runs",
            "median",
            "worst",
            "bound",
            "every shard, worst",
            "CPU, median",
            "KCL's defaults",
        ),
    )
    for how, each in measured.starts.items():
        table.rows.append(
            (
                how,
                len(each.first_s),
                median(each.first_s),
                max(each.first_s),
                START_BOUND_S,
                max(each.all_s),
                median(each.cpu_s),
                DEFAULTS_S[how],
            )
        )
    table.notes = (
        "The defaults: until the KCL's first call of a child, the records come seconds later.",
        "CPU: of supervisor, JVM and children until the first mail; where others use the cores, it",
        f"takes longer. Cores here: {os.cpu_count()}, load: {os.getloadavg()[0]:.1f}.",
    )
    return table


def memory(measured: Measured, load: int) -> Table:
    """The JVM's peaks beside the bound."""
    table = Table("The JVM's peak resident memory (VmHWM), MiB", ("when", "runs", "worst", "bound"))
    rows = (("started", measured.started_mb), (f"after {load:,} mails", measured.loaded_mb))
    table.rows += [(when, len(peaks), max(peaks), MEMORY_BOUND_MB) for when, peaks in rows if peaks]
    return table


def main() -> None:
    """Measure and print."""
    parser = command(__doc__)
    parser.add_argument("--runs", type=int, default=5, help="starts of each kind (default: 5)")
    parser.add_argument(
        "--load", type=int, default=5_000, help="mails worked off in the last run (default: 5000)"
    )
    options: argparse.Namespace = parser.parse_args()
    names = [f"run{number}" for number in range(options.runs)]
    measured = Measured({how: Starts() for how in DEFAULTS_S})
    with tempfile.TemporaryDirectory(prefix="mailtumble-bench-") as folder, worlds(*names) as made:
        for world in made:
            say(f"{world.wiring.settings.prefix} of {len(made)}")
            mine = Path(folder) / world.wiring.settings.prefix
            mine.mkdir()
            run = Run(world, mine, measured)
            run.cold(options.load if world is made[-1] else 0)
            run.restart()
    show([starts(measured), memory(measured, options.load)], as_json=options.json)
    if not measured.holds():
        sys.exit("a bound does not hold")


if __name__ == "__main__":
    main()
