"""One mail, whole: the rooms in their order, as one decider on the mail's subject.

A decision runs the rooms one after the other, each seeing the fact that came in and what the
rooms before it have just decided; what they say travels in one record, so the way from
``MailReceived`` to ``SendScheduled`` is a single decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from processors import kernel
from processors.routing import decider as routing
from processors.sending import decider as sending
from schemas.envelope import EventEnvelope
from schemas.events import (
    Event,
    MailCompleted,
    MailReceived,
    RecordQuarantined,
    RecordRedriven,
    RouteDeferred,
    RouteExpired,
    RouteNotFound,
    SendUnknown,
)
from schemas.values import DAY_US, Status, TimerKind, UnknownPolicy

DECIDER: Final = "mail"
RULE_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the settings say, in so far as decisions depend on it."""

    lifetime_us: int = 3 * DAY_US
    on_unknown: UnknownPolicy = UnknownPolicy.RESEND


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """The state of one mail, for its decider and its projection alike."""

    received: MailReceived | None = None
    route: routing.Route = field(default_factory=routing.Route)
    sending: sending.Sending = field(default_factory=sending.Sending)
    unrouted: Status = Status.RECEIVED
    completed: bool = False

    @property
    def status(self) -> Status:
        """That of the least finished target; before there are targets, the mail's own."""
        order = list(Status)
        statuses = [target.status for target in self.sending.targets] or [self.unrouted]
        return min(statuses, key=order.index)


INITIAL: Final = Mail()


def evolve(mail: Mail, event: Event) -> Mail:
    """Fold one event through every room."""
    match event:
        case MailReceived():
            mail = replace(mail, received=event)
        case MailCompleted():
            mail = replace(mail, completed=True)
        case _:
            unrouted = _evolve_unrouted(mail, event)
            if unrouted is not mail.unrouted:
                mail = replace(mail, unrouted=unrouted)
    route = routing.evolve(mail.route, event)
    outgoing = sending.evolve(mail.sending, event)
    if route is mail.route and outgoing is mail.sending:
        return mail
    return replace(mail, route=route, sending=outgoing)


def _evolve_unrouted(mail: Mail, event: Event) -> Status:
    """How a mail stands that has no targets (yet)."""
    match event:
        case RouteDeferred() if not mail.route.settled:
            return Status.DEFERRED
        case RouteNotFound():
            return Status.UNROUTABLE
        case RouteExpired():
            return Status.EXPIRED
        case RecordQuarantined() if not mail.sending.targets and not mail.route.settled:
            return Status.PARKED
        case RecordRedriven() if mail.route.parked:
            return Status.RECEIVED
        case _:
            return mail.unrouted


def fold(mail: Mail, events: Sequence[Event]) -> Mail:
    """Fold several events in their order."""
    for event in events:
        mail = evolve(mail, event)
    return mail


def asks(mail: Mail, event: Event) -> tuple[str, ...]:
    """The alias names that the body must look up before :func:`decide`; often none."""
    return routing.asks(mail.route, event)


def decide(
    mail: Mail,
    fact: Event,
    answer: routing.Answer | None,
    *,
    decision_id: str,
    now: int,
    rules: Rules,
) -> tuple[Event, ...]:
    """What follows from ``fact``, which ``mail`` has folded already.

    Args:
        mail: the state, the deciders' own outputs that are still on their way included.
        fact: an event from outside the decider.
        answer: what the repository said, where :func:`asks` asked.
        decision_id: the id that the record will have; the ids of attempts follow from it.
        now: microseconds UTC.
        rules: from the settings.
    """
    received_at = mail.received.received_at if mail.received else now
    routing_rules = routing.RoutingRules(rules.lifetime_us, rules.on_unknown)
    events = list(routing.decide(mail.route, fact, answer, now=now, rules=routing_rules))
    mail = fold(mail, events)
    for event in (fact, *events):
        decided = sending.decide(
            mail.sending,
            event,
            decision_id=decision_id,
            now=now,
            expires_at=received_at + rules.lifetime_us,
        )
        mail = fold(mail, decided)
        events.extend(decided)
    events.extend(_completion(mail))
    return tuple(events)


def _completion(mail: Mail) -> tuple[Event, ...]:
    if mail.completed:
        return ()
    if not mail.sending.targets and mail.unrouted in (Status.UNROUTABLE, Status.EXPIRED):
        return (MailCompleted(ended={str(mail.unrouted): 1}),)
    return sending.completion(mail.sending)


def timers(record: EventEnvelope) -> tuple[kernel.Timer, ...]:
    """What becomes due because of an accepted record."""
    due: list[kernel.Timer] = []
    for event in record.events:
        match event:
            case RouteDeferred(number=number, retry_at=at):
                due.append(kernel.Timer(record.subject, TimerKind.LOOKUP, "", number, at))
            case SendUnknown(attempt_id=attempt, round=number, decide_at=at):
                due.append(kernel.Timer(record.subject, TimerKind.UNKNOWN, attempt, number, at))
            case _:
                pass
    return tuple(due)
