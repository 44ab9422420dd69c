"""A mail's history in plain sentences. Pure: records in, lines of text out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, assert_never

from mailtumble.history import History, Step
from mailtumble.worker.views import iso
from processors.kernel import Judgement
from schemas.envelope import EventEnvelope
from schemas.events import (
    BounceReceived,
    ComplaintReceived,
    DeliveryConfirmed,
    DeliveryDelayed,
    Event,
    MailCompleted,
    MailReceived,
    QuotaObserved,
    RecordQuarantined,
    RecordRedriven,
    RouteDeferred,
    RouteExpired,
    RouteNotFound,
    RouteResolved,
    SendAccepted,
    SendCancelled,
    SendCancelRequested,
    SendDeferred,
    SendExpired,
    SendFailed,
    SendParked,
    SendRejected,
    SendScheduled,
    SendStarted,
    SendUnknown,
    TimerFired,
)
from schemas.values import DAY_US, HOUR_US, MINUTE_US, SECOND_US, DeferReason, Observer, TimerKind

Routing = MailReceived | RouteResolved | RouteNotFound | RouteDeferred | RouteExpired
Decided = SendScheduled | SendCancelRequested | SendParked
Reported = (
    SendStarted
    | SendAccepted
    | SendDeferred
    | SendFailed
    | SendUnknown
    | SendExpired
    | SendCancelled
)
Feedback = DeliveryConfirmed | DeliveryDelayed | BounceReceived | ComplaintReceived | SendRejected
Other = TimerFired | QuotaObserved | RecordQuarantined | RecordRedriven

INDENT: Final = "    "
AT_ONCE_US: Final = 1_000
EXACT_US: Final = 10 * SECOND_US
SOON_US: Final = SECOND_US // 20
"""What is due within this time is due now."""


def tell(history: History) -> list[str]:
    """One line an event: the first of each record with the time since the record before it."""
    addresses: list[str] = []
    lines: list[str] = []
    previous: int | None = None
    for step in history.steps:
        when = iso(step.at) if previous is None else later(step.at - previous)
        # Writers' clocks differ a little: the story does not go back for it.
        previous = step.at if previous is None else max(previous, step.at)
        first, *rest = _step(step, addresses)
        lines.append(f"{when}: {first}")
        lines.extend(INDENT + sentence for sentence in rest)
    return lines


def later(elapsed_us: int) -> str:
    """How much later, in words."""
    return "at once" if elapsed_us < AT_ONCE_US else f"{duration(elapsed_us)} later"


def duration(elapsed_us: int) -> str:
    """A length of time with the two units that matter: ``0.4 s``, ``3 min 20 s``, ``2 d 5 h``."""
    if elapsed_us < SECOND_US // 10:
        return f"{max(elapsed_us, 0) / SECOND_US:.3f} s"
    if elapsed_us < EXACT_US:
        return f"{elapsed_us / SECOND_US:.1f} s"
    units = ((DAY_US, "d"), (HOUR_US, "h"), (MINUTE_US, "min"), (SECOND_US, "s"))
    parts = []
    for length, name in units:
        count, elapsed_us = divmod(elapsed_us, length)
        parts.append((count, name))
    while not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{count} {name}" for count, name in parts[:2] if count)


def _step(step: Step, addresses: list[str]) -> list[str]:
    record = step.record
    if record is None:
        return [f"a record that can't be read was quarantined ({step.problem})"]
    kinds = listed([type(event).__name__ for event in record.events])
    match step.judgement:
        case None:
            return [f"{kinds} was quarantined ({step.problem})"]
        case Judgement.VOID:
            return [f"{record.decider} decided {kinds}; this came second, void"]
        case Judgement.REPEATED:
            return [f"{record.decider} told {kinds} once more; this came second, void"]
        case Judgement.ACCEPTED:
            return _accepted(record, addresses)
        case _:
            assert_never(step.judgement)


def _accepted(record: EventEnvelope, addresses: list[str]) -> list[str]:
    for event in record.events:
        if isinstance(event, RouteResolved):
            addresses[:] = [target.address for target in event.targets]
    told = [sentence(event, record.recorded_at, addresses) for event in record.events]
    return told or [f"{record.decider} recorded nothing"]


def sentence(event: Event, recorded_at: int, addresses: Sequence[str]) -> str:
    """What an event says, without a full stop.

    Args:
        event: any event.
        recorded_at: microseconds UTC; times to come are told from there.
        addresses: of the targets, by their index.
    """
    match event:
        case MailReceived() | RouteResolved() | RouteNotFound() | RouteDeferred() | RouteExpired():
            return _routing(event, recorded_at)
        case MailCompleted():
            ended = [f"{count} {status}" for status, count in sorted(event.ended.items())]
            return f"every target has ended: {listed(ended)}"
        case SendScheduled() | SendCancelRequested() | SendParked():
            return f"{_address(event.target, addresses)}: {_decided(event, recorded_at)}"
        case TimerFired() | QuotaObserved() | RecordQuarantined() | RecordRedriven():
            return _other(event)
        case (
            DeliveryConfirmed()
            | DeliveryDelayed()
            | BounceReceived()
            | ComplaintReceived()
            | SendRejected()
        ):
            return f"{_address(event.target, addresses)}: {_feedback(event)}"
        case _:
            return f"{_address(event.target, addresses)}: {_reported(event, recorded_at)}"


def listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them: ``a``, ``a and b``, ``a, b and c``."""
    if not words:
        return "nothing"
    *before, last = words
    return f"{', '.join(before)} and {last}" if before else last


