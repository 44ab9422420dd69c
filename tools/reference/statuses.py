"""``statuses.md``: event -> target status -> mail status -> column of the sum.

The table is no description of the fold, it is the fold's own answer: every event is folded into
a mail in every status, and what changes is a row.
"""

from __future__ import annotations

import dataclasses
import enum
import types
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args, get_origin, get_type_hints

from processors import mail
from schemas import events
from schemas.events import EVENT_TYPES, Event
from schemas.values import ENDED, DeferReason, Status
from tools.reference.docstrings import meanings
from tools.reference.markdown import GENERATED, code, table

CURRENT: Final = "attempt-1"
NEXT: Final = "attempt-2"


def example(kind: type, **given: Any) -> Any:  # noqa: ANN401 - an instance of kind
    """An event of this type with ``given`` fields; the others hold the least there is."""
    hints = get_type_hints(kind)
    fields = {
        each.name: given.get(each.name, _least(hints[each.name]))
        for each in dataclasses.fields(kind)
    }
    return kind(**fields)


def _least(hint: Any) -> Any:  # noqa: ANN401 - a value of that type
    origin = get_origin(hint)
    if origin is tuple:
        return (_least(get_args(hint)[0]),)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return {}
    if origin is types.UnionType:
        return None
    if issubclass(hint, enum.Enum):
        return next(iter(hint))
    return example(hint) if dataclasses.is_dataclass(hint) else hint()


RECEIVED: Final = (example(events.MailReceived, recipient="info@house.example"),)
ROUTED: Final = (*RECEIVED, example(events.RouteResolved))
HELD: Final = (*ROUTED, example(events.MailHeld))
QUEUED: Final = (*ROUTED, example(events.SendScheduled, number=1, attempt_id=CURRENT))
DOUBTED: Final = (*QUEUED, example(events.SendUnknown, attempt_id=CURRENT))


def _of_attempt(kind: type, **given: Any) -> Any:  # noqa: ANN401 - an event
    return example(kind, attempt_id=CURRENT, **given)


HELD_BACK: Final = (*QUEUED, _of_attempt(events.SendHeldBack), example(events.MailHeld))

History = tuple[Event, ...]

BEFORE_TARGETS: Final[tuple[History, ...]] = (
    (),
    RECEIVED,
    (*RECEIVED, example(events.RouteDeferred)),
    (example(events.RecordQuarantined), *RECEIVED),
    (*RECEIVED, example(events.RecordQuarantined)),
    (*RECEIVED, example(events.RouteNotFound)),
    (*RECEIVED, example(events.RouteExpired)),
    (*RECEIVED, example(events.MailRejected)),
)
"""What has happened to a mail that has no targets: a history for every status it may have."""

WITH_TARGET: Final[tuple[History, ...]] = (
    ROUTED,
    HELD,
    QUEUED,
    HELD_BACK,
    (*QUEUED, _of_attempt(events.SendCancelRequested, ends_as=Status.EXPIRED)),
    (*QUEUED, _of_attempt(events.SendCancelRequested, ends_as=Status.REJECTED)),
    (*QUEUED, _of_attempt(events.SendStarted)),
    (*QUEUED, _of_attempt(events.SendDeferred, reason=DeferReason.TRANSIENT)),
    DOUBTED,
    (*DOUBTED, example(events.SendParked)),
    (*QUEUED, _of_attempt(events.SendExpired)),
    (*QUEUED, _of_attempt(events.SendFailed)),
    (*QUEUED, _of_attempt(events.BounceReceived)),
    (*QUEUED, _of_attempt(events.SendAccepted)),
)
"""The same for a mail with one target, told of its current attempt."""

OLDER: Final[tuple[History, ...]] = tuple(
    (*DOUBTED, example(events.SendScheduled, number=2, attempt_id=NEXT), *more)
    for more in (
        (),
        (example(events.SendStarted, attempt_id=NEXT),),
        (example(events.SendUnknown, attempt_id=NEXT),),
        (example(events.SendFailed, attempt_id=NEXT),),
        (example(events.BounceReceived, attempt_id=NEXT),),
        (example(events.SendAccepted, attempt_id=NEXT),),
    )
)
"""A mail whose first attempt became unknown and whose second one is on its way, or has ended."""

ALL: Final = (BEFORE_TARGETS, WITH_TARGET, OLDER)


def _told() -> Iterator[tuple[str, Event]]:
    """Every event, by the name of its row; deferrals apart by whether SES was called."""
    for kind in EVENT_TYPES:
        fields = {each.name for each in dataclasses.fields(kind)}
        attempt = {"attempt_id": CURRENT} if "attempt_id" in fields else {}
        if kind is events.SendDeferred:
            for reason in (DeferReason.NOT_CALLED, DeferReason.TRANSIENT):
                name = "not called" if reason is DeferReason.NOT_CALLED else "any other reason"
                yield f"`SendDeferred` ({name})", example(kind, reason=reason, **attempt)
        elif kind is events.SendScheduled:
            yield "`SendScheduled`", example(kind, attempt_id=NEXT, number=2)
        elif kind is events.SendCancelRequested:
            yield "`SendCancelRequested`", example(kind, ends_as=Status.EXPIRED, **attempt)
        else:
            yield f"`{kind.__name__}`", example(kind, **attempt)


