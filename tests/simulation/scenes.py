"""Situations that a run has to bring about, or it proves little: how often each occurred."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from schemas.events import (
    AddressSuppressed,
    BounceReceived,
    CommandAnswered,
    ComplaintReceived,
    DeliveryConfirmed,
    Event,
    MailApproved,
    MailHeld,
    MailRejected,
    RouteDeferred,
    RouteNotFound,
    RouteResolved,
    SendAccepted,
    SendDeferred,
    SendFailed,
    SendHeldBack,
    SendingPaused,
    SendRescheduled,
    SendStarted,
    SendSuppressed,
    SendUnknown,
    TargetReopened,
    TimerFired,
)
from schemas.values import Observer, TimerKind
from tests.simulation.evidence import gather

if TYPE_CHECKING:
    from tests.simulation.evidence import Evidence
    from tests.simulation.world import World

SCENES: Final = (
    "void decision",
    "decided again",
    "fact repeated",
    "record quarantined",
    "two answers to one look-up",
    "shard split or merged",
    "feedback before the outcome",
    "feedback after the outcome",
    "outcome after SendUnknown",
    "claim without SendStarted",
    "sent twice in doubt",
    "refused for good",
    "mail unroutable",
    "mail bounced",
    "mail rejected",
    "mail parked",
    "mail expired",
    "mail completed",
    "mail held",
    "held by the breaker",
    "held back before the call",
    "approved",
    "rejected by a moderator",
    "decided by the clock",
    "command refused",
    "address suppressed",
    "send suppressed",
    "paused",
    "send rescheduled",
    "target reopened",
)

_ROUTES = (RouteResolved, RouteNotFound, RouteDeferred)


_PLAIN: Final[dict[type[Event], str]] = {
    MailHeld: "mail held",
    AddressSuppressed: "address suppressed",
    SendHeldBack: "held back before the call",
    SendSuppressed: "send suppressed",
    SendingPaused: "paused",
    SendRescheduled: "send rescheduled",
    TargetReopened: "target reopened",
}


def scenes(world: World) -> Counter[str]:
    """How often each of :data:`SCENES` occurred in a world."""
    evidence = gather(world)
    found: Counter[str] = Counter()
    for tally in world.tallies:
        found["void decision"] += tally.void
        found["decided again"] += tally.decided_again
        found["fact repeated"] += tally.repeated
        found["record quarantined"] += tally.quarantined
    found.update(f"mail {status}" for status in world.statuses().values())
    found["shard split or merged"] += sum(1 for each in world.stream.shards() if each.parents)
    found["refused for good"] += len(world.provider.impossible)
    found["two answers to one look-up"] += _contradictions(evidence)
    found["sent twice in doubt"] += sum(len(each) - 1 for each in evidence.accepted.values())
    _tell(evidence, found)
    found["held by the breaker"] += len(evidence.held_by_breaker())
    found.update(filter(None, map(_order, evidence.events())))
    return found


def _order(event: Event) -> str:
    """What of moderators, operators and addresses an event is an instance of."""
    match event:
        case MailApproved(by=by):
            return "decided by the clock" if by.startswith("the rule") else "approved"
        case MailRejected(by=by) if not by.startswith("the rule"):
            return "rejected by a moderator"
        case CommandAnswered(accepted=False):
            return "command refused"
        case _:
            return _PLAIN.get(type(event), "")


def _contradictions(evidence: Evidence) -> int:
    """Causes that were decided twice, with other answers from outside."""
    answers: dict[str, set[str]] = {}
    for _, envelope in evidence.log:
        route = next((each for each in envelope.events if isinstance(each, _ROUTES)), None)
        if route is not None:
            version = route.alias_version if isinstance(route, RouteResolved) else ""
            answers.setdefault(envelope.id, set()).add(f"{type(route).__name__} {version}")
    return sum(1 for each in answers.values() if len(each) > 1)


def _tell(evidence: Evidence, found: Counter[str]) -> None:
    """What came in which order about the attempts."""
    outcomes: set[str] = set()
    unknown: set[str] = set()
    early: set[str] = set()
    started: set[tuple[str, int]] = set()
    for event in evidence.events():
        match event:
            case SendStarted(attempt_id=attempt, round=number):
                started.add((attempt, number))
            case TimerFired(kind=TimerKind.CLAIM, attempt_id=attempt, number=number):
                found["claim without SendStarted"] += (attempt, number) not in started
            case SendUnknown(attempt_id=attempt):
                unknown.add(attempt)
            case SendAccepted(attempt_id=attempt, observed_by=Observer.CALL):
                found["feedback before the outcome"] += attempt in early
                found["outcome after SendUnknown"] += attempt in unknown
                outcomes.add(attempt)
            case SendDeferred() | SendFailed():
                found["outcome after SendUnknown"] += event.attempt_id in unknown
            case DeliveryConfirmed() | BounceReceived() | ComplaintReceived():
                found["feedback after the outcome"] += event.attempt_id in outcomes
                early.add(event.attempt_id)
            case _:
                pass
