"""What happened, from outside: the stream's bytes in plain order, and the provider's own records.

Nothing here folds or judges a record as the workers do: it collects.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailtumble.sender.transmission import TAG_ATTEMPT, TAG_MAIL
from processors.moderation.breaker import RULE
from schemas import codec
from schemas.errors import UndecodableRecord
from schemas.events import (
    BounceReceived,
    Event,
    MailHeld,
    SendRejected,
    SendScheduled,
    SendUnknown,
)
from schemas.ids import mail_of

if TYPE_CHECKING:
    from mailtumble.ports.stream import StoredRecord
    from schemas.envelope import EventEnvelope
    from tests.fakes.provider import AcceptedMail
    from tests.simulation.world import World

Recipient = tuple[str, str]
"""A mail's id and an address."""


@dataclass
class Evidence:
    """``log``: every readable record with its envelope, in the order of arrival.

    ``accepted``: what the provider took, by mail and address, in order. ``unknown``: the
    attempts that a ``SendUnknown`` is about. ``scheduled``: every ``SendScheduled`` of an attempt,
    be its record accepted or void.
    """

    log: list[tuple[StoredRecord, EventEnvelope]] = field(default_factory=list)
    accepted: dict[Recipient, list[AcceptedMail]] = field(default_factory=lambda: defaultdict(list))
    unknown: set[str] = field(default_factory=set)
    scheduled: dict[str, list[SendScheduled]] = field(default_factory=lambda: defaultdict(list))

    def events(self) -> list[Event]:
        """Every event on the log."""
        return [event for _, envelope in self.log for event in envelope.events]

    def place(self, attempt: str) -> int:
        """Return an attempt's place among all, in the order in which the log first names them.

        An attempt's own number does not tell: a mail that is routed again counts from 1 again.
        """
        return list(self.scheduled).index(attempt)

    def came_back_before(self, earlier: str, later: str) -> bool:
        """Whether one attempt was known to have come back when the other was scheduled."""
        for event in self.events():
            match event:
                case BounceReceived(attempt_id=attempt) | SendRejected(attempt_id=attempt):
                    if attempt == earlier:
                        return True
                case SendScheduled(attempt_id=attempt):
                    if attempt == later:
                        return False
                case _:
                    pass
        return False

    def held_by_breaker(self) -> set[str]:
        """The mails that the breaker held, by their ids."""
        return {
            mail_of(envelope.subject) or ""
            for _, envelope in self.log
            for event in envelope.events
            if isinstance(event, MailHeld) and event.rule == RULE
        }

    def doubted(self) -> set[Recipient]:
        """The recipients for which some attempt's outcome was unknown."""
        return {
            (mail_of(envelope.subject) or "", scheduled.address)
            for _, envelope in self.log
            for event in envelope.events
            if isinstance(event, SendUnknown)
            for scheduled in self.scheduled[event.attempt_id]
        }


def gather(world: World) -> Evidence:
    """Collect it when the world has come to rest."""
    found = Evidence()
    for record in world.stream.all_records():
        try:
            envelope = codec.decode(record.data)
        except UndecodableRecord:
            continue
        found.log.append((record, envelope))
        for event in envelope.events:
            match event:
                case SendScheduled():
                    found.scheduled[event.attempt_id].append(event)
                case SendUnknown():
                    found.unknown.add(event.attempt_id)
                case _:
                    pass
    for taken in world.provider.accepted:
        found.accepted[taken.mail.tags[TAG_MAIL], taken.mail.recipient].append(taken)
    return found


def attempt_of(taken: AcceptedMail) -> str:
    """The attempt's tag of an accepted mail."""
    return taken.mail.tags[TAG_ATTEMPT]