ROUTING: Final = (
    events.RouteResolved,
    events.RouteNotFound,
    events.RouteDeferred,
    events.RouteExpired,
)
ABOUT_RECORDS: Final = (events.RecordQuarantined, events.RecordRedriven)
BY_MODERATORS: Final[Mapping[Status, tuple[type[Event], ...]]] = {
    Status.RECEIVED: (events.MailHeld, events.MailRejected),
    Status.HELD: (events.MailApproved, events.MailRejected, events.MailExpired),
}
"""What may be said of a mail with targets: by the rules at first, by a person or the clock then."""


def _can_follow(history: History, event: Event) -> bool:
    """Whether the deciders and the sender ever let this event follow on that history."""
    if history in BEFORE_TARGETS:
        return _can_follow_without_targets(history, event)
    if isinstance(event, (events.MailReceived, events.RouteReopened, *ROUTING, *ABOUT_RECORDS)):
        return False
    if history in OLDER:
        # Of an older attempt only what is told of itself counts.
        return getattr(event, "attempt_id", "") == CURRENT
    status = mail.fold(mail.INITIAL, history).status
    match event:
        case (
            events.MailHeld() | events.MailApproved() | events.MailRejected() | events.MailExpired()
        ):
            return isinstance(event, BY_MODERATORS.get(status, ()))
        case events.SendScheduled():
            # Of what was held back only where a person had let the mail go before it was heard of.
            return status not in ENDED and history != HELD
        case events.TargetReopened():
            return status in ENDED and status is not Status.COMPLETED
        case events.SendParked():
            return status is not Status.RECEIVED
        case _:
            # All else is told of an attempt that was scheduled.
            return history not in (ROUTED, HELD)


def _can_follow_without_targets(history: History, event: Event) -> bool:
    """Routes are settled once, unless a record is driven again or a person wants it anew."""
    if not history:
        return isinstance(event, events.MailReceived | events.RecordQuarantined)
    route = mail.fold(mail.INITIAL, history).route
    if not route.settled:
        ends = (events.RecordQuarantined, events.MailRejected, events.MailExpired)
        return isinstance(event, (*ROUTING, *ends))
    if isinstance(event, events.RecordRedriven):
        return route.parked
    return isinstance(event, events.RouteReopened)


Rows = dict[str, dict[Status, list[str]]]


def transitions(histories: tuple[History, ...]) -> Rows:
    """Row name -> the status afterwards -> the statuses from which the event leads there."""
    found: Rows = {}
    for name, event in _told():
        rows: dict[Status, list[str]] = {}
        for history in histories:
            if not _can_follow(history, event):
                continue
            before = mail.fold(mail.INITIAL, history)
            after = mail.evolve(before, event)
            if after.status is not before.status or not history:
                rows.setdefault(after.status, []).append(before.status if history else "nothing")
        if rows:
            found[name] = rows
    return found


def column(status: Status) -> str:
    """Where a target in this status counts in the sum received = ended + open."""
    return f"ended: {status}" if status in ENDED else "open"


def _table(rows: Rows) -> Iterator[str]:
    headings = ("event", "from", "target", "mail", "column of the sum")
    return table(
        headings,
        (
            (name, ", ".join(dict.fromkeys(map(str, befores))), after, after, column(after))
            for name, ways in rows.items()
            for after, befores in ways.items()
        ),
    )


def silent() -> list[str]:
    """The events that never change a status."""
    moved = {row for histories in ALL for row in transitions(histories)}
    return [name for name, _ in _told() if name not in moved]


def unreached() -> list[Status]:
    """The statuses to which no event leads."""
    reached = {
        after for histories in ALL for ways in transitions(histories).values() for after in ways
    }
    return [status for status in Status if status not in reached]


PAGE: Final = """\
# Statuses

{generated}

Where a target stands follows from the events alone, and where it counts follows from where it
stands. For any range of time, per target:

    open before + received = ended, by kind + open after

A mail is received as one target, unless its alias names several. Its own status is that of its
least finished target, in the order of the first table, so with one target both are the same.

## The statuses

{statuses}

{unreached}

## Before a mail has targets

{before}

## What is told of a target's current attempt

From a status that is not listed, an event changes nothing. A record of the mail that is
quarantined makes core decide `SendParked` for every target that has not ended. What moderators
say holds for every target that was not scheduled yet, or was held back; where they reject a mail,
or its time with them is over, what is queued of it is called off.

How a target ends whose attempt is called off is told before, by `SendCancelRequested`
(`ends_as`); `SendCancelled` says that the attempt was out of the queue in time.

{current}

## What is told of an older attempt

The first attempt's outcome was unknown, and a second one was scheduled. Then the truth about the
first comes out:

{older}

## Events that change no status

{silent}.

`MailCompleted` tells that every target has ended. What is told later (a bounce after the delivery,
an acceptance after all) moves the target to another column, and no second `MailCompleted` follows.

`TargetReopened` and `RouteReopened` take an end back: the target is open again, and the next end
is told by another `MailCompleted`. What is told late of an attempt that had come back before its
target was reopened changes nothing any more.
"""


def page() -> str:
    """The page with the table event -> target status -> mail status -> column of the sum."""
    told = meanings(Status)
    rows = [(code(status), told[status], column(status)) for status in Status]
    return PAGE.format(
        generated=GENERATED,
        statuses="\n".join(table(("status", "meaning", "column of the sum"), rows)),
        unreached=_unreached_in_words(),
        before="\n".join(_table(transitions(BEFORE_TARGETS))),
        current="\n".join(_table(transitions(WITH_TARGET))),
        older="\n".join(_table(transitions(OLDER))),
        silent=", ".join(silent()),
    )


def _unreached_in_words() -> str:
    names = " or ".join(map(code, unreached()))
    return f"No event leads to {names} yet." if names else "Events lead to each of them."
