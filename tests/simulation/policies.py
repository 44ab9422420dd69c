"""What core decided about pauses, addresses, holds and times, held against the world's rules.

Unlike :mod:`tests.simulation.decisions`, this needs more than the log: the settings of the world.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from mailtumble.worker import core
from processors.audit.model import Model, Taken
from schemas.events import (
    AddressReleased,
    AddressSuppressed,
    CommandAnswered,
    CommandGiven,
    Event,
    MailHeld,
    MailReceived,
    RecordQuarantined,
    RecordRedriven,
    RouteDeferred,
    RouteExpired,
    RouteReopened,
    RouteResolved,
    SendingPaused,
    SendingResumed,
    SendRescheduled,
    SendScheduled,
    SendTimeSet,
)
from schemas.ids import FLEET_SUBJECT, mail_of
from schemas.values import ALWAYS, MINUTE_US, Command, Schedule
from tests.simulation.orders import DAY_MINUTES, HELD
from tests.simulation.readings import Readings, quarantined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.envelope import EventEnvelope
    from tests.simulation.world import World

ALL: Final = 0
"""A pause since this moment holds everything; a later one lets drain what arrived before."""

LOOKUP_WAIT_MAX_US: Final = MINUTE_US

History = list["EventEnvelope"]
Check = Callable[["World", History, "EventEnvelope"], Iterator[str]]


def broken_policies(world: World, log: Readings) -> list[str]:
    """Complain about every accepted decision that the settings do not allow."""
    model = Model(core.NAME, quarantined(log, core.NAME))
    accepted: dict[str, History] = defaultdict(list)
    complaints = []
    for records in log.values():
        for record in records:
            envelope = record.envelope
            if record.give(model) is not Taken.ACCEPTED or envelope is None:
                continue
            before = accepted[envelope.subject]
            if envelope.is_decision:
                check = _check_of(envelope.subject)
                found = check(world, before, envelope)
                complaints.extend(f"policy: {envelope.subject}: {each}" for each in found)
            before.append(envelope)
    return [*complaints, *_lost_in_redriving(log)]


def _check_of(subject: str) -> Check:
    if subject == FLEET_SUBJECT:
        return _fleet
    return _mail if mail_of(subject) else _address


def _cause(before: Sequence[EventEnvelope], decision: EventEnvelope) -> Event | None:
    found = next((each for each in before if each.id == decision.cause), None)
    return found.events[0] if found else None


def _events(before: Sequence[EventEnvelope], *kinds: type[Event]) -> list[Event]:
    return [event for each in before for event in each.events if isinstance(event, kinds)]


def _fleet(_: World, before: History, decision: EventEnvelope) -> Iterator[str]:
    """A pause holds until its scope is resumed; a drain may be made a pause."""
    command = _cause(before, decision)
    if not isinstance(command, CommandGiven):
        yield f"its cause {decision.cause} is no command"
        return
    scope, paused = command.detail, None
    for event in _events(before, SendingPaused, SendingResumed):
        if event.scope == scope:
            paused = event.since if isinstance(event, SendingPaused) else None
    since = command.at if command.command is Command.DRAIN else ALL
    match command.command:
        case Command.RESUME:
            wanted = [(scope, None)] if paused is not None else []
        case Command.PAUSE:
            wanted = [(scope, since)] if paused in (None, *_drains(paused)) else []
        case _:
            wanted = [(scope, since)] if paused is None else []
    got = [
        (each.scope, each.since if isinstance(each, SendingPaused) else None)
        for each in _events([decision], SendingPaused, SendingResumed)
    ]
    yield from _answer(decision, command, wanted, got)


def _drains(paused: int | None) -> tuple[int, ...]:
    return (paused,) if paused else ()


def _answer(
    decision: EventEnvelope, command: CommandGiven, wanted: list[object], got: list[object]
) -> Iterator[str]:
    accepted = [each.accepted for each in decision.events if isinstance(each, CommandAnswered)]
    if got != wanted or accepted != [bool(wanted)]:
        yield f"{command.command} did {got} ({accepted}), it has to do {wanted}"


def _address(_: World, before: History, decision: EventEnvelope) -> Iterator[str]:
    """A person's wish is done, unless it is so already."""
    command = _cause(before, decision)
    if not isinstance(command, CommandGiven):
        return
    changes = _events(before, AddressSuppressed, AddressReleased)
    last = changes[-1] if changes else None
    suppressed = isinstance(last, AddressSuppressed)
    kinds = [type(each) for each in _events([decision], AddressSuppressed, AddressReleased)]
    if command.command is Command.SUPPRESS:
        for_good = suppressed and last.until == 0
        yield from _answer(decision, command, [] if for_good else [AddressSuppressed], kinds)
    elif suppressed:
        yield from _answer(decision, command, [AddressReleased], kinds)


