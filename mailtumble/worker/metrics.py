"""What workers measure: the catalogue of metrics, and the meter that a process counts with.

The catalogue is the one place for names: /metrics, CloudWatch and ``docs/reference/metrics.md``
are made from it. A shard's reader counts into its own :class:`Tally`, without a lock; the meter
reads that when it is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock
from typing import Final

Series = tuple[str, tuple[str, ...]]
"""A metric's name, and the values of its labels in their order."""

Source = Callable[[], Mapping[Series, float]]


class Kind(StrEnum):
    """What a value does in time."""

    COUNTER = "counter"
    """Only grows; it begins again at 0 with the process."""
    GAUGE = "gauge"
    """What is so just now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric, by its full name. Prometheus's label ``worker`` comes before ``labels``.

    ``workers`` are those that measure it. ``cloudwatch`` is its name there, in ``unit``; "" for
    those that don't go there. Of a counter CloudWatch is told what came since the last time.
    """

    name: str
    kind: Kind
    meaning: str
    workers: tuple[str, ...]
    labels: tuple[str, ...] = ()
    cloudwatch: str = ""
    unit: str = "Count"

    def of(self, *labels: str) -> Series:
        """The series with these values of the labels."""
        return self.name, labels


def _counter(
    name: str, workers: tuple[str, ...], meaning: str, *labels: str, cloudwatch: str = ""
) -> Metric:
    return Metric(
        name=f"mailtumble_{name}_total",
        kind=Kind.COUNTER,
        meaning=meaning,
        workers=workers,
        labels=labels,
        cloudwatch=cloudwatch,
    )


def _gauge(
    name: str,
    workers: tuple[str, ...],
    meaning: str,
    *labels: str,
    cloudwatch: str = "",
    unit: str = "Count",
) -> Metric:
    return Metric(
        name=f"mailtumble_{name}",
        kind=Kind.GAUGE,
        meaning=meaning,
        workers=workers,
        labels=labels,
        cloudwatch=cloudwatch,
        unit=unit,
    )


CORE: Final = ("core",)
SENDER: Final = ("sender",)
INTAKE: Final = ("intake",)
READERS: Final = (*CORE, *SENDER, "archive")
ALL: Final = (*READERS, *INTAKE)

UPTIME: Final = _gauge("uptime_seconds", ALL, "How long the worker has been running.")
LAG: Final = _gauge(
    "shard_lag_seconds",
    READERS,
    "How far the reading of a shard is behind its newest record; grows while nothing moves.",
    "shard",
    cloudwatch="LagMilliseconds",
    unit="Milliseconds",
)
SILENT: Final = _gauge(
    "shard_silent_seconds", READERS, "How long ago a shard's last read was worked off.", "shard"
)
AWAITS_UPGRADE: Final = _gauge(
    "shard_awaits_upgrade_seconds",
    READERS,
    "How long a shard has been waiting at a record that only a newer release can read; 0 if it does"
    " not wait. After upgrade_wait_s (900 by default) the record is quarantined.",
    "shard",
    cloudwatch="AwaitsUpgradeMilliseconds",
    unit="Milliseconds",
)
RECORDS: Final = _counter("records", READERS, "Records of a shard that were worked off.", "shard")
ACCEPTED: Final = _counter("records_accepted", READERS, "Records that were folded.", "shard")
REPEATED: Final = _counter(
    "records_repeated", READERS, "Records that had been accepted before.", "shard"
)
CONFLICTS: Final = _counter(
    "cursor_conflicts",
    READERS,
    "Lost races: void, a decision that another one was quicker than; fenced, a write that was"
    " refused since another owner has the shard.",
    "shard",
    "kind",
    cloudwatch="CursorConflicts",
)
DECISIONS: Final = _counter(
    "decisions", CORE, "Events that core's deciders have decided, by their name.", "shard", "kind"
)
DECIDED_AGAIN: Final = _counter(
    "decisions_again", CORE, "Decisions that were void and were made again.", "shard"
)
COMMITS: Final = _counter("commits", READERS, "Transactions that went through.", "shard")
RETRIES: Final = _counter(
    "retries",
    READERS,
    "Calls of a shard's work (transactions, reads, appends) that had to be repeated.",
    "shard",
    cloudwatch="Retries",
)
QUARANTINED: Final = _counter(
    "quarantined",
    ALL,
    "Records and messages that were put aside; shard is empty for messages of the queue.",
    "shard",
    cloudwatch="Quarantined",
)
SENDS: Final = _counter("sends", SENDER, "Calls that SES has accepted.", cloudwatch="Sends")
STOPPED: Final = _gauge(
    "sending_stopped",
    SENDER,
    "1 or more while SES lets nothing out: of the account, or of domains that mail goes out from.",
    cloudwatch="SendingStopped",
)
PAUSED: Final = _gauge(
    "sending_paused",
    SENDER,
    "How many things people have paused or drained: the whole fleet, tenants, domains that mail "
    "goes to.",
)
REFUSALS: Final = _counter(
    "refusals",
    SENDER,
    "Calls that SES has refused for now, by reason (throttled, daily_quota, stopped); such a"
    " mail is tried again.",
    "reason",
    cloudwatch="Refusals",
)
DEFERRED: Final = _counter(
    "deferred",
    SENDER,
    "Rounds that ended without an answer of SES that is final, by reason: the refusals, and"
    " not_called.",
    "reason",
    cloudwatch="Deferred",
)
FAILED: Final = _counter(
    "failed", SENDER, "Sends that failed for good, by SES's code.", "code", cloudwatch="Failed"
)
UNKNOWN: Final = _counter(
    "unknown_outcomes", SENDER, "Calls whose answer was lost.", cloudwatch="UnknownOutcomes"
)
QUEUE_DEPTH: Final = _gauge(
    "queue_depth",
    SENDER,
    "Sends that wait on the worker's shards, later ones too; some 2,000 a shard are counted.",
    "shard",
    cloudwatch="QueueDepth",
)
QUEUE_DUE: Final = _gauge(
    "queue_due",
    SENDER,
    "Those of them that are due, and that nobody has paused, nor SES stopped.",
    "shard",
)
QUEUE_OLDEST: Final = _gauge(
    "queue_oldest_due_seconds",
    SENDER,
    "For how long the oldest of these is due.",
    "shard",
    cloudwatch="OldestDueMilliseconds",
    unit="Milliseconds",
)
RATE: Final = _gauge("send_rate_per_second", SENDER, "The rate that the sender aims at.")
RECEIVED: Final = _counter(
    "intake_received", INTAKE, "Messages that intake took off its queue.", cloudwatch="Received"
)
APPENDED: Final = _counter("intake_appended", INTAKE, "Records that intake has appended.")
DEAD_LETTERS: Final = _counter(
    "intake_dead_letters",
    INTAKE,
    "Messages of the dead-letter queue that were put aside.",
    cloudwatch="DeadLetters",
)

