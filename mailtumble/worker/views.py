"""What people look at: items of the projections, rendered from folded states."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from mailtumble.ports.store import Item, Put, Update
from mailtumble.worker.application import Span
from processors.mail import Mail
from schemas.envelope import EventEnvelope
from schemas.events import RecordQuarantined, RecordRedriven
from schemas.ids import mail_of
from schemas.values import SECOND_US


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
        "targets": [
            {
                "address": target.address,
                "status": str(target.status),
                "attempts": target.number,
                "provider_message_id": target.provider_message_id or None,
            }
            for target in mail.sending.targets
        ],
        "spans": [[span.shard_id, span.first, span.last] for span in spans],
    }
    return Put("mails", item)


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
