"""Intake: on the stream first, off the queue after; and what can't be read is kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from mailtumble.intake.service import Intake, IntakePorts
from mailtumble.ports.stream import OutgoingRecord
from mailtumble.ports.world import QueueMessage
from schemas.codec import decode
from schemas.errors import RetryableError
from schemas.events import BounceReceived, Event, MailReceived, RecordQuarantined
from tests.fakes import InMemoryObjects, InMemoryQueue, InMemoryStream, VirtualClock

SES_MESSAGE_ID = "d6iitobk75ur44p8kdnnp7g2n800"


class Deaf(InMemoryStream):
    """A stream that can be out."""

    out = False

    def append(self, records: Sequence[OutgoingRecord]) -> Sequence[str]:
        """Append, unless it is out."""
        if self.out:
            message = f"{len(records)} records not acknowledged"
            raise RetryableError(message)
        return super().append(records)


class Journal(InMemoryQueue):
    """A queue that knows what stood on the stream when messages were deleted."""

    stream: Deaf
    stood: int | None = None

    def delete(self, messages: Sequence[QueueMessage]) -> None:
        """Remember, then delete."""
        self.stood = sum(
            len(self.stream.reader(shard.id, after=None).read(1000).records)
            for shard in self.stream.shards()
        )
        super().delete(messages)


class Place:
    """Intake and its world."""

    def __init__(self) -> None:
        """One mail lies in the bucket."""
        self.clock = VirtualClock()
        self.queue = Journal(self.clock)
        self.stream = self.queue.stream = Deaf(self.clock, shards=1)
        self.objects = InMemoryObjects()
        self.objects.put("mail", "inbound/1", b"x" * 321)
        ports = IntakePorts(self.queue, self.stream, self.objects, "mail", self.clock)
        self.intake = Intake(ports)

    def told(self) -> list[Event]:
        """Every event on the stream, in order."""
        (shard,) = self.stream.shards()
        records = self.stream.reader(shard.id, after=None).read(1000).records
        return [event for each in records for event in decode(each.data).events]


@pytest.fixture
def place() -> Place:
    """A new one."""
    return Place()


def arrival(*recipients: str, key: str = "inbound/1") -> str:
    """SES's notification of a mail."""
    at = "2025-10-09T08:53:20.000Z"
    message: dict[str, Any] = {
        "notificationType": "Received",
        "mail": {"messageId": SES_MESSAGE_ID, "source": "ann@example.net", "timestamp": at},
        "receipt": {
            "timestamp": at,
            "recipients": list(recipients or ("sales@example.com",)),
            "action": {"type": "S3", "bucketName": "mail", "objectKey": key},
        },
    }
    return json.dumps(message)


BOUNCE = json.dumps(
    {
        "eventType": "Bounce",
        "bounce": {"bounceType": "Permanent", "timestamp": "2025-10-09T08:53:20.000Z"},
        "mail": {
            "messageId": "ses-1",
            "tags": {
                "mailtumble-mail": ["m-1"],
                "mailtumble-target": ["0"],
                "mailtumble-attempt": ["a-1"],
            },
        },
    }
)
OPENED = json.dumps({"eventType": "Open"})


def test_a_mail_is_taken_in(place: Place) -> None:
    """With its size, and the notification itself kept, as it came."""
    place.queue.send([arrival()])
    assert place.intake.step(0) == 1
    (event,) = place.told()
    assert isinstance(event, MailReceived)
    assert (event.recipient, event.size_bytes) == ("sales@example.com", 321)
    assert place.objects.get("mail", event.notification_key) == b"[" + arrival().encode() + b"]"
    assert place.queue.bodies() == []


def test_an_empty_queue_is_nothing_to_do(place: Place) -> None:
    """No messages, no calls."""
    assert place.intake.step(0) == 0
    assert place.queue.stood is None


