"""Inject faults into calls to AWS: a crash before, a crash after, or a lost reply."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from schemas.errors import RetryableError
from schemas.values import SECOND_US
from tests.simulation.scheduler import ProcessDied

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from tests.simulation.scheduler import Process, Scheduler

T = TypeVar("T")

CRASH_BEFORE: Final = "crash before"
CRASH_AFTER: Final = "crash after"
REPLY_LOST: Final = "reply lost"
OUTAGE: Final = "outage"
"""The call fails and has done nothing; to the caller it looks like a lost reply."""

KINDS: Final = (CRASH_BEFORE, CRASH_AFTER, REPLY_LOST, OUTAGE)

SITES: Final = (
    "kinesis append",
    "kinesis put_records",
    "kinesis read",
    "kinesis reader",
    "kinesis shards",
    "dynamodb transact_write_items",
    "dynamodb transact commit",
    "dynamodb transact claim",
    "dynamodb transact drop",
    "dynamodb write cursors",
    "dynamodb write slices",
    "dynamodb get_all slices",
    "dynamodb write fleet",
    "dynamodb get cursors",
    "dynamodb get_all fleet",
    "dynamodb get_all addresses",
    "dynamodb get_all subjects",
    "dynamodb get_all cursors",
    "dynamodb query timers",
    "dynamodb query queue",
    "dynamodb query returns",
    "s3 get",
    "s3 head",
    "s3 put",
    "s3 size",
    "sqs receive",
    "sqs delete",
    "ses send",
    "ses quota",
    "aliases find",
)
"""Every call site of the workers to AWS, by the call and its purpose."""

SELDOM_CALLED: Final = (
    "dynamodb transact drop",
    "dynamodb get_all slices",
    "dynamodb get_all cursors",
    "s3 head",
)

FOCUSES: Final = tuple((site, kind) for site in (*SITES, *SELDOM_CALLED) for kind in KINDS)
"""The site that a seed concentrates on: each in turn, rarely called ones twice."""

FIRST_CHANCE: Final = 0.8
"""The chance of the fault that a seed concentrates on, at its site, until it has occurred there."""
FOCUS_CHANCE: Final = 0.15
"""The chance of any fault at the site that a seed concentrates on; other sites use ``common``."""

LEADS_TO: Final = {"dynamodb transact drop": ("dynamodb transact claim", REPLY_LOST)}
"""Rarely called sites, each with the fault (and its site) that makes the workers call it."""

FROZEN_BEFORE: Final = 0.3
"""By which factor a process is paused less often before a call than after it."""

WAIT_CHANCE: Final = 0.25
"""Most calls answer at once, which keeps a seed quick."""

LATENCY_US: Final = 40_000
STALL_CHANCE: Final = 0.004
STALL_US: Final = 4 * SECOND_US

QUERY_SHARE: Final = 1 / 32
"""A takeover queries every bucket of a shard. If each query met as many faults as other calls,
almost no takeover would succeed."""


@dataclass
class Faults:
    """Draws what befalls a call. ``until``: no more of it after that time.

    ``met`` counts by call site and kind, ``calls`` by call site. ``lag_until``: up to when the
    readers of a kind of worker get nothing, though there is something. ``spared``: whether a kind
    of worker must not die by chance now. ``freezes``: by call site, the chance that the process is
    paused for long (by ``freeze``) before or after the call. ``loses``: by call site, the chance
    that the reply is lost, besides what befalls every site. ``noted`` counts other situations.
    """

    draw: random.Random
    scheduler: Scheduler
    until: int
    common: float
    focus: tuple[str, str]
    met: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    lag_until: dict[str, int] = field(default_factory=dict)
    spared: Callable[[str], bool] = lambda _: False
    freezes: Mapping[str, float] = field(default_factory=dict)
    freeze: Callable[[Process], None] = lambda _: None
    loses: Mapping[str, float] = field(default_factory=dict)
    noted: Counter[str] = field(default_factory=Counter)

    @property
    def calm(self) -> bool:
        """Whether no more faults are injected."""
        return self.scheduler.clock.now() > self.until

    def note(self, situation: str) -> None:
        """Count a situation that no record on the stream shows."""
        self.noted[situation] += 1

    def lag(self, kind: str, lag_us: int) -> None:
        """Let the readers of this kind of worker fall behind."""
        self.lag_until[kind] = self.scheduler.clock.now() + lag_us

    def overlooks(self, site: str) -> bool:
        """Whether this call, one of very many, is spared from faults."""
        if self.draw.random() < QUERY_SHARE:
            return False
        self.calls[site] += 1
        return True

    def call(
        self,
        process: Process,
        site: str,
        apply: Callable[[], T],
        lost: Callable[[str], Exception] = RetryableError,
    ) -> T:
        """Make a call for a process; ``lost`` creates the error that a missing reply looks like."""
        self.calls[site] += 1
        self._wait()
        self._freeze(process, site, FROZEN_BEFORE)
        kind = self._drawn(site)
        if kind == CRASH_BEFORE:
            self._die(process, site, kind)
        if kind == OUTAGE:
            self.met[site, kind] += 1
            raise lost(f"{site}: not now")
        result = apply()
        self._freeze(process, site, 1.0)
        if kind == CRASH_AFTER:
            self._die(process, site, kind)
        self._wait()
        if kind == REPLY_LOST:
            self.met[site, kind] += 1
            raise lost(f"{site}: no reply")
        return result

    def _drawn(self, site: str) -> str | None:
        if self.calm:
            return None
        if self.draw.random() < self.loses.get(site, 0):
            return REPLY_LOST
        wanted, kind = self.focus
        lead, fault = LEADS_TO.get(wanted, ("", ""))
        chance = self.common
        missing = not (self.calls[wanted] if site == lead else self.met[self.focus])
        if missing and site in (wanted, lead):
            if self.draw.random() < FIRST_CHANCE:
                return kind if site == wanted else fault
        elif site == wanted:
            chance = FOCUS_CHANCE
        return self.draw.choice(KINDS) if self.draw.random() < chance else None

    def _freeze(self, process: Process, site: str, share: float) -> None:
        chance = self.freezes.get(site)
        if chance is None or self.calm or self.draw.random() >= chance * share:
            return
        if self.spared(process.kind):
            return
        self.note(f"frozen at {site}")
        self.freeze(process)
        # Whoever is paused comes to this call's end when it is woken up.
        self.scheduler.sleep_until(self.scheduler.clock.now())

    def _wait(self) -> None:
        """Wait for the latency of a call, and rarely for a stall that outlasts deadlines."""
        chance = self.draw.random()
        if chance < WAIT_CHANCE:
            longest = STALL_US if chance < STALL_CHANCE else LATENCY_US
            now = self.scheduler.clock.now()
            self.scheduler.sleep_until(now + int(self.draw.random() * longest))

    def _die(self, process: Process, site: str, kind: str) -> None:
        """Crash the process, unless it is spared now (the effect of the call included)."""
        if self.spared(process.kind):
            return
        self.met[site, kind] += 1
        process.die()
        raise ProcessDied
