"""What can't be processed is told on the mail's subject, by the application that met it."""

from __future__ import annotations

from mailtumble.ports.stream import StoredRecord
from mailtumble.worker import quarantine
from mailtumble.worker.records import Read
from schemas.events import RecordQuarantined
from tests.samples import SUBJECT

GARBAGE = StoredRecord("7".zfill(64), SUBJECT, b"\xc1", 0)


def test_the_fact_says_all_that_is_needed_to_find_and_drive_it_again() -> None:
    """Where it stood, why it was taken out, where its bytes are now."""
    fact = quarantine.fact("core", "shard-0", Read(GARBAGE, None, "not msgpack"), "mail")
    assert fact.events == (
        RecordQuarantined(
            application="core",
            shard_id="shard-0",
            sequence_number="7".zfill(64),
            partition_key=SUBJECT,
            reason="not msgpack",
            bucket="mail",
            object_key=f"quarantine/core/shard-0/{'7'.zfill(64)}",
        ),
    )
    assert fact.subject == SUBJECT


def test_each_application_tells_for_itself_and_once() -> None:
    """Sender and core may both meet it: two facts; a repeat of either is known by its id."""
    core = quarantine.fact("core", "shard-0", Read(GARBAGE, None, "one"), "mail")
    again = quarantine.fact("core", "shard-0", Read(GARBAGE, None, "other"), "mail")
    sender = quarantine.fact("sender", "shard-0", Read(GARBAGE, None, "one"), "mail")
    assert core.id == again.id != sender.id


def test_what_was_about_no_mail_gets_a_subject_of_its_own() -> None:
    """The partition key of garbage may be anything: it doesn't go where others fold it."""
    for key in ("fleet", "mail:", "x"):
        record = StoredRecord("7".zfill(64), key, b"\xc1", 0)
        fact = quarantine.fact("core", "shard-0", Read(record, None, "not msgpack"), "mail")
        assert fact.subject == f"quarantine:{fact.id}"
