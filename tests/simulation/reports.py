"""What senders reported, held against what they had claimed and what SES did."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from schemas.events import (
    BounceReceived,
    ComplaintReceived,
    DeliveryConfirmed,
    DeliveryDelayed,
    Event,
    SendAccepted,
    SendCancelled,
    SendDeferred,
    SendExpired,
    SendFailed,
    SendRejected,
    SendStarted,
    SendSuppressed,
    SendUnknown,
)
from schemas.ids import derive
from schemas.values import SECOND_US, DeferReason, Observer
from tests.simulation.conduct import Conduct
from tests.simulation.evidence import attempt_of
from tests.simulation.readings import Readings
from tests.simulation.witness import Answered, Called

if TYPE_CHECKING:
    from tests.simulation.evidence import Evidence
    from tests.simulation.world import World

PUBLISHED: Final[dict[str, type[Event]]] = {
    "Delivery": DeliveryConfirmed,
    "DeliveryDelay": DeliveryDelayed,
    "Bounce": BounceReceived,
    "Complaint": ComplaintReceived,
    "Reject": SendRejected,
}
"""SES's kinds of events, and what each is on the log; "Send" is an acceptance it has observed."""

TOLD_WITHIN_US: Final = 30 * SECOND_US

ENDS: Final[dict[type[Event], str]] = {
    SendCancelled: "cancelled",
    SendExpired: "over",
    SendSuppressed: "suppressed",
}
"""Ends without a call, and the reason that each has to have."""


def misconduct(world: World, evidence: Evidence, log: Readings) -> list[str]:
    """Complain about everything that a sender did against the rules."""
    conduct = Conduct(world, log)
    conduct.read()
    return [
        *conduct.complaints,
        *_claims(conduct, evidence),
        *_calls(world, conduct, evidence),
        *_untrue(world, evidence),
        *_untold(world, evidence),
        *_unheard(world, evidence),
    ]


def _claims(conduct: Conduct, evidence: Evidence) -> list[str]:
    """A claim leads to a call only where the attempt may leave, to an end only where it must."""
    started: set[tuple[str, int, str]] = set()
    given_up: dict[str, Event] = {}
    for _, record in evidence.log:
        for event in record.events:
            if isinstance(event, SendStarted):
                started.add((event.attempt_id, event.round, event.owner))
            elif type(event) in ENDS and not record.is_decision:
                given_up[record.id] = event
    complaints = [
        f"sent: {claim.name} was announced by {claim.owner}: {claim.why}"
        for claim in conduct.claims
        if (claim.name, claim.round, claim.owner) in started and claim.why
    ]
    reasons: dict[str, set[str]] = defaultdict(set)
    for claim in conduct.claims:
        reasons[derive("given-up", claim.name, str(claim.round))] |= claim.reasons
    complaints.extend(
        f"ended: {getattr(end, 'attempt_id', '')} by {type(end).__name__} without a reason"
        for name, end in given_up.items()
        if name in reasons and ENDS[type(end)] not in reasons[name]
    )
    return complaints


def _calls(world: World, conduct: Conduct, evidence: Evidence) -> list[str]:
    """Each call was claimed and announced by its caller, once, and began in time."""
    claimed = {(claim.owner, claim.name) for claim in conduct.claims}
    announced = _announced(evidence)
    complaints = []
    made: Counter[tuple[str, int]] = Counter()
    for call in world.witness.chronicle:
        if not isinstance(call, Called):
            continue
        who = call.process, call.attempt
        if who not in claimed:
            complaints.append(f"call: {call.attempt} by {call.process}, who had no claim")
        heard = [event for at, event in announced[who] if at <= call.at]
        if not heard:
            complaints.append(f"call: {call.attempt} by {call.process}, not announced")
            continue
        last = max(heard, key=lambda event: event.round)
        made[call.attempt, last.round] += 1
        if call.own_at >= last.send_before:
            late_us = call.own_at - last.send_before
            complaints.append(f"call: {call.attempt} {late_us} us after its time was over")
    return [*complaints, *_rounds(made, evidence)]


def _announced(evidence: Evidence) -> dict[tuple[str, str], list[tuple[int, SendStarted]]]:
    """By whom and of which attempt a call was announced, when that was on the log."""
    found: dict[tuple[str, str], list[tuple[int, SendStarted]]] = defaultdict(list)
    for stored, record in evidence.log:
        for event in record.events:
            if isinstance(event, SendStarted):
                found[event.owner, event.attempt_id].append((stored.arrived_at, event))
    return found


def _rounds(made: Counter[tuple[str, int]], evidence: Evidence) -> list[str]:
    """One call in a round at the most; none where none is said to have been made."""
    complaints = [
        f"call: {name} was made {count} times in round {number}"
        for (name, number), count in made.items()
        if count > 1
    ]
    complaints.extend(
        f"report: {event.attempt_id} was called in round {event.round}"
        for event in evidence.events()
        if isinstance(event, SendDeferred)
        and event.reason is DeferReason.NOT_CALLED
        and made[event.attempt_id, event.round]
    )
    return complaints


def _untrue(world: World, evidence: Evidence) -> list[str]:
    """What is reported as accepted was accepted."""
    taken = {(attempt_of(each), each.message_id) for each in world.provider.accepted}
    return [
        f"report: {event.attempt_id} was not accepted as {event.provider_message_id}"
        for event in evidence.events()
        if isinstance(event, SendAccepted)
        and (event.attempt_id, event.provider_message_id) not in taken
    ]


def _untold(world: World, evidence: Evidence) -> list[str]:
    """Whoever has got SES's reply, and lives, says so on the log."""
    told = {
        event.attempt_id
        for event in evidence.events()
        if isinstance(event, SendDeferred | SendFailed | SendUnknown)
        or (isinstance(event, SendAccepted) and event.observed_by is Observer.CALL)
    }
    complaints = []
    for reply in world.witness.chronicle:
        if not isinstance(reply, Answered) or reply.attempt in told:
            continue
        process = world.witness.processes[reply.process]
        awake_at = max(reply.at, process.paused_until) + TOLD_WITHIN_US
        if not process.dead and awake_at < world.clock.now():
            complaints.append(f"report: {reply.process} did not report {reply.attempt}")
    return complaints


def _unheard(world: World, evidence: Evidence) -> list[str]:
    """Whatever SES has published of an attempt is on the log."""
    heard: set[tuple[str, type[Event]]] = set()
    for event in evidence.events():
        if not isinstance(event, SendAccepted) or event.observed_by is Observer.PROVIDER:
            heard.add((getattr(event, "attempt_id", ""), type(event)))
    return [
        f"feedback: of {attempt} SES published {kind}, which is not on the log"
        for attempt, kinds in world.provider.told.items()
        for kind in kinds
        if (attempt, PUBLISHED.get(kind, SendAccepted)) not in heard
    ]
