"""Check every decision of core against the rules.

A decider may have seen different records: everything on the log up to the cause, or up to a rival
decision that made it decide again, and all decisions in between, with or without those of its own
that core quarantined later. A decision is wrong only if it is wrong in each of these cases.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mailtumble.worker import core
from processors.audit.model import MailModel, Model, Taken, Target
from schemas.events import (
    CommandAnswered,
    CommandGiven,
    Event,
    MailApproved,
    MailCompleted,
    MailExpired,
    MailRejected,
    RecordQuarantined,
    RouteReopened,
    SendCancelled,
    SendCancelRequested,
    SendDeferred,
    SendExpired,
    SendParked,
    SendRescheduled,
    SendScheduled,
    SendTimeSet,
    TargetReopened,
    TimerFired,
)
from schemas.ids import mail_of
from schemas.values import (
    ENDED,
    HOUR_US,
    SECOND_US,
    Command,
    DeferReason,
    OnExpiry,
    Status,
    TimerKind,
    UnknownPolicy,
)
from tests.simulation.readings import Readings, quarantined

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from schemas.envelope import EventEnvelope

MAIL: Final = "mail"
BY_THE_CLOCK: Final[dict[OnExpiry, type[Event]]] = {
    OnExpiry.APPROVE: MailApproved,
    OnExpiry.REJECT: MailRejected,
    OnExpiry.EXPIRE: MailExpired,
}
WHOLE: Final[dict[tuple[Command, type[Event]], str]] = {
    (Command.APPROVE, MailApproved): "approve",
    (Command.REJECT, MailRejected): "reject",
    (Command.CANCEL, MailRejected): "the whole",
    (Command.EXPIRE, MailExpired): "the whole",
}
"""The effects of events about the whole message that follow from a command."""
ENDS_AS: Final = {Command.CANCEL: Status.REJECTED, Command.EXPIRE: Status.EXPIRED}
WAITS: Final = (Status.RECEIVED, Status.HELD, Status.SCHEDULED)
BEGINS: Final = (Status.RECEIVED, Status.DEFERRED, Status.UNKNOWN, Status.HELD)
"""Statuses in which a target may be scheduled."""


def wrong_decisions(log: Readings) -> list[str]:
    """Return a complaint for every accepted decision about a message that breaks a rule."""
    model = Model(core.NAME, quarantined(log, core.NAME))
    accepted: dict[str, list[EventEnvelope]] = defaultdict(list)
    aside: dict[str, set[str]] = defaultdict(set)
    complaints = []
    for records in log.values():
        for record in records:
            envelope, taken = record.envelope, record.give(model)
            if envelope is None or taken not in (Taken.ACCEPTED, Taken.ASIDE):
                continue
            before, unread = accepted[envelope.subject], aside[envelope.subject]
            is_mine = envelope.decider == MAIL and envelope.is_decision
            if taken is Taken.ASIDE:
                if not is_mine:
                    continue
                unread.add(envelope.id)
            elif is_mine and mail_of(envelope.subject):
                read = [each for each in before if each.id not in unread]
                found = _judge(read, envelope)
                if found and unread:
                    found = _judge(before, envelope)
                complaints.extend(f"decision: {envelope.subject}: {each}" for each in found)
            before.append(envelope)
    return complaints


def _judge(before: Sequence[EventEnvelope], decision: EventEnvelope) -> list[str]:
    if any(each.is_decision and each.cause == decision.cause for each in before):
        return [f"the cause {decision.cause} was decided twice"]
    place = next((place for place, each in enumerate(before) if each.id == decision.cause), None)
    if place is None:
        return [f"its cause {decision.cause} is no accepted fact"]
    fact = before[place]
    least: list[str] | None = None
    for end in (place, *(at for at in range(place + 1, len(before)) if before[at].is_decision)):
        seen = [*before[: end + 1], *(each for each in before[end + 1 :] if each.is_decision)]
        found = list(_problems(seen, fact.events[0], decision))
        if not found:
            return []
        if least is None or len(found) < len(least):
            least = found
    return least or []


def _folded(records: Sequence[EventEnvelope]) -> MailModel:
    mail = MailModel()
    for record in records:
        mail.take(record, record.recorded_at)
    return mail


def _problems(
    records: Sequence[EventEnvelope], fact: Event, decision: EventEnvelope
) -> Iterator[str]:
    """Return what is wrong with a decision that was made on top of these records."""
    seen = _folded(records)
    match fact:
        case TimerFired(kind=TimerKind.MODERATION):
            yield from _by_the_clock(seen, fact, decision)
        case TimerFired(kind=TimerKind.UNKNOWN):
            yield from _after_unknown(seen, fact, decision)
        case CommandGiven():
            yield from _by_command(seen, fact, decision)
        case _:
            pass
    for place, event in enumerate(decision.events):
        yield from _step(seen, fact, decision, place)
        seen.take(replace(decision, events=(event,)), decision.recorded_at)


def _step(seen: MailModel, fact: Event, decision: EventEnvelope, place: int) -> Iterator[str]:
    """Yield what is wrong with one event of a decision, after the events before it are folded."""
    event = decision.events[place]
    index = getattr(event, "target", None)
    target = seen.targets[index] if index is not None and index < len(seen.targets) else None
    match event:
        case SendScheduled() if target is not None:
            yield from _scheduled(seen, fact, decision, event, target)
        case SendParked() | SendCancelled() | SendExpired() if target is not None:
            yield from _ended(target, fact, decision, event)
        case MailCompleted():
            yield from _completed(seen, event)
        case MailApproved() | MailRejected() | MailExpired():
            if seen.completed and seen.hold is None:
                yield f"{type(event).__name__} though it has ended"
        case _:
            pass


def _ended(
    target: Target,
    fact: Event,
    decision: EventEnvelope,
    event: SendParked | SendCancelled | SendExpired,
) -> Iterator[str]:
    """Yield what is wrong with a final status that core decides itself."""
    what = f"target {event.target}"
    match event:
        case SendParked():
            cancelled = any(
                isinstance(each, SendCancelRequested) and each.target == event.target
                for each in decision.events
            )
            reason = cancelled or target.status is Status.UNKNOWN
            if not (reason or isinstance(fact, RecordQuarantined)):
                yield f"{what} is parked while {target.status}"
        case SendCancelled():
            if not target.is_called_off:
                yield f"{what} is cancelled, which nobody wanted"
        case SendExpired():
            # No wait before another attempt is longer than an hour and a quarter.
            latest = decision.recorded_at + 2 * HOUR_US
            if target.current is None or target.current.expires_at > latest:
                yield f"{what} expires long before its time"


def _scheduled(
    seen: MailModel, fact: Event, decision: EventEnvelope, event: SendScheduled, target: Target
) -> Iterator[str]:
    what = f"attempt {event.number} at target {event.target}"
    if target.status not in BEGINS:
        yield f"{what} while {target.status}"
    if seen.blocked or (seen.hold is not None and target.status in (Status.RECEIVED, Status.HELD)):
        yield f"{what} of a message that is held or refused"
    if target.is_called_off:
        yield f"{what}, which is called off"
    if event.number != len(target.attempts) + 1:
        yield f"{what} after {len(target.attempts)} others"
    if (event.address, event.tenant) != (target.address, target.tenant):
        yield f"{what} goes to {event.address} of {event.tenant}"
    doubt = target.doubted or (target.status is Status.UNKNOWN and isinstance(fact, TimerFired))
    if event.possible_duplicate is not doubt:
        yield f"{what} is {'not ' if doubt else ''}announced as a possible duplicate"
    yield from _time(seen, fact, decision, event, target)


def _time(
    seen: MailModel, fact: Event, decision: EventEnvelope, event: SendScheduled, target: Target
) -> Iterator[str]:
    what = f"attempt {event.number} at target {event.target}"
    earliest = decision.recorded_at
    if isinstance(fact, SendDeferred) and fact.reason is not DeferReason.NOT_CALLED:
        earliest += SECOND_US
    route, received = seen.route, seen.received
    if seen.send_at:
        earliest = max(earliest, seen.send_at)
    elif route is not None and received is not None:
        delayed = received.received_at + route.schedule.delay_us
        earliest = max(earliest, route.schedule.not_before, delayed)
    if event.due_at < earliest:
        yield f"{what} is due {earliest - event.due_at} us too early"
    again = target.status in (Status.DEFERRED, Status.UNKNOWN)
    if again and target.current is not None and event.expires_at > target.current.latest_expiry:
        yield f"{what} has more time than the one before"


def _completed(seen: MailModel, event: MailCompleted) -> Iterator[str]:
    still_open = [each for each in seen.statuses if each not in ENDED]
    if still_open:
        yield f"it is completed while a target is {still_open[0]}"
    if seen.completed:
        yield "it is completed twice"
    counts = Counter(str(each) for each in seen.statuses)
    if dict(event.ended) != dict(counts):
        yield f"it is completed with {dict(event.ended)}, not {dict(counts)}"


def _by_the_clock(seen: MailModel, fact: TimerFired, decision: EventEnvelope) -> Iterator[str]:
    """Check that a hold which expires ends exactly as its rule says."""
    hold = seen.hold
    waits = Status.HELD in seen.statuses and seen.status is Status.HELD
    over = hold is not None and hold.expires_at == fact.due_at and waits
    wanted = BY_THE_CLOCK[hold.on_expiry] if over and hold is not None else None
    got = {type(each) for each in decision.events} & set(BY_THE_CLOCK.values())
    if got != ({wanted} if wanted else set()):
        names = sorted(each.__name__ for each in got)
        yield f"by the clock {names} was decided, not {wanted.__name__ if wanted else 'nothing'}"


def _after_unknown(seen: MailModel, fact: TimerFired, decision: EventEnvelope) -> Iterator[str]:
    """Check that the policy of the route decides about an unknown outcome."""
    for index, target in enumerate(seen.targets):
        current = target.current
        if current is None or current.id != fact.attempt_id or target.status is not Status.UNKNOWN:
            continue
        parks = seen.route is not None and seen.route.on_unknown is UnknownPolicy.PARK
        late = decision.recorded_at > current.expires_at
        wanted = SendParked if parks or late or target.is_called_off else SendScheduled
        got = [each for each in decision.events if getattr(each, "target", None) == index]
        if not any(isinstance(each, wanted) for each in got):
            yield f"after an unknown outcome, target {index} has no {wanted.__name__}"


def _by_command(seen: MailModel, fact: CommandGiven, decision: EventEnvelope) -> Iterator[str]:
    answers = [each for each in decision.events if isinstance(each, CommandAnswered)]
    if [each.command_id for each in answers] != [fact.command_id]:
        yield f"the command {fact.command} has {len(answers)} answers"
        return
    wanted = _wanted(seen, fact)
    done = _done(fact, decision)
    if bool(wanted) is not answers[0].accepted:
        yield f"{fact.command} is {'accepted' if answers[0].accepted else 'refused'} in vain"
    elif wanted and not wanted <= done:
        yield f"{fact.command} has to do {sorted(wanted)}, it did {sorted(done)}"


def _wanted(seen: MailModel, fact: CommandGiven) -> set[str]:
    """Return the effects that a command must have, in words; none if it must be refused."""
    if seen.received is None:
        return set()
    match fact.command:
        case Command.APPROVE | Command.REJECT:
            held = seen.hold is not None and seen.status is Status.HELD
            return {str(fact.command)} if held else set()
        case Command.CANCEL | Command.EXPIRE:
            return _wanted_ends(seen)
        case Command.SEND_NOW | Command.SEND_AT:
            return _wanted_times(seen)
        case Command.RETRY:
            return _wanted_again(seen, fact.detail)
        case _:
            return set()


def _wanted_ends(seen: MailModel) -> set[str]:
    unrouted = not seen.targets and seen.status in (Status.RECEIVED, Status.DEFERRED)
    if unrouted or seen.status is Status.HELD:
        return {"the whole"}
    return {
        f"target {index}"
        for index, target in enumerate(seen.targets)
        if not target.has_ended and not target.is_called_off
    }


def _wanted_times(seen: MailModel) -> set[str]:
    if not seen.targets:
        is_open = seen.status in (Status.RECEIVED, Status.DEFERRED)
        return {"the time"} if is_open else set()
    waits = [each for each in seen.targets if each.status in WAITS and not each.is_called_off]
    moved = {
        f"target {index}"
        for index, target in enumerate(seen.targets)
        if target.status is Status.SCHEDULED and not target.is_called_off
    }
    return {"the time", *moved} if waits else set()


def _wanted_again(seen: MailModel, detail: str) -> set[str]:
    if not seen.targets:
        ended = seen.status not in (Status.RECEIVED, Status.DEFERRED)
        return {"the route"} if ended and detail in ("", seen.status) else set()
    return {
        f"target {index}"
        for index, target in enumerate(seen.targets)
        if target.has_ended
        and target.status is not Status.COMPLETED
        and detail in ("", target.status)
        and not (detail and target.is_called_off)
    }


def _done(fact: CommandGiven, decision: EventEnvelope) -> set[str]:
    """Return the effects of a decision, in the words of :func:`_wanted`."""
    now = decision.recorded_at
    moved_to = max(fact.at, now) if fact.command is Command.SEND_AT else now
    return {word for event in decision.events if (word := _word(fact, event, moved_to))}


def _word(fact: CommandGiven, event: Event, moved_to: int) -> str:
    """Return the effect of one event; ``moved_to`` is the time that was requested."""
    match event:
        case MailApproved() | MailRejected() | MailExpired():
            return WHOLE.get((fact.command, type(event)), "")
        case SendCancelRequested() if event.ends_as is ENDS_AS.get(fact.command):
            return f"target {event.target}"
        case SendTimeSet() if event.at == moved_to:
            return "the time"
        case SendRescheduled() if event.due_at == moved_to:
            return f"target {event.target}"
        case TargetReopened():
            return f"target {event.target}"
        case RouteReopened():
            return "the route"
        case _:
            return ""
