"""A sentence for every event of moderators, operators, addresses, timers and quarantine."""

from __future__ import annotations

from typing import Final, assert_never

from mailtumble.story.words import duration, in_brackets, instant, listed, within
from processors.fleet.decider import whose_sending
from processors.sending import stops
from schemas.events import (
    AddressBounced,
    AddressComplained,
    AddressDelivered,
    AddressReleased,
    AddressSuppressed,
    AliasChanged,
    AliasRemoved,
    CommandAnswered,
    CommandGiven,
    MailApproved,
    MailExpired,
    MailHeld,
    MailRejected,
    ModerationDecided,
    QuotaObserved,
    RecordQuarantined,
    RecordRedriven,
    RouteReopened,
    SendingPaused,
    SendingRestored,
    SendingResumed,
    SendingStopped,
    SendTimeSet,
    TimerFired,
    WorkerStarted,
)
from schemas.values import ALWAYS, OnExpiry, Schedule, TimerKind

Moderated = ModerationDecided | MailHeld | MailApproved | MailRejected | MailExpired
Ordered = CommandGiven | CommandAnswered | SendTimeSet | RouteReopened
Address = (
    AddressBounced | AddressComplained | AddressDelivered | AddressSuppressed | AddressReleased
)
Kept = SendingPaused | SendingResumed | AliasChanged | AliasRemoved
Stopped = SendingStopped | SendingRestored
Other = TimerFired | QuotaObserved | RecordQuarantined | RecordRedriven | WorkerStarted
AFTER_HOLDING: Final = {
    OnExpiry.EXPIRE: "it expires",
    OnExpiry.APPROVE: "it goes",
    OnExpiry.REJECT: "it is rejected",
}

Operation = Moderated | Ordered | Address | Kept | Stopped | Other


def operation(event: Operation, recorded_at: int) -> str:
    """What an event says that is about no single target; ``recorded_at`` in microseconds UTC."""
    match event:
        case ModerationDecided() | MailHeld() | MailApproved() | MailRejected() | MailExpired():
            return _moderated(event, recorded_at)
        case CommandGiven() | CommandAnswered() | SendTimeSet() | RouteReopened():
            return _ordered(event)
        case SendingPaused() | SendingResumed() | AliasChanged() | AliasRemoved():
            return _kept(event)
        case SendingStopped() | SendingRestored():
            return _stopped(event)
        case (
            TimerFired()
            | QuotaObserved()
            | RecordQuarantined()
            | RecordRedriven()
            | WorkerStarted()
        ):
            return _other(event)
        case _:
            return _address(event)


def _moderated(event: Moderated, recorded_at: int) -> str:
    match event:
        case ModerationDecided():
            tags = f"; tagged {listed(event.tags)}" if event.tags else ""
            if not event.rule:
                return f"no rule stops it{tags}"
            return f"the rule {event.rule} says {event.action}{in_brackets(event.reason)}{tags}"
        case MailHeld():
            then = AFTER_HOLDING[event.on_expiry]
            when = within(event.expires_at, recorded_at)
            reason = in_brackets(event.reason)
            return f"held for a moderator{reason}; unless one decides, {then} {when}"
        case MailApproved():
            return f"approved by {event.by}{in_brackets(event.why)}"
        case MailRejected():
            return f"rejected by {event.by}{in_brackets(event.why)}"
        case MailExpired():
            return f"expired by {event.by}{in_brackets(event.why)}"
        case _:
            assert_never(event)


def _ordered(event: Ordered) -> str:
    match event:
        case CommandGiven():
            at = f" at {instant(event.at)}" if event.at else ""
            about = f" {event.detail}" if event.detail else ""
            return f"{event.by} wants: {event.command}{about}{at}{in_brackets(event.why)}"
        case CommandAnswered():
            return f"{'done' if event.accepted else 'refused'}: {event.answer}"
        case SendTimeSet():
            return f"to be sent at {instant(event.at)}, as {event.by} wants it"
        case RouteReopened():
            return f"to be looked up again, as {event.by} wants it"
        case _:
            assert_never(event)


def _address(event: Address) -> str:
    match event:
        case AddressBounced():
            kind = "for good" if event.permanent else "for now"
            about = in_brackets(event.enhanced_status, event.diagnostic)
            return f"mail {event.mail_id} came back {kind}{about}"
        case AddressComplained():
            return f"somebody called mail {event.mail_id} spam"
        case AddressDelivered():
            return f"mail {event.mail_id} was delivered"
        case AddressSuppressed():
            end = f", until {instant(event.until)}" if event.until else ""
            return f"suppressed{in_brackets(str(event.reason), event.detail)}{end}"
        case AddressReleased():
            return f"released{in_brackets(event.detail)}"
        case _:
            assert_never(event)


def _kept(event: Kept) -> str:
    match event:
        case SendingPaused() | SendingResumed():
            does = "resumes"
            if isinstance(event, SendingPaused):
                does = "drains" if event.since else "pauses"
            return f"{event.by} {does} {whose_sending(event.scope)}{in_brackets(event.why)}"
        case AliasChanged():
            moderated = ", moderated" if event.moderated else ""
            return (
                f"{event.by} puts {event.alias} for {listed(event.targets)} "
                f"(version {event.version}){moderated}{_scheduled(event.schedule)}"
            )
        case AliasRemoved():
            return f"{event.by} removes {event.alias} (version {event.version})"
        case _:
            assert_never(event)


def _stopped(event: Stopped) -> str:
    whose = stops.whose_sending(event.scope)
    if isinstance(event, SendingStopped):
        return f"SES lets nothing out: {whose} is stopped{in_brackets(event.why)}"
    return f"SES lets mail out again: {whose}, stopped since {instant(event.stopped_at)}"


def _scheduled(schedule: Schedule) -> str:
    if schedule == ALWAYS:
        return ""
    parts = [
        f"not before {instant(schedule.not_before)}" if schedule.not_before else "",
        f"{duration(schedule.delay_us)} after its receipt" if schedule.delay_us else "",
        f"in {schedule.window}" if schedule.window else "",
    ]
    return f", sent {listed([part for part in parts if part])}"


def _other(event: Other) -> str:
    match event:
        case TimerFired(kind=TimerKind.LOOKUP):
            return "time to look it up again"
        case TimerFired(kind=TimerKind.CLAIM):
            return f"the sender's time for round {event.number} is over"
        case TimerFired(kind=TimerKind.MODERATION):
            return "the moderators' time is over"
        case TimerFired():
            return "the wait for SES's own event is over"
        case QuotaObserved():
            return f"SES allows {event.max_send_rate:g} a second and {event.max_24h} in 24 hours"
        case RecordQuarantined():
            return f"{event.application} put a record into quarantine ({event.reason})"
        case RecordRedriven():
            return f"{event.by} put the quarantined record {event.quarantined} back"
        case _:
            return _started(event)


def _started(event: WorkerStarted) -> str:
    rules = f" and rules {event.rules_digest}" if event.rules_digest else ""
    return (
        f"{event.application} {event.release} started with settings {event.settings_digest}{rules}"
    )
