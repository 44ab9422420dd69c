"""What a paced fleet owes to those whose mail it sends, one by one: found, and asked.

In virtual time by the scenes that the tests play (tests/simulation), and with all real processes of
a local stack.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from _burst_run import Load, Outcome, burst
from _measure import Cell

from mailtumble.cli.queue import queue_status
from mailtumble.local.ses.limiters import LIMITERS
from mailtumble.wiring import Wiring
from schemas.values import SECOND_US, UnknownPolicy
from tests.simulation import day, fairness

COLUMNS: Final = ("what", "found", "asked")
SOON_S: Final = 5.0
USED_LEAST: Final = 0.95
ERROR_MOST: Final = 0.1
MAILS: Final = 600
RATE: Final = 50.0
SIZE: Final = 5_000
LOST: Final = 0.02
LOOKS_EVERY_S: Final = 2.0
TELLS_S: Final = 3.0
"""Of a drain that has ended but for this an estimate in whole seconds says nothing."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row. ``asked``: what was asked, in words; None: it is told for what it is worth."""

    what: str
    found: Cell
    asked: str | None = None
    holds: bool = True

    def row(self) -> tuple[Cell, ...]:
        """As the table has it."""
        return self.what, self.found, self.asked


def rules() -> Iterator[Rule]:
    """All of them; some three minutes."""
    yield from _fair()
    yield from _of_a_day()
    for policy in UnknownPolicy:
        for events in (True, False):
            yield from _lost(policy, events=events)
    yield from _told()


def _fair() -> Iterator[Rule]:
    others = fairness.beside_a_campaign(seed=5)
    wait_s = others.waits[len(others.waits) * 99 // 100 - 1] / SECOND_US
    what = f"100 others beside a campaign of {fairness.CAMPAIGN:,} (virtual): 99 leave within, s"
    yield Rule(what, wait_s, f"at most {SOON_S:g}", wait_s <= SOON_S)
    yield Rule(
        "  of the quota used meanwhile, %", 100 * others.used, "95", others.used >= USED_LEAST
    )
    errors = fairness.estimates(seed=7)
    yield _estimate("estimate of that drain (virtual): median error, %", median(errors))


def _estimate(what: str, error: float) -> Rule:
    return Rule(what, 100 * error, f"below {100 * ERROR_MOST:g}", error < ERROR_MOST)


def _of_a_day() -> Iterator[Rule]:
    for limiter in LIMITERS:
        found = day.run(limiter)
        free = day.QUOTA - round(day.QUOTA * day.RESERVE)
        what = f"a daily quota of {day.QUOTA:,} runs out (virtual, {limiter}): sent"
        yield Rule(what, found.sent, f"{free:,}", found.sent == free)
        yield Rule("  refused", found.refused, "0", found.refused == 0)
        soon = found.resumed_s <= SOON_S
        yield Rule("  goes on after the day, s", found.resumed_s, f"at most {SOON_S:g}", soon)


def _lost(policy: UnknownPolicy, *, events: bool) -> Iterator[Rule]:
    """With SES's events every outcome is known in the end; without them the policy decides."""
    environment = {"MAILTUMBLE_ON_UNKNOWN": str(policy)}
    if not events:
        environment |= {"MAILTUMBLE_CONFIGURATION_SET": "", "MAILTUMBLE_UNKNOWN_WAIT_S": "1"}
    with _set(environment):
        unknown_s = 2 if events else 20
        load = Load(mails=MAILS, rate=RATE, size=SIZE, lost=LOST, unknown_s=unknown_s)
        outcome = burst(load)
    stream = outcome.on_stream
    ended = stream.of("MailCompleted").mails | stream.of("SendParked").mails
    doubled = outcome.sent.doubled
    parked = len(stream.of("SendParked").mails)
    unknown = stream.of("SendUnknown").count
    told = "SES's events" if events else "no events"
    what = f"1 reply of 50 lost ({policy}, {told}): outcomes unknown at first"
    # Without one, nothing of what follows would say anything.
    yield Rule(what, unknown, "some", unknown > 0)
    open_ = len(outcome.wanted - ended)
    yield Rule("  mails that have not ended", open_, "0", open_ == 0)
    never = len(outcome.wanted - outcome.sent.mails.keys())
    yield Rule("  mails that SES has not got", never, "0", never == 0)
    yield _some_or_none("  parked", parked, some=policy is UnknownPolicy.PARK and not events)
    again = policy is UnknownPolicy.RESEND and not events
    yield _some_or_none("  sent twice", len(doubled), some=again)
    unmarked = len(doubled - stream.marked)
    yield Rule("  of these not marked as possible duplicates", unmarked, "0", unmarked == 0)
    yield _throttled(outcome)


def _some_or_none(what: str, found: int, *, some: bool) -> Rule:
    """Where SES has mails of which nobody hears, what the policy makes of them; else nothing."""
    return Rule(what, found, "some" if some else "0", bool(found) is some)


def _throttled(outcome: Outcome) -> Rule:
    found = outcome.stats["throttled"]
    return Rule("  throttled by SES", found, "0", found == 0)


@dataclass
class Looks:
    """What ``queue status`` has told while the queue drained: when, and in how many seconds."""

    told: list[tuple[float, float]] = field(default_factory=list)

    def __call__(self, wired: Wiring) -> None:
        """Ask, if it is time."""
        if self.told and time.time() < self.told[-1][0] + LOOKS_EVERY_S:
            return
        eta_s = queue_status(wired)["eta_seconds"]
        if eta_s:
            self.told.append((time.time(), eta_s))

    def errors(self, ended: float) -> list[float]:
        """Shares of the time that it took indeed."""
        took = [(eta_s, ended - at) for at, eta_s in self.told if ended - at > TELLS_S]
        return [abs(eta_s - took_s) / took_s for eta_s, took_s in took]


def _told() -> Iterator[Rule]:
    looks = Looks()
    outcome = burst(Load(mails=2 * MAILS, rate=RATE, size=SIZE, look=looks))
    errors = looks.errors(outcome.sent.at[-1])
    what = f"estimate by queue status, {len(errors)} times in a real drain: median error, %"
    yield _estimate(what, median(errors) if errors else math.inf)
    yield _throttled(outcome)


@contextlib.contextmanager
def _set(environment: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ |= environment
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before
