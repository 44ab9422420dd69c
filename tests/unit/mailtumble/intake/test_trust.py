"""Whom intake believes, and what becomes of messages that nobody could take: none gets lost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from mailtumble.intake.service import Intake, IntakePorts
from mailtumble.intake.sns import Verifier
from mailtumble.ports.stream import OutgoingRecord
from mailtumble.ports.world import QueueMessage
from schemas.codec import decode
from schemas.envelope import EventEnvelope
from schemas.errors import BadInput, RetryableError
from schemas.events import MailReceived, RecordQuarantined
from tests.fakes import InMemoryObjects, InMemoryQueue, InMemoryStream, VirtualClock
from tests.samples import SES_MESSAGE_ID

AT = "2025-10-09T08:53:20.000Z"
ARRIVAL = json.dumps(
    {
        "notificationType": "Received",
        "mail": {"messageId": SES_MESSAGE_ID, "source": "ann@example.net", "timestamp": AT},
        "receipt": {
            "timestamp": AT,
            "recipients": ["sales@example.com"],
            "action": {"type": "S3", "bucketName": "mail", "objectKey": "inbound/1"},
        },
    }
)


def notification(text: str = ARRIVAL, **more: str) -> str:
    """As SNS puts it onto the queue."""
    return json.dumps({"Type": "Notification", "Message": text, **more})


class Trusting:
    """Accepts everything, and remembers what it was shown."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.shown: list[Mapping[str, Any]] = []

    def verify(self, message: Mapping[str, Any]) -> None:
        """Accept."""
        self.shown.append(dict(message))


class Wary:
    """Takes only what is signed, and can't reach the certificates while ``out``."""

    out = False

    def verify(self, message: Mapping[str, Any]) -> None:
        """Believe a signature that says yes."""
        if self.out:
            message_ = "https://sns.us-east-1.amazonaws.com/: no answer"
            raise RetryableError(message_)
        if message.get("Signature") != "yes":
            text = "the SNS message is not what was signed: its signature doesn't match"
            raise BadInput(text)


class Deaf(InMemoryStream):
    """A stream that doesn't take anything while ``out``."""

    out = False

    def append(self, records: Sequence[OutgoingRecord]) -> Sequence[str]:
        """Append, unless it is out."""
        if self.out:
            message = f"{len(records)} not acknowledged"
            raise RetryableError(message)
        return super().append(records)


class Place:
    """Intake, its queue, and the queue of what was received in vain too often."""

    def __init__(self, verifier: Verifier) -> None:
        """One mail lies in the bucket."""
        self.clock = VirtualClock()
        self.dead = InMemoryQueue(self.clock)
        self.queue = InMemoryQueue(self.clock, max_receives=5, dead_letters=self.dead)
        self.stream = Deaf(self.clock, shards=1)
        self.objects = InMemoryObjects()
        self.objects.put("mail", "inbound/1", b"x" * 321)
        self.intake = self.opened(self.dead, verifier)

    def opened(self, dead: InMemoryQueue | None, verifier: Verifier) -> Intake:
        """An intake over this world."""
        return Intake(
            IntakePorts(
                self.queue,
                self.stream,
                self.objects,
                "mail",
                self.clock,
                verifier=verifier,
                dead_letters=dead,
            )
        )

    def records(self) -> list[EventEnvelope]:
        """Every record on the stream."""
        return [decode(each.data) for each in self.stream.records()]

    def quarantined(self) -> RecordQuarantined:
        """The one event there is."""
        (record,) = self.records()
        (event,) = record.events
        assert isinstance(event, RecordQuarantined)
        return event


@pytest.fixture
def wary() -> Wary:
    """Somebody who checks."""
    return Wary()


@pytest.fixture
def place(wary: Wary) -> Place:
    """Intake that believes nobody unchecked."""
    return Place(wary)


def test_what_is_signed_is_taken_in(place: Place) -> None:
    """And nothing of it is left on the queue."""
    place.queue.send([notification(Signature="yes")])
    assert place.intake.step(0) == 1
    assert [type(each.events[0]) for each in place.records()] == [MailReceived]
    assert place.queue.bodies() == []


@pytest.mark.parametrize(
    "body", [notification(), notification(Signature="no"), ARRIVAL, notification("garbage")]
)
def test_what_is_not_verified_goes_to_quarantine(place: Place, body: str) -> None:
    """With its bytes, for a person to look at; no mail comes of it, and the queue goes on."""
    place.queue.send([body])
    place.intake.step(0)
    event = place.quarantined()
    assert "its signature doesn't match" in event.reason
    assert place.objects.get(event.bucket, event.object_key) == body.encode()
    assert place.objects.keys("mail") == ["inbound/1", event.object_key]
    assert place.queue.bodies() == []


