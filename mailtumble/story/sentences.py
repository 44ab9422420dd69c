"""A sentence for every event about a mail's way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from mailtumble.story.operations import operation
from mailtumble.story.words import duration, in_brackets, listed, within
from schemas.events import (
    BounceReceived,
    ComplaintReceived,
    DeliveryConfirmed,
    DeliveryDelayed,
    Event,
    MailCompleted,
    MailReceived,
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
    SendHeldBack,
    SendParked,
    SendRejected,
    SendRescheduled,
    SendScheduled,
    SendStarted,
    SendSuppressed,
    SendUnknown,
    TargetReopened,
)
from schemas.values import DeferReason, Observer

Routing = MailReceived | RouteResolved | RouteNotFound | RouteDeferred | RouteExpired
Decided = SendScheduled | SendCancelRequested | SendRescheduled | SendParked | TargetReopened
Reported = (
    SendStarted
    | SendAccepted
    | SendDeferred
    | SendFailed
    | SendUnknown
    | SendExpired
    | SendSuppressed
    | SendHeldBack
    | SendCancelled
)
Feedback = DeliveryConfirmed | DeliveryDelayed | BounceReceived | ComplaintReceived | SendRejected


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
        case (
            SendScheduled()
            | SendCancelRequested()
            | SendRescheduled()
            | SendParked()
            | TargetReopened()
        ):
            return f"{_address(event.target, addresses)}: {_decided(event, recorded_at)}"
        case (
            DeliveryConfirmed()
            | DeliveryDelayed()
            | BounceReceived()
            | ComplaintReceived()
            | SendRejected()
        ):
            return f"{_address(event.target, addresses)}: {_feedback(event)}"
        case (
            SendStarted()
            | SendAccepted()
            | SendDeferred()
            | SendFailed()
            | SendUnknown()
            | SendExpired()
            | SendSuppressed()
            | SendHeldBack()
            | SendCancelled()
        ):
            return f"{_address(event.target, addresses)}: {_reported(event, recorded_at)}"
        case _:
            return operation(event, recorded_at)


def _address(target: int, addresses: Sequence[str]) -> str:
    return addresses[target] if 0 <= target < len(addresses) else f"target {target}"


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
            again = within(event.retry_at, recorded_at)
            return f"look-up {event.number} failed ({event.reason}); it is tried again {again}"
        case RouteExpired():
            return f"given up, as its time was over before a look-up succeeded ({event.reason})"
        case _:
            assert_never(event)


def _decided(event: Decided, recorded_at: int) -> str:
    match event:
        case SendScheduled():
            doubt = "; it may become a duplicate" if event.possible_duplicate else ""
            due = within(event.due_at, recorded_at)
            return f"scheduled, attempt {event.number}, due {due}{doubt}"
        case SendCancelRequested():
            return f"the attempt is called off ({event.reason})"
        case SendParked():
            return f"parked until a person decides ({event.reason})"
        case SendRescheduled():
            return f"moved; due {within(event.due_at, recorded_at)}"
        case TargetReopened():
            return f"to be tried again, as {event.by} wants it"
        case _:
            assert_never(event)


def _reported(event: Reported, recorded_at: int) -> str:
    match event:
        case SendStarted():
            instant = within(event.instant_at, recorded_at)
            return f"{event.owner} calls SES {instant}"
        case SendAccepted():
            seen = ", as SES's own event tells" if event.observed_by is Observer.PROVIDER else ""
            return f"SES accepted it as {event.provider_message_id}{seen}"
        case SendDeferred():
            return _deferred(event)
        case SendFailed():
            return f"refused for good{in_brackets(event.code, event.detail)}"
        case SendUnknown():
            wait = within(event.decide_at, recorded_at)
            return (
                f"nobody knows whether SES has it ({event.reason}); "
                f"decided {wait}, unless SES's own event tells before"
            )
        case _:
            return _not_sent(event)


def _not_sent(event: SendExpired | SendSuppressed | SendHeldBack | SendCancelled) -> str:
    match event:
        case SendExpired():
            return "expired: its time was over before SES accepted it"
        case SendSuppressed():
            return f"not sent: {event.reason}"
        case SendHeldBack():
            return f"not sent, as the rule {event.rule} says: {event.reason}"
        case SendCancelled():
            return "taken out of the queue; SES was not called"
        case _:
            assert_never(event)


def _deferred(event: SendDeferred) -> str:
    if event.reason is DeferReason.NOT_CALLED:
        return f"SES was not called; back into the queue{in_brackets(event.detail)}"
    return f"not sent this time{in_brackets(str(event.reason), event.detail)}"


def _feedback(event: Feedback) -> str:
    match event:
        case DeliveryConfirmed():
            return f"the receiving server took it{in_brackets(event.smtp_response)}"
        case DeliveryDelayed():
            delay = in_brackets(event.delay_type, event.enhanced_status, event.diagnostic)
            return f"the receiving server does not take it yet{delay}; SES goes on trying"
        case BounceReceived():
            kind = "/".join(part for part in (event.bounce_type, event.bounce_subtype) if part)
            return f"it came back{in_brackets(kind, event.diagnostic)}"
        case ComplaintReceived():
            about = in_brackets(event.feedback_type, event.complaint_subtype)
            return f"the person there called it spam{about}"
        case SendRejected():
            return f"SES refused it after all, and sent nothing{in_brackets(event.reason)}"
        case _:
            assert_never(event)
