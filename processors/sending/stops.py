"""Where SES lets nothing out at all: the fleet stops as one, probes gently, and goes on. Pure.

A stop is of the whole account (paused, suspended, no such configuration set, SES does not answer),
or of one domain that mail goes out from and that SES holds for not verified, or that we may not
send from. Each is told once, when it begins and when it ends; until both stand on the log it is
kept. While it stands one mail at a time is tried, by one sender of the fleet; where GetAccount
itself says that sending is off, not even that: it will say so when it is on again. One that no
mail has tried for an hour has none waiting for it, and is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from processors.sending.lanes import Lane
from schemas.events import Event, SendDeferred, SendUnknown
from schemas.values import HOUR_US, NO_CALL, SECOND_US, DeferReason

ACCOUNT: Final = ""
"""The scope of a stop of everything."""
DISABLED: Final = "GetAccount says that sending is disabled"
PROBE_FIRST_US: Final = 5 * SECOND_US
PROBE_GROWS_MAX: Final = 12
"""The longest wait between two probes, in first waits: a minute after 5 s."""
NEVER: Final = 2**62
UNTRIED_US: Final = HOUR_US
"""Whoever has mail for a stop takes its turn when it comes: for so long nobody had any."""
SILENT_MAX: Final = 10
"""After so many calls in a row that SES has not answered, it is not asked more: each may have been
sent all the same, and has to be cleared up."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing of ``scope`` (a domain, or :data:`ACCOUNT`) leaves since a moment, and why.

    ``probe_at``: when one mail is to be tried next; ``probes``: how many were. Times are
    microseconds UTC. ``over_at``: when it was over (0: it stands); ``told``: whether its begin is
    on the log.
    """

    scope: str
    why: str
    since: int
    probe_at: int
    probes: int = 0
    over_at: int = 0
    told: bool = False

    def probed(self, now: int, first_us: int = PROBE_FIRST_US) -> Stop:
        """Return the stop after one message was tried; the next is tried after twice the wait.

        Args:
            now: microseconds UTC.
            first_us: the wait before the first try, in microseconds.
        """
        wait_us = first_us * min(2 ** min(self.probes + 1, 10), PROBE_GROWS_MAX)
        return replace(self, probes=self.probes + 1, probe_at=now + wait_us)

    def covers(self, lane: Lane) -> bool:
        """Whether mail of this lane is stopped by it."""
        return self.scope in (ACCOUNT, lane.source)


Stops = Mapping[str, Stop]
"""Those that stand, by scope."""


def standing(known: Iterable[Stop]) -> Stops:
    """Those that stand, of all that are kept."""
    return {each.scope: each for each in known if not each.over_at}


def silent(before: int, outcome: Event) -> int:
    """How many calls in a row SES has not answered, ``before`` this outcome and with it."""
    match outcome:
        case SendUnknown():
            return before + 1
        case SendDeferred(reason=DeferReason.NOT_CALLED) | SendDeferred(called_at=0):
            return before
        case SendDeferred(reason=DeferReason.TRANSIENT):
            return before + 1
        case _ if getattr(outcome, "called_at", NO_CALL) == NO_CALL:
            return before
        case _:
            return 0


def whose_sending(scope: str) -> str:
    """The scope of a stop in words."""
    return f"sending from {scope}" if scope else "sending of the whole account"


def covered(stops: Stops, lane: Lane) -> bool:
    """Whether mail of a lane is stopped by any of them."""
    return any(each.covers(lane) for each in stops.values())


def scope_of(reason: DeferReason, source: str) -> str | None:
    """What a refusal of a mail from ``source`` stops; None: nothing."""
    match reason:
        case DeferReason.STOPPED:
            return ACCOUNT
        case DeferReason.UNVERIFIED:
            return source
        case _:
            return None


@dataclass(frozen=True, slots=True)
class TriesSince:
    """Since when a sender would have tried a mail for a stop, if it had had one.

    For a stop of the account, and for those of domains. Microseconds UTC.
    """

    account: int
    domains: int


def idle(stops: Stops, now: int, tries: TriesSince) -> list[Stop]:
    """The stops that nobody has tried a mail for though it was time: none waits for them.

    While the account stands still no domain is tried.
    """
    if ACCOUNT in stops:
        stops = {ACCOUNT: stops[ACCOUNT]}
    since = tries.account if ACCOUNT in stops else tries.domains
    return [each for each in stops.values() if max(each.probe_at, since) + UNTRIED_US <= now]


def begun(
    stops: Stops, scope: str, why: str, now: int, first_us: int = PROBE_FIRST_US
) -> Stop | None:
    """Return the stop that begins now, or None if it or a wider one has already begun.

    Args:
        stops: those that last.
        scope: a domain, or :data:`ACCOUNT`.
        why: SES's reason.
        now: microseconds UTC.
        first_us: the wait before one message is tried, in microseconds.
    """
    if scope in stops or (ACCOUNT in stops and why != DISABLED):
        return None
    probe_at = NEVER if why == DISABLED else now + first_us
    return Stop(scope, why, now, probe_at)


def ended_by(stops: Stops, lane: Lane, called_at: int) -> tuple[Stop, ...]:
    """The stops that are over since SES has accepted a mail of this lane, called at a moment.

    A call that left before the stop says nothing.
    """
    return tuple(
        each
        for each in stops.values()
        if each.covers(lane) and each.why != DISABLED and called_at > each.since
    )


def due_probes(stops: Stops, now: int) -> list[Stop]:
    """The stops for which a mail may be tried now; where the account stands still, no other is.

    There need not be a mail for each: the longest due one must not keep the others waiting.
    """
    if ACCOUNT in stops:
        stops = {ACCOUNT: stops[ACCOUNT]}
    return [each for each in stops.values() if each.probe_at <= now]