VOID: Final = "void"
FENCED: Final = "fenced"

METRICS: Final = (
    UPTIME,
    LAG,
    SILENT,
    AWAITS_UPGRADE,
    RECORDS,
    ACCEPTED,
    REPEATED,
    CONFLICTS,
    DECISIONS,
    DECIDED_AGAIN,
    COMMITS,
    RETRIES,
    QUARANTINED,
    SENDS,
    STOPPED,
    PAUSED,
    REFUSALS,
    DEFERRED,
    FAILED,
    UNKNOWN,
    QUEUE_DEPTH,
    QUEUE_DUE,
    QUEUE_OLDEST,
    RATE,
    RECEIVED,
    APPENDED,
    DEAD_LETTERS,
)
BY_NAME: Final[Mapping[str, Metric]] = {each.name: each for each in METRICS}


@dataclass(slots=True)
class Tally:
    """What a shard's processor has done since it took over: for metrics and for the simulation.

    ``kinds`` are the events decided, by name; ``retries`` the calls that were repeated.
    """

    accepted: int = 0
    void: int = 0
    repeated: int = 0
    quarantined: int = 0
    decided: int = 0
    decided_again: int = 0
    commits: int = 0
    retries: int = 0
    kinds: Counter[str] = field(default_factory=Counter)

    def series(self, shard: str) -> dict[Series, float]:
        """Its counters, for that shard."""
        return {
            ACCEPTED.of(shard): self.accepted,
            CONFLICTS.of(shard, VOID): self.void,
            REPEATED.of(shard): self.repeated,
            QUARANTINED.of(shard): self.quarantined,
            DECIDED_AGAIN.of(shard): self.decided_again,
            COMMITS.of(shard): self.commits,
            RETRIES.of(shard): self.retries,
            **{DECISIONS.of(shard, kind): count for kind, count in self.kinds.copy().items()},
        }


class Meter:
    """The counters and gauges of one process; may be used from any thread."""

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self._lock = Lock()
        self._counts: Counter[Series] = Counter()
        self._gauges: dict[Series, float] = {}
        self._sources: list[Source] = []

    def count(self, metric: Metric, *labels: str, by: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._counts[metric.of(*labels)] += by

    def set(self, metric: Metric, *labels: str, value: float) -> None:
        """Say what is so just now."""
        with self._lock:
            self._gauges[metric.of(*labels)] = value

    def forget(self, shard: str) -> None:
        """The shard is no longer this worker's: its gauges go, what was counted stays."""
        with self._lock:
            self._gauges = {
                (name, labels): value
                for (name, labels), value in self._gauges.items()
                if not (labels and BY_NAME[name].labels[0] == "shard" and labels[0] == shard)
            }

    def take(self, counts: Mapping[Series, float], gauges: Mapping[Series, float]) -> None:
        """Say what others have measured, in place of what was said before."""
        with self._lock:
            self._counts = Counter(counts)
            self._gauges = dict(gauges)

    def watch(self, source: Source) -> None:
        """Read these counters too, from now on."""
        with self._lock:
            self._sources.append(source)

    def counts(self) -> dict[Series, float]:
        """Every counter."""
        with self._lock:
            found: Counter[Series] = Counter(self._counts)
            sources = list(self._sources)
        for source in sources:
            found.update(source())
        return dict(found)

    def gauges(self) -> dict[Series, float]:
        """Every gauge."""
        with self._lock:
            return dict(self._gauges)
