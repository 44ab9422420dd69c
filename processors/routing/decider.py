"""Routing: look the alias up, wait out an outage of the repository, or say that nobody knows it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from processors.kernel import NO_RETURNS, Returns
from processors.routing.names import names_to_try
from schemas.events import (
    Event,
    MailExpired,
    MailReceived,
    MailRejected,
    RecordQuarantined,
    RecordRedriven,
    RouteDeferred,
    RouteExpired,
    RouteNotFound,
    RouteReopened,
    RouteResolved,
    TimerFired,
)
from schemas.values import ALWAYS, MINUTE_US, SECOND_US, Schedule, Target, TimerKind, UnknownPolicy

TARGETS_MAX: Final = 50
"""An alias with more would make records of more than a few KB; use several aliases."""

RETRY_FIRST_US: Final = 2 * SECOND_US
RETRY_MAX_US: Final = MINUTE_US


@dataclass(frozen=True, slots=True)
class Found:
    """The repository knows the alias.

    ``headers``: those of the mail that rules ask about. ``of_alias``, ``of_source``: what became of
    mails to the alias, and of mails of this mail's sender, as far as the breaker has to know.
    """

    alias: str
    version: int
    tenant: str
    targets: tuple[str, ...]
    moderated: bool = False
    schedule: Schedule = ALWAYS
    headers: tuple[tuple[str, str], ...] = ()
    of_alias: Returns = NO_RETURNS
    of_source: Returns = NO_RETURNS


@dataclass(frozen=True, slots=True)
class NotFound:
    """The repository answered: none of the names has an entry."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The repository did not answer; that says nothing about the alias."""

    reason: str


Answer = Found | NotFound | Unavailable


@dataclass(frozen=True, slots=True)
class Route:
    """The state: what is being looked up, how often that failed, whether it is settled.

    ``parked``: settled only because a record of the mail lies in quarantine. ``expires_at``:
    until when it is looked up, if a person had it reopened. ``alias``: what was found last.
    """

    recipient: str = ""
    received_at: int = 0
    deferrals: int = 0
    settled: bool = False
    parked: bool = False
    expires_at: int = 0
    alias: str = ""


INITIAL: Final = Route()


def evolve(route: Route, event: Event) -> Route:
    """Fold one event; events of other rooms change nothing here."""
    match event:
        case MailReceived(recipient=recipient, received_at=received_at):
            return replace(route, recipient=recipient, received_at=received_at)
        case RouteDeferred(number=number):
            return replace(route, deferrals=number)
        case RouteResolved(alias=alias):
            return replace(route, settled=True, parked=False, alias=alias)
        case RouteNotFound() | RouteExpired() | MailRejected() | MailExpired():
            return replace(route, settled=True, parked=False)
        case RouteReopened(expires_at=at):
            return replace(route, settled=False, parked=False, expires_at=at)
        case RecordQuarantined() if route.recipient and not route.settled:
            # A record of this mail can't be used by some reader: it is parked, and not looked up
            # any more. (Where it is MailReceived that core lacks, a redrive begins anew.)
            return replace(route, settled=True, parked=True)
        case RecordRedriven() if route.parked:
            return replace(route, settled=False, parked=False)
        case _:
            return route


def asks(route: Route, event: Event) -> tuple[str, ...]:
    """The names that the body has to look up before :func:`decide` can answer; often none."""
    match event:
        case MailReceived(recipient=recipient) if not route.settled:
            return names_to_try(recipient)
        case RouteReopened() if not route.settled:
            return names_to_try(route.recipient)
        case RecordRedriven() if route.recipient and (route.parked or not route.settled):
            # Asked both before the event is folded, to gather answers, and after it.
            return names_to_try(route.recipient)
        case TimerFired(kind=TimerKind.LOOKUP, number=number) if (
            not route.settled and number == route.deferrals
        ):
            return names_to_try(route.recipient)
        case _:
            return ()


def decide(
    route: Route, event: Event, answer: Answer | None, *, now: int, rules: RoutingRules
) -> tuple[Event, ...]:
    """React to a received mail and to the timer of a look-up that failed."""
    names = asks(route, event)
    if not names:
        return ()
    match answer:
        case Found(targets=targets) if len(targets) > TARGETS_MAX:
            reason = f"{answer.alias} has {len(targets)} targets; at most {TARGETS_MAX} are allowed"
            return (_again(route, reason, now=now, rules=rules),)
        case Found(targets=()):
            return (RouteNotFound(tried=names),)
        case Found():
            return (
                RouteResolved(
                    alias=answer.alias,
                    alias_version=answer.version,
                    tenant=answer.tenant,
                    targets=tuple(Target(address=each) for each in answer.targets),
                    on_unknown=rules.on_unknown,
                    moderated=answer.moderated,
                    schedule=answer.schedule,
                ),
            )
        case NotFound():
            return (RouteNotFound(tried=names),)
        case Unavailable(reason=reason):
            return (_again(route, reason, now=now, rules=rules),)
        case None:
            return (_again(route, "it was not asked", now=now, rules=rules),)


@dataclass(frozen=True, slots=True)
class RoutingRules:
    """What the settings say about routing. ``lifetime_us`` counts from the mail's receipt."""

    lifetime_us: int
    on_unknown: UnknownPolicy


def _again(
    route: Route, reason: str, *, now: int, rules: RoutingRules
) -> RouteDeferred | RouteExpired:
    number = max(route.deferrals, 0) + 1
    wait_us = min(RETRY_FIRST_US << min(number - 1, 20), RETRY_MAX_US)
    expires_at = max(route.expires_at, route.received_at + rules.lifetime_us)
    if now + wait_us > expires_at:
        return RouteExpired(reason=reason)
    return RouteDeferred(reason=reason, number=number, retry_at=now + wait_us)
