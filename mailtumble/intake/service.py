"""Takes messages off the queue: append first, delete after, and quarantine what can't be read."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from mailtumble.intake.notification import NO_VERIFICATION, SOURCE, Arrival, Feedback, parse
from mailtumble.intake.sns import Verifier
from mailtumble.ports.stream import EventStream
from mailtumble.ports.world import (
    BATCH_MAX,
    Clock,
    MessageQueue,
    ObjectMissing,
    ObjectStore,
    QueueMessage,
)
from mailtumble.worker import journal
from mailtumble.worker.application import Fact
from mailtumble.worker.metrics import APPENDED, DEAD_LETTERS, QUARANTINED, RECEIVED, Meter
from mailtumble.worker.records import outgoing
from schemas.errors import BadInput
from schemas.events import RecordQuarantined
from schemas.ids import derive

T = TypeVar("T")
R = TypeVar("R")
SideBySide = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""``map``, or one that does the calls on several threads."""

NOTIFICATIONS: Final = "notifications"
GATHERED_MAX: Final = 50
"""Messages of one step: one object and one append for all of them."""
QUARANTINE: Final = "quarantine/intake"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IntakePorts:
    """What intake works with; ``bucket`` is where notifications and quarantined bytes go."""

    queue: MessageQueue
    stream: EventStream
    objects: ObjectStore
    bucket: str
    clock: Clock
    side_by_side: SideBySide = map
    verifier: Verifier = NO_VERIFICATION
    dead_letters: MessageQueue | None = None
    meter: Meter = field(default_factory=Meter)


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A mail whose bytes are there, and the notification's as they came."""

    arrival: Arrival
    size_bytes: int
    body: bytes

    def facts(self, key: str) -> Sequence[Fact]:
        """With the notification kept under ``key``."""
        return self.arrival.facts(self.size_bytes, key)


class Intake:
    """One round after the other; several may run side by side, in one process or in many."""

    def __init__(self, ports: IntakePorts) -> None:
        """Work with these ports."""
        self._ports = ports

    def step(self, wait_s: int) -> int:
        """Take some messages to the stream, 50 at the most; how many there were.

        A message is deleted only after everything it says stands on the stream. While that
        fails, RetryableError reaches the host, which receives nothing more for a while.
        """
        messages = self._gathered(wait_s)
        if not messages:
            return 0
        read = list(self._ports.side_by_side(self._read, messages))
        arrived = [each for each in read if isinstance(each, _Arrived)]
        key = self._keep(arrived) if arrived else ""
        facts: list[Fact] = []
        for each in read:
            facts.extend(each.facts(key) if isinstance(each, _Arrived) else each)
        self._append(facts)
        self._ports.queue.delete(messages)
        self._ports.meter.count(RECEIVED, by=len(messages))
        return len(messages)

    def _gathered(self, wait_s: int) -> list[QueueMessage]:
        """What is there; as long as every call brings as much as one may, there is more."""
        messages = list(self._ports.queue.receive(wait_s))
        while messages and len(messages) < GATHERED_MAX:
            more = self._ports.queue.receive(0)
            messages += more
            if len(more) < BATCH_MAX:
                break
        return messages

    def take_dead_letters(self, wait_s: int) -> int:
        """Put up to 10 messages that were received in vain too often into quarantine.

        SQS moves a message there that nobody has deleted in time, again and again: after a long
        outage, or because intake ended at it.
        """
        queue = self._ports.dead_letters
        messages = queue.receive(wait_s) if queue is not None else ()
        if queue is None or not messages:
            return 0
        facts = [self._quarantined(each, "it came to the dead-letter queue") for each in messages]
        self._append(facts)
        queue.delete(messages)
        self._ports.meter.count(DEAD_LETTERS, by=len(messages))
        return len(messages)

    def _append(self, facts: Sequence[Fact]) -> None:
        if not facts:
            return
        now = self._ports.clock.now()
        numbers = self._ports.stream.append([outgoing(fact, now) for fact in facts])
        for fact, number in zip(facts, numbers, strict=True):
            journal.appended(fact.subject, number, fact.events)
        meter = self._ports.meter
        meter.count(APPENDED, by=len(facts))
        meter.count(QUARANTINED, "", by=sum(map(_is_quarantine, facts)))

    def _read(self, message: QueueMessage) -> _Arrived | Sequence[Fact]:
        try:
            parsed = parse(message.body, self._ports.verifier)
            if isinstance(parsed, Arrival):
                return self._arrived(message, parsed)
        except BadInput as error:
            return (self._quarantined(message, str(error)),)
        return (parsed.fact,) if isinstance(parsed, Feedback) else ()

    def _arrived(self, message: QueueMessage, arrival: Arrival) -> _Arrived:
        """Make sure that the mail's bytes are there."""
        try:
            size_bytes = self._ports.objects.size(arrival.bucket, arrival.object_key)
        except ObjectMissing as error:
            text = f"the mail {arrival.object_key} is not in the bucket {arrival.bucket}"
            raise BadInput(text) from error
        return _Arrived(arrival, size_bytes, message.body.encode(errors="surrogatepass"))

    def _keep(self, arrived: Sequence[_Arrived]) -> str:
        """Keep the notifications as they came, as one JSON array: a put for each would be dear."""
        data = b"[" + b",\n".join(each.body for each in arrived) + b"]"
        digest = hashlib.blake2b(data, digest_size=20).hexdigest()
        key = f"{NOTIFICATIONS}/{digest}.json"
        self._ports.objects.put(self._ports.bucket, key, data)
        return key

    def _quarantined(self, message: QueueMessage, reason: str) -> Fact:
        data = message.body.encode(errors="surrogatepass")
        digest = hashlib.blake2b(data, digest_size=20).hexdigest()
        key = f"{QUARANTINE}/{digest}"
        self._ports.objects.put(self._ports.bucket, key, data)
        fields = {"application": SOURCE, "message_id": message.id}
        logger.warning("quarantined a message: %s", reason, extra={"fields": fields})
        name = derive("quarantine", SOURCE, message.id, digest)
        event = RecordQuarantined(
            application=SOURCE,
            shard_id="",
            sequence_number=message.id,
            partition_key="",
            reason=reason,
            bucket=self._ports.bucket,
            object_key=key,
        )
        return Fact(name, f"quarantine:{name}", message.id, SOURCE, (event,))


def _is_quarantine(fact: Fact) -> bool:
    return any(isinstance(event, RecordQuarantined) for event in fact.events)
