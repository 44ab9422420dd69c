"""What can't be processed is kept, told of on the stream, and can be driven again (rule 5)."""

from __future__ import annotations

from mailtumble.ports.stream import StoredRecord
from mailtumble.worker.application import Fact
from schemas.events import RecordQuarantined
from schemas.ids import derive, mail_of


def object_key(application: str, shard_id: str, record: StoredRecord) -> str:
    """Where the bytes of a quarantined record lie."""
    return f"quarantine/{application}/{shard_id}/{record.sequence_number}"


def fact(application: str, shard_id: str, record: StoredRecord, reason: str, bucket: str) -> Fact:
    """``RecordQuarantined``, on the mail's subject where the record was about one."""
    name = derive("quarantine", application, record.sequence_number)
    event = RecordQuarantined(
        application=application,
        shard_id=shard_id,
        sequence_number=record.sequence_number,
        partition_key=record.subject,
        reason=reason,
        bucket=bucket,
        object_key=object_key(application, shard_id, record),
    )
    subject = record.subject if mail_of(record.subject) else f"quarantine:{name}"
    return Fact(name, subject, record.sequence_number, application, (event,))