def _mail(world: World, before: History, decision: EventEnvelope) -> Iterator[str]:
    received = next(iter(_events(before, MailReceived)), None)
    if not isinstance(received, MailReceived):
        return
    reopened = [event.expires_at for event in _events([*before, decision], RouteReopened)]
    over_at = max([received.received_at + world.rules.lifetime_us, *reopened])
    for event in decision.events:
        match event:
            case RouteResolved():
                yield from _held(world, received, decision)
            case RouteExpired() | RouteDeferred():
                yield from _looked_up(decision, event, over_at)
            case SendScheduled():
                yield from _time(world, before, decision, event)
            case _:
                pass


def _looked_up(
    decision: EventEnvelope, event: RouteExpired | RouteDeferred, over_at: int
) -> Iterator[str]:
    """A look-up is tried again until the message's time is over."""
    if isinstance(event, RouteDeferred):
        if not decision.recorded_at < event.retry_at <= over_at:
            yield f"it is looked up again at {event.retry_at}, until {over_at}"
    elif decision.recorded_at + LOOKUP_WAIT_MAX_US < over_at:
        yield "its look-up expires long before its time"


def _held(world: World, received: MailReceived, decision: EventEnvelope) -> Iterator[str]:
    """What a rule holds is held, as long as the rule says."""
    rule = next((each for each in world.rules.moderation if HELD in each.recipients), None)
    if rule is None or received.recipient != HELD:
        return
    held = [
        (each.rule, each.expires_at - decision.recorded_at, each.on_expiry)
        for each in decision.events
        if isinstance(each, MailHeld)
    ]
    if held != [(rule.name, rule.expires_after_us, rule.on_expiry)]:
        yield f"the rule {rule.name} has to hold it, it is held by {held}"


def _time(
    world: World, before: History, decision: EventEnvelope, event: SendScheduled
) -> Iterator[str]:
    """No attempt has more than a lifetime; none is due outside of its alias's window."""
    begins_at = max(event.due_at, decision.recorded_at)
    earlier = [
        each.expires_at
        for each in _events(before, SendScheduled, SendRescheduled)
        if each.target == event.target
    ]
    if event.expires_at > max([begins_at + world.rules.lifetime_us, *earlier]):
        yield f"attempt {event.number} has more than its lifetime"
    resolved = _events([*before, decision], RouteResolved)
    ordered = bool(_events(before, SendTimeSet))
    last = resolved[-1] if resolved else None
    schedule = last.schedule if isinstance(last, RouteResolved) else ALWAYS
    if not ordered and not _is_open(schedule, event.due_at):
        yield f"attempt {event.number} is due outside of {schedule.window}"


def _is_open(schedule: Schedule, at: int) -> bool:
    """Whether a window as the world's orders write it is open: daily from a minute to midnight."""
    if not schedule.window:
        return True
    hour, _, minute = schedule.window.removeprefix("daily ").partition("-")[0].partition(":")
    return at // MINUTE_US % DAY_MINUTES >= int(hour) * 60 + int(minute)


def _lost_in_redriving(log: Readings) -> list[str]:
    """The bytes of a record that was redriven stand on the stream once more."""
    everything = [record for records in log.values() for record in records]
    places: dict[bytes, set[str]] = defaultdict(set)
    for record in everything:
        places[record.stored.data].add(record.stored.sequence_number)
    data = {record.place: record.stored.data for record in everything}
    aside: dict[str, tuple[str, str]] = {}
    complaints = []
    for record in sorted(everything, key=lambda each: each.stored.sequence_number):
        for event in record.envelope.events if record.envelope else ():
            match event:
                case RecordQuarantined():
                    aside[record.envelope.id] = event.shard_id, event.sequence_number
                case RecordRedriven() if event.quarantined in aside:
                    place = aside[event.quarantined]
                    now = record.stored.sequence_number
                    if not any(place[1] < each < now for each in places[data[place]]):
                        complaints.append(f"redrive: the record at {place} was not put back")
                case _:
                    pass
    return complaints
