"""Mails to measure with: facts as intake writes them, and a mail's whole history.

Lengths are those of real ones: SES's message ids, a notification's verdicts, addresses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mailtumble.intake.notification import SOURCE, Arrival
from mailtumble.ports.stream import OutgoingRecord
from mailtumble.worker.application import Fact
from mailtumble.worker.records import outgoing
from processors import kernel, mail
from processors.routing.decider import Found
from schemas import codec
from schemas.envelope import EventEnvelope
from schemas.events import (
    DeliveryConfirmed,
    Event,
    MailReceived,
    SendAccepted,
    SendScheduled,
    SendStarted,
)
from schemas.ids import decision_id, derive, fingerprint
from schemas.values import SECOND_US, Verdicts

NOW: Final = 1_760_000_000 * SECOND_US
ALIASES: Final = tuple(f"orders-{number:02d}@shop.example.com" for number in range(20))
TENANT: Final = "shop"
ROUTED: Final = Found(ALIASES[0], 7, TENANT, ("fulfilment.desk@warehouse.example.org",))
RULES: Final = mail.Rules()
_MAIL_BYTES: Final = 51_200


def arrived(name: str, *, now: int = NOW) -> Fact:
    """``MailReceived`` of the mail with this name, to one of the aliases."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    ses_message_id = f"{digest[:39]}1"
    arrival = Arrival(
        ses_message_id=ses_message_id,
        envelope_sender=f"bounces+{digest[:12]}@newsletter.example.net",
        recipients=(ALIASES[int(digest[:8], 16) % len(ALIASES)],),
        subject_line="Re: Your order 2024-118-3 has left our warehouse in Köln",
        received_at=now,
        bucket="mailtumble-mail",
        object_key=f"inbound/{ses_message_id}",
        verdicts=Verdicts(spam="PASS", virus="PASS", spf="PASS", dkim="PASS", dmarc="GRAY"),
    )
    (fact,) = arrival.facts(_MAIL_BYTES, f"notifications/{ses_message_id}.json")
    return fact


def received(name: str, object_key: str = "", *, now: int = NOW) -> OutgoingRecord:
    """The record of :func:`arrived` as it goes onto the stream at ``now`` (microseconds UTC).

    ``object_key``: where its bytes lie, if not where SES would have put them.
    """
    fact = arrived(name, now=now)
    (event,) = fact.events
    if not isinstance(event, MailReceived):
        raise TypeError(event)
    told = replace(event, object_key=object_key or event.object_key)
    return outgoing(replace(fact, events=(told,)), now)


def decide(
    state: mail.Mail, ledger: kernel.Ledger, fact: EventEnvelope, *, now: int = NOW
) -> tuple[EventEnvelope, ...]:
    """What core answers to a fact that ``state`` has folded: one decision, or none."""
    name = decision_id(fact.id, mail.DECIDER, fact.subject)
    events: list[Event] = []
    for event in fact.events:
        answer = ROUTED if mail.asks(state, event) else None
        events += mail.decide(state, event, answer, decision_id=name, now=now, rules=RULES)
    if not events:
        return ()
    decision = EventEnvelope(
        id=name,
        subject=fact.subject,
        cause=fact.id,
        after=ledger.head(mail.DECIDER),
        recorded_at=now,
        decider=mail.DECIDER,
        rule_version=mail.RULE_VERSION,
        events=tuple(events),
    )
    return (decision,)


class _Subject:
    """One mail's records, and what core knows of it by them."""

    def __init__(self, now: int = NOW) -> None:
        self.records: list[bytes] = []
        self.attempt = ""
        self._now = now
        self._state = mail.INITIAL
        self._ledger = kernel.Ledger()

    def tell(self, fact: bytes) -> None:
        """Put a fact on the stream, and behind it what core decides."""
        record = self._read(fact)
        for decision in decide(self._state, self._ledger, record, now=self._now):
            self._read(codec.encode(decision))

    def _read(self, data: bytes) -> EventEnvelope:
        record = codec.decode(data)
        _, self._ledger = kernel.judge(self._ledger, record, fingerprint(data), record.recorded_at)
        self._state = mail.fold(self._state, record.events)
        self.records.append(data)
        for event in record.events:
            if isinstance(event, SendScheduled):
                self.attempt = event.attempt_id
        return record


def scheduled(name: str, object_key: str, *, now: int) -> Sequence[OutgoingRecord]:
    """The records of a mail that waits to be sent: received, and what core has decided."""
    first = received(name, object_key, now=now)
    subject = _Subject(now)
    subject.tell(first.data)
    return [OutgoingRecord(first.subject, data) for data in subject.records]


def life(name: str) -> Sequence[bytes]:
    """The records of a mail that is received, scheduled, sent, accepted and delivered, in order."""
    first = received(name)
    subject = _Subject()
    subject.tell(first.data)
    for report in (_started, _accepted, _delivered):
        event = report(subject.attempt)
        told = derive("report", subject.attempt, type(event).__name__)
        fact = Fact(told, first.subject, subject.attempt, SOURCE, (event,))
        subject.tell(outgoing(fact, NOW).data)
    return subject.records


def _started(attempt: str) -> Event:
    return SendStarted(
        target=0,
        attempt_id=attempt,
        round=0,
        instant_at=NOW + SECOND_US,
        send_before=NOW + 5 * SECOND_US,
        owner="ip-10-0-3-117-2419",
    )


def _accepted(attempt: str) -> Event:
    return SendAccepted(
        target=0,
        attempt_id=attempt,
        provider_message_id="0100018f3c1d2e4b-6a1f0c7e-2b9d-4f2a-9d57-1f0e6c3b8a42-000000",
        called_at=NOW + SECOND_US,
        size_bytes=_MAIL_BYTES + 700,
    )


def _delivered(attempt: str) -> Event:
    return DeliveryConfirmed(
        target=0,
        attempt_id=attempt,
        provider_message_id="0100018f3c1d2e4b-6a1f0c7e-2b9d-4f2a-9d57-1f0e6c3b8a42-000000",
        happened_at=NOW + 3 * SECOND_US,
        smtp_response="250 2.0.0 OK  1760000003 d2e1a72fcca58-7a9c1f5b2c3si4711 - gsmtp",
    )
