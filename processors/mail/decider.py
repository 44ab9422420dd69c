"""One mail, whole: the rooms in their order, as one decider on the mail's subject.

A decision runs the rooms one after the other, each seeing the fact that came in and what the
rooms before it have just decided; what they say travels in one record, so the way from
``MailReceived`` to ``SendScheduled`` is a single decision.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from processors import kernel
from processors.mail.orders import obey
from processors.mail.state import Mail, fold
from processors.moderation import decider as moderation
from processors.moderation.breaker import Breaker
from processors.moderation.rules import Facts, Rule, Verdict, judge_mail
from processors.routing import decider as routing
from processors.sending import decider as sending
from processors.sending.decider import Moment
from schemas.envelope import EventEnvelope
from schemas.events import (
    CommandGiven,
    Event,
    MailCompleted,
    MailHeld,
    RouteDeferred,
    RouteReopened,
    RouteResolved,
    SendHeldBack,
    SendUnknown,
    TargetReopened,
    TimerFired,
)
from schemas.values import DAY_US, Command, Status, TimerKind, UnknownPolicy

DECIDER: Final = "mail"
RULE_VERSION: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the settings say, in so far as decisions depend on it.

    ``rules_digest`` names the version of the file that ``moderation`` was read from; "" for none.
    """

    lifetime_us: int = 3 * DAY_US
    on_unknown: UnknownPolicy = UnknownPolicy.RESEND
    moderation: tuple[Rule, ...] = ()
    rules_digest: str = ""
    breaker: Breaker | None = field(default_factory=Breaker)


def asks(mail: Mail, event: Event) -> tuple[str, ...]:
    """The alias names that the body must look up before :func:`decide`; often none."""
    match event:
        case CommandGiven(command=Command.RETRY) if mail.ended_unrouted:
            return routing.asks(
                replace(mail.route, settled=False), RouteReopened(by="", expires_at=0)
            )
        case _:
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
    moment = _moment(mail, decision_id, now, rules)
    obeyed = obey(mail, fact, moment) if isinstance(fact, CommandGiven) else None
    events: list[Event] = list(obeyed.events) if obeyed else []
    mail = fold(mail, events)
    moment = _moment(mail, decision_id, now, rules)
    todo: list[Event] = [fact, *events]
    routing_rules = routing.RoutingRules(rules.lifetime_us, rules.on_unknown)
    for event in tuple(todo):
        decided = routing.decide(mail.route, event, answer, now=now, rules=routing_rules)
        mail = fold(mail, decided)
        todo.extend(decided)
        events.extend(decided)
    for event in tuple(todo):
        if _is_moot(mail, event):
            continue
        verdict = _verdict(mail, event, answer, rules)
        decided = moderation.decide(mail.moderation, event, verdict, now=now)
        mail = fold(mail, decided)
        todo.extend(decided)
        events.extend(decided)
    for event in todo:
        begins = isinstance(event, RouteResolved | TargetReopened | SendHeldBack)
        if begins and not mail.moderation.lets_pass:
            continue
        decided = sending.decide(mail.sending, event, moment)
        mail = fold(mail, decided)
        events.extend(decided)
    events.extend(_completion(mail))
    if obeyed is not None and isinstance(fact, CommandGiven):
        events.extend(replace(obeyed, events=()).told(fact))
    return tuple(events)


def _moment(mail: Mail, decision_id: str, now: int, rules: Rules) -> Moment:
    received_at = mail.received.received_at if mail.received else now
    return Moment(
        decision_id=decision_id,
        now=now,
        received_at=received_at,
        since=max(received_at, mail.route.expires_at - rules.lifetime_us),
        lifetime_us=rules.lifetime_us,
    )


def _is_moot(mail: Mail, event: Event) -> bool:
    """The moderators' time is over for a mail that does not wait for them: it was parked, say."""
    over = isinstance(event, TimerFired) and event.kind is TimerKind.MODERATION
    return over and not mail.is_held


def _verdict(
    mail: Mail, event: Event, answer: routing.Answer | None, rules: Rules
) -> Verdict | None:
    """What is to be said of the mail because of an event; None: nothing."""
    match event:
        case RouteResolved():
            return _of_route(mail, answer, rules)
        case SendHeldBack(rule=rule, reason=reason):
            held = (rules.breaker or Breaker()).hold(reason)
            return replace(held, rule=rule) if mail.sending.holds(event) else None
        case _:
            return None


def _of_route(mail: Mail, answer: routing.Answer | None, rules: Rules) -> Verdict | None:
    """What the moderation rules say of the mail, and the breaker where they let it pass."""
    received = mail.received
    if received is None or not isinstance(answer, routing.Found):
        return None
    facts = Facts(
        envelope_sender=received.envelope_sender,
        recipient=received.recipient,
        size_bytes=received.size_bytes,
        verdicts=received.verdicts,
        moderated=answer.moderated,
        headers=answer.headers,
    )
    verdict = judge_mail(rules.moderation, facts)
    if rules.breaker is not None:
        verdict = rules.breaker.judge(verdict, answer.of_alias, answer.of_source)
    return replace(verdict, rules_digest=rules.rules_digest)


def _completion(mail: Mail) -> tuple[Event, ...]:
    if mail.completed:
        return ()
    ended = (Status.UNROUTABLE, Status.EXPIRED, Status.REJECTED)
    if not mail.sending.targets and mail.unrouted in ended:
        return (MailCompleted(ended={str(mail.unrouted): 1}),)
    return sending.completion(mail.sending)


def timers(record: EventEnvelope) -> tuple[kernel.Timer, ...]:
    """What becomes due because of an accepted record."""
    due: list[kernel.Timer] = []
    for event in record.events:
        match event:
            case RouteDeferred(number=number, retry_at=at):
                due.append(kernel.Timer(record.subject, TimerKind.LOOKUP, "", number, at))
            case MailHeld(expires_at=at):
                due.append(kernel.Timer(record.subject, TimerKind.MODERATION, "", 0, at))
            case SendUnknown(attempt_id=attempt, round=number, decide_at=at):
                due.append(kernel.Timer(record.subject, TimerKind.UNKNOWN, attempt, number, at))
            case _:
                pass
    return tuple(due)
