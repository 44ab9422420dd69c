"""What can't be processed is kept, told of on the stream, and can be driven again (rule 5)."""

from __future__ import annotations

from mailtumble.ports.stream import StoredRecord
from mailtumble.worker.application import Fact
from mailtumble.worker.records import Read
from schemas.events import RecordQuarantined
from schemas.ids import derive, mail_of


def object_key(application: str, shard_id: str, record: StoredRecord) -> str:
    """Where the bytes of a quarantined record lie."""
    return f"quarantine/{application}/{shard_id}/{record.sequence_number}"


def fact(application: str, shard_id: str, read: Read, bucket: str, *, apart: bool = False) -> Fact:
    """Build ``RecordQuarantined``, on the mail's subject if the record was about a mail.

    Args:
        application: who quarantines the record.
        shard_id: where the record lies.
        read: the record, with its problem.
        bucket: where its bytes are kept.
        apart: whether the fact gets a subject of its own, because the mail's can't be read: on that
            one it would be quarantined in its turn, and so on for ever.
    """
    record = read.stored
    name = derive("quarantine", application, record.sequence_number)
    event = RecordQuarantined(
        application=application,
        shard_id=shard_id,
        sequence_number=record.sequence_number,
        partition_key=record.subject,
        reason=read.problem,
        bucket=bucket,
        object_key=object_key(application, shard_id, record),
    )
    about_mail = mail_of(record.subject) and not apart
    subject = record.subject if about_mail else f"quarantine:{name}"
    return Fact(name, subject, record.sequence_number, application, (event,))