def test_nothing_is_deleted_while_the_certificates_are_out_of_reach(
    place: Place, wary: Wary
) -> None:
    """Nobody can tell now whether it is forged: it comes again, and is no reason for quarantine."""
    wary.out = True
    place.queue.send([notification(Signature="yes"), notification()])
    with pytest.raises(RetryableError):
        place.intake.step(0)
    assert place.records() == []
    assert place.objects.keys("mail") == ["inbound/1"]
    assert len(place.queue.bodies()) == 2
    wary.out = False
    place.clock.advance(61)
    assert place.intake.step(0) == 2
    assert [type(each.events[0]) for each in place.records()] == [MailReceived, RecordQuarantined]


def test_a_message_is_verified_as_it_came() -> None:
    """Before anything in it is mended; and once, as a whole."""
    verifier = Trusting()
    place = Place(verifier)
    body = '{"Type": "Notification", "Subject": "\\ud83d", "Message": "{}"}'
    place.queue.send([body, "[]", "no JSON"])
    place.intake.step(0)
    assert verifier.shown == [{"Type": "Notification", "Subject": "\ud83d", "Message": "{}"}]


def test_dead_letters_go_to_quarantine(place: Place) -> None:
    """With their bytes; whoever redrives them puts them back onto the queue."""
    place.dead.send([notification(Signature="yes"), "garbage"])
    assert place.intake.take_dead_letters(0) == 2
    told = [event for each in place.records() for event in each.events]
    assert [type(each) for each in told] == [RecordQuarantined] * 2
    bodies = [
        place.objects.get(each.bucket, each.object_key).decode()
        for each in told
        if isinstance(each, RecordQuarantined)
    ]
    assert bodies == [notification(Signature="yes"), "garbage"]
    assert {getattr(each, "reason", "") for each in told} == {"it came to the dead-letter queue"}
    assert place.dead.bodies() == []
    assert place.intake.take_dead_letters(0) == 0


def test_dead_letters_are_deleted_after_the_append(place: Place) -> None:
    """While the stream is out they stay; told twice, it is the same fact."""
    place.dead.send(["garbage"])
    place.stream.out = True
    with pytest.raises(RetryableError):
        place.intake.take_dead_letters(0)
    assert place.dead.bodies() == ["garbage"]
    place.stream.out = False
    place.clock.advance(61)
    (message,) = place.dead.receive(0)
    place.clock.advance(61)
    place.intake.take_dead_letters(0)
    (record,) = place.records()
    again = place.intake._quarantined(message, "another reason")
    assert (again.id, again.subject) == (record.id, record.subject)


def test_dead_letters_stay_while_s3_is_out(place: Place) -> None:
    """Their bytes are what quarantine is for."""

    def down(bucket: str, key: str, data: bytes) -> None:
        message = f"{bucket}/{key} {len(data)}: slow down"
        raise RetryableError(message)

    place.dead.send(["garbage"])
    place.objects.put = down  # type: ignore[method-assign]
    with pytest.raises(RetryableError):
        place.intake.take_dead_letters(0)
    assert place.records() == []
    assert place.dead.bodies() == ["garbage"]


def test_without_a_dead_letter_queue_there_is_nothing_to_take(place: Place, wary: Wary) -> None:
    """A set-up may have none."""
    assert place.opened(None, wary).take_dead_letters(0) == 0


def test_what_an_outage_has_pushed_aside_is_not_lost(place: Place, wary: Wary) -> None:
    """Five times in vain: SQS puts it aside, and quarantine has it."""
    wary.out = True
    place.queue.send([notification(Signature="yes")])
    for _ in range(5):
        with pytest.raises(RetryableError):
            place.intake.step(0)
        place.clock.advance(61)
    wary.out = False
    assert place.intake.step(0) == 0
    assert place.intake.take_dead_letters(0) == 1
    event = place.quarantined()
    data = place.objects.get(event.bucket, event.object_key)
    place.queue.send([data.decode()])
    assert place.intake.step(0) == 1
    assert isinstance(place.records()[-1].events[0], MailReceived)


def test_what_is_driven_again_has_to_be_verified_again(place: Place) -> None:
    """Quarantine makes nothing true."""
    place.queue.send([notification()])
    place.intake.step(0)
    first = place.quarantined()
    place.queue.send([place.objects.get(first.bucket, first.object_key).decode()])
    place.intake.step(0)
    assert {type(each.events[0]) for each in place.records()} == {RecordQuarantined}


def test_the_same_message_is_the_same_quarantine_wherever_it_is_met(place: Place) -> None:
    """SQS keeps a message's id when it moves it: it shows once in the list."""
    message = QueueMessage("id-1", "garbage", "receipt", 1)
    one = place.intake._quarantined(message, "not JSON")
    other = place.intake._quarantined(message, "it came to the dead-letter queue")
    assert (one.id, one.subject) == (other.id, other.subject)
