"""What people look at: items of the projections, rendered from folded states."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from mailtumble.ports.store import Delete, Item, Put, Update
from mailtumble.worker.application import Span
from processors.bounces.decider import Address
from processors.fleet.decider import Fleet
from processors.mail import Mail
from processors.sending.pacing import RATE_UNIT
from processors.sending.targets import TargetState
from schemas.envelope import EventEnvelope
from schemas.events import (
    CommandAnswered,
    QuotaObserved,
    RecordQuarantined,
    RecordRedriven,
    SendingPaused,
)
from schemas.ids import mail_of
from schemas.values import DAY_US, SECOND_US, Status

ANSWERS_KEPT_US: Final = 15 * DAY_US
QUOTAS_KEPT: Final = 100
"""Limits of SES change some times a year; the item stays below 10 KB."""

PAUSED_AT: Final = "at:"
"""Begins the name of an attribute that a scope ends: DynamoDB takes no empty one."""


def iso(at: int) -> str:
    """Microseconds UTC as ISO 8601 with six digits, so that it sorts as text."""
    moment = datetime.fromtimestamp(at // SECOND_US, UTC).replace(microsecond=at % SECOND_US)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def mail_key(generation: str, mail_id: str) -> str:
    """The key of a mail's item in one generation of the projections."""
    return f"{generation}#{mail_id}"


def mail_item(generation: str, subject: str, mail: Mail, spans: Sequence[Span]) -> Put:
    """The item of the view ``mails``: a function of the folded state and of where it lies."""
    mail_id = mail_of(subject) or subject
    received = mail.received
    received_at = iso(received.received_at) if received else ""
    item: Item = {
        "mail_key": mail_key(generation, mail_id),
        "mail_id": mail_id,
        "status": str(mail.status),
        "received_at": received_at or "-",
        "received_day": f"{generation}#{received_at[:10] or '-'}",
        "envelope_sender": received.envelope_sender if received else "",
        "recipient": received.recipient if received else "",
        "subject": received.subject_line if received else "",
        "size_bytes": received.size_bytes if received else 0,
        "bucket": received.bucket if received else "",
        "object_key": received.object_key if received else "",
        "targets": [_target(each) for each in mail.sending.targets],
        "tags": list(mail.moderation.tags),
        "spans": [[span.shard_id, span.first, span.last] for span in spans],
    }
    if mail.refused:
        item = {**item, "refused": mail.refused}
    if mail.status is Status.HELD:
        # The sparse index by_held has these alone.
        held = {
            "held": generation,
            "held_rule": mail.moderation.rule,
            "held_reason": mail.moderation.reason,
            "held_until": iso(mail.moderation.expires_at),
        }
        item = {**item, **held}
    return Put("mails", item)


def _target(target: TargetState) -> Item:
    shown: Item = {
        "address": target.address,
        "status": str(target.status),
        "attempts": target.number,
        "provider_message_id": target.provider_message_id or None,
        "reason": target.reason or None,
    }
    return {**shown, "called_off": True} if target.is_called_off else shown


def address_key(generation: str, subject: str) -> str:
    """The key of an address's item in one generation of the projections."""
    return f"{generation}#{subject}"


def address_item(generation: str, subject: str, state: Address) -> Put | Delete:
    """The item of the view ``addresses``; none for an address with nothing on record."""
    key = {"address_key": address_key(generation, subject)}
    if state.is_clean:
        return Delete("addresses", key)
    item: Item = {
        **key,
        "address": state.address,
        "bounces": len(state.bounces),
        "reason": str(state.reason) if state.reason else None,
        "detail": state.detail,
        "until": state.until,
    }
    return Put("addresses", item)


def pauses_key(generation: str) -> dict[str, str]:
    """The key of the item that tells what is paused."""
    return {"name": f"pauses#{generation}"}


def pauses_item(generation: str, fleet: Fleet) -> Put:
    """Which scopes are paused ("" is everybody), by whom and why, and since when what comes in."""
    # A list: DynamoDB takes no empty name, which everybody's is.
    paused: list[Item] = [
        {"scope": scope, "told": pause.told, "since": pause.since}
        for scope, pause in fleet.paused.items()
    ]
    return Put("fleet", {**pauses_key(generation), "paused": paused})


def paused_at_key(generation: str) -> dict[str, str]:
    """The key of the item that tells when each pause was given."""
    return {"name": f"paused_at#{generation}"}


def paused_at_item(generation: str, event: SendingPaused, at: int) -> Update:
    """When a scope was last paused or drained, by the time of the record."""
    return Update("fleet", paused_at_key(generation), set={f"{PAUSED_AT}{event.scope}": at})


def quotas_key(generation: str) -> dict[str, str]:
    """The key of the item that tells which limits SES has had."""
    return {"name": f"quotas#{generation}"}


def quotas_item(generation: str, fleet: Fleet, observed: QuotaObserved, at: int) -> Update:
    """One more limit of SES, in the place of the one that was observed QUOTAS_KEPT before it."""
    quota: Item = {
        "at": at,
        "max_send_rate_milli": round(observed.max_send_rate * RATE_UNIT),
        "max_24h": observed.max_24h,
    }
    place = f"quota_{fleet.quotas % QUOTAS_KEPT:02d}"
    return Update("fleet", quotas_key(generation), set={place: quota})


def answer_key(generation: str, command_id: str) -> dict[str, str]:
    """The key of what was answered to a command."""
    return {"command_id": f"{generation}#{command_id}"}


def answer_item(generation: str, record: EventEnvelope, event: CommandAnswered) -> Put:
    """What a person waits for who has given a command; kept for some days."""
    item: Item = {
        **answer_key(generation, event.command_id),
        "accepted": event.accepted,
        "answer": event.answer,
        "expires_at": (record.recorded_at + ANSWERS_KEPT_US) // SECOND_US,
    }
    return Put("answers", item)


def quarantine_item(
    generation: str, record: EventEnvelope, event: RecordQuarantined | RecordRedriven
) -> Update:
    """The item of the view ``quarantine``, told apart by the id of ``RecordQuarantined``."""
    match event:
        case RecordQuarantined():
            key = {"quarantine_id": f"{generation}#{record.id}"}
            return Update(
                "quarantine",
                key,
                set={
                    "id": record.id,
                    "state": "open",
                    "subject": record.subject,
                    "quarantined_at": iso(record.recorded_at),
                    "application": event.application,
                    "shard_id": event.shard_id,
                    "sequence_number": event.sequence_number,
                    "partition_key": event.partition_key,
                    "reason": event.reason,
                    "bucket": event.bucket,
                    "object_key": event.object_key,
                },
            )
        case RecordRedriven(quarantined=name):
            key = {"quarantine_id": f"{generation}#{name}"}
            return Update("quarantine", key, set={"state": "redriven"})