def _address(target: int, addresses: Sequence[str]) -> str:
    return addresses[target] if 0 <= target < len(addresses) else f"target {target}"


def _within(at: int, recorded_at: int) -> str:
    ahead_us = at - recorded_at
    return "now" if ahead_us < SOON_US else f"in {duration(ahead_us)}"


def _in_brackets(*parts: str) -> str:
    told = ": ".join(part for part in parts if part)
    return f" ({told})" if told else ""


def _routing(event: Routing, recorded_at: int) -> str:
    match event:
        case MailReceived():
            sender = event.envelope_sender.strip("<>") or "nobody (a bounce or a report)"
            before_us = recorded_at - event.received_at
            delay = f"; SES took it in {duration(before_us)} before" if before_us > 0 else ""
            return (
                f"received from {sender} for {event.recipient}: "
                f'"{event.subject_line}", {event.size_bytes} bytes{delay}'
            )
        case RouteResolved():
            targets = listed([target.address for target in event.targets])
            return f"looked up; {event.alias} stands for {targets} (version {event.alias_version})"
        case RouteNotFound():
            return f"looked up; there is no alias {' or '.join(event.tried)}"
        case RouteDeferred():
            again = _within(event.retry_at, recorded_at)
            return f"look-up {event.number} failed ({event.reason}); it is tried again {again}"
        case RouteExpired():
            return f"given up, as its time was over before a look-up succeeded ({event.reason})"
        case _:
            assert_never(event)


def _decided(event: Decided, recorded_at: int) -> str:
    match event:
        case SendScheduled():
            doubt = "; it may become a duplicate" if event.possible_duplicate else ""
            due = _within(event.due_at, recorded_at)
            return f"scheduled, attempt {event.number}, due {due}{doubt}"
        case SendCancelRequested():
            return f"the attempt is called off ({event.reason})"
        case SendParked():
            return f"parked until a person decides ({event.reason})"
        case _:
            assert_never(event)


def _reported(event: Reported, recorded_at: int) -> str:
    match event:
        case SendStarted():
            instant = _within(event.instant_at, recorded_at)
            return f"{event.owner} calls SES {instant}"
        case SendAccepted():
            seen = ", as SES's own event tells" if event.observed_by is Observer.PROVIDER else ""
            return f"SES accepted it as {event.provider_message_id}{seen}"
        case SendDeferred():
            return _deferred(event)
        case SendFailed():
            return f"refused for good{_in_brackets(event.code, event.detail)}"
        case SendUnknown():
            wait = _within(event.decide_at, recorded_at)
            return (
                f"nobody knows whether SES has it ({event.reason}); "
                f"decided {wait}, unless SES's own event tells before"
            )
        case SendExpired():
            return "expired: its time was over before SES accepted it"
        case SendCancelled():
            return "taken out of the queue; SES was not called"
        case _:
            assert_never(event)


def _deferred(event: SendDeferred) -> str:
    if event.reason is DeferReason.NOT_CALLED:
        return f"SES was not called; back into the queue{_in_brackets(event.detail)}"
    return f"not sent this time{_in_brackets(str(event.reason), event.detail)}"


def _feedback(event: Feedback) -> str:
    match event:
        case DeliveryConfirmed():
            return f"the receiving server took it{_in_brackets(event.smtp_response)}"
        case DeliveryDelayed():
            delay = _in_brackets(event.delay_type)
            return f"the receiving server does not take it yet{delay}; SES goes on trying"
        case BounceReceived():
            kind = "/".join(part for part in (event.bounce_type, event.bounce_subtype) if part)
            return f"it came back{_in_brackets(kind, event.diagnostic)}"
        case ComplaintReceived():
            return f"the person there called it spam{_in_brackets(event.complaint_type)}"
        case SendRejected():
            return f"SES refused it after all, and sent nothing{_in_brackets(event.reason)}"
        case _:
            assert_never(event)


def _other(event: Other) -> str:
    match event:
        case TimerFired(kind=TimerKind.LOOKUP):
            return "time to look it up again"
        case TimerFired(kind=TimerKind.CLAIM):
            return f"the sender's time for round {event.number} is over"
        case TimerFired():
            return "the wait for SES's own event is over"
        case QuotaObserved():
            return f"SES allows {event.max_send_rate:g} a second and {event.max_24h} in 24 hours"
        case RecordQuarantined():
            return f"{event.application} put a record into quarantine ({event.reason})"
        case RecordRedriven():
            return f"{event.by} put the quarantined record {event.quarantined} back"
        case _:
            assert_never(event)