def test_messages_are_deleted_after_the_append(place: Place) -> None:
    """When they are deleted, everything they say stands on the stream."""
    place.queue.send([arrival("a@example.com", "b@example.com"), BOUNCE])
    place.intake.step(0)
    assert place.queue.stood == 3
    kinds = [type(event) for event in place.told()]
    assert kinds == [MailReceived, MailReceived, BounceReceived]


def test_nothing_is_deleted_while_appends_fail(place: Place) -> None:
    """The messages come again after the outage; none of them is lost."""
    place.queue.send([arrival(), BOUNCE])
    place.stream.out = True
    with pytest.raises(RetryableError):
        place.intake.step(0)
    assert len(place.queue.bodies()) == 2
    assert place.queue.stood is None
    place.stream.out = False
    place.clock.advance(61)
    assert place.intake.step(0) == 2
    assert len(place.told()) == 2
    assert place.queue.bodies() == []


def test_nothing_is_deleted_while_s3_is_out(place: Place) -> None:
    """An outage is no reason for quarantine."""

    def down(bucket: str, key: str) -> int:
        message = f"{bucket}/{key}: slow down"
        raise RetryableError(message)

    place.objects.size = down  # type: ignore[method-assign]
    place.queue.send([arrival()])
    with pytest.raises(RetryableError):
        place.intake.step(0)
    assert len(place.queue.bodies()) == 1
    assert place.told() == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("what is this?", "the message is not JSON"),
        ('{"eventType": "Teleported"}', "its type is 'Teleported'"),
        (arrival(key="inbound/2"), "the mail inbound/2 is not in the bucket mail"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_quarantined_with_its_bytes(
    place: Place, body: str, reason: str
) -> None:
    """It is off the queue, told on the stream, and its bytes lie in S3, to be driven again."""
    place.queue.send([body])
    place.intake.step(0)
    (event,) = place.told()
    assert isinstance(event, RecordQuarantined)
    assert event.application == "intake"
    assert reason in event.reason
    assert place.objects.get(event.bucket, event.object_key) == body.encode()
    assert place.queue.bodies() == []


def test_garbage_does_not_hold_up_its_neighbours(place: Place) -> None:
    """Good messages of the same round are taken in, and what asks for nothing is just deleted."""
    place.queue.send(["garbage", arrival(), OPENED, BOUNCE])
    assert place.intake.step(0) == 4
    kinds = [type(event) for event in place.told()]
    assert kinds == [RecordQuarantined, MailReceived, BounceReceived]
    assert place.queue.bodies() == []


def test_garbage_that_comes_again_is_the_same_fact(place: Place) -> None:
    """The quarantine's fact has an id of its message and bytes."""
    place.queue.send(["garbage"])
    place.stream.out = True
    with pytest.raises(RetryableError):
        place.intake.step(0)
    before = place.objects.keys("mail")
    place.stream.out = False
    place.clock.advance(61)
    place.intake.step(0)
    assert place.objects.keys("mail") == before
    assert len(place.told()) == 1


def test_a_round_takes_fifty_at_most(place: Place) -> None:
    """Ten a call, as SQS gives them; the rest comes with the next round."""
    place.queue.send([arrival(f"r{number}@example.com") for number in range(62)])
    assert place.intake.step(0) == 50
    assert place.intake.step(0) == 12
    assert len(place.told()) == 62


def test_the_notifications_of_a_round_are_kept_together(place: Place) -> None:
    """Each mail's event tells where; there they stand in their order, and garbage does not."""
    bodies = [arrival(f"r{number}@example.com") for number in range(12)]
    place.queue.send([*bodies[:5], "garbage", BOUNCE, *bodies[5:]])
    place.intake.step(0)
    (key,) = {each.notification_key for each in place.told() if isinstance(each, MailReceived)}
    assert key.startswith("notifications/")
    kept = json.loads(place.objects.get("mail", key))
    assert kept == [json.loads(each) for each in bodies]
