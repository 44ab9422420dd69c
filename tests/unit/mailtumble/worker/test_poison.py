"""Records at which a worker dies: who is to blame, and what goes on."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event as Signal
from threading import Thread

import pytest

from mailtumble.ports.stream import OutgoingRecord, StoredRecord
from mailtumble.worker.cursor import TRIES_MAX
from mailtumble.worker.shard import ShardProcessor
from processors.mail import Mail
from schemas.codec import encode
from schemas.envelope import EventEnvelope
from schemas.events import (
    Event,
    MailReceived,
    RecordQuarantined,
    RecordRedriven,
    RouteResolved,
    SendScheduled,
)
from tests.samples import MAIL_ID, SUBJECT, accepted, fact, received
from tests.unit.mailtumble.worker.conftest import Place

RECEIPT = fact(received())
MAIL_KEY = {"mail_key": f"g1#{MAIL_ID}"}
REDRIVEN = fact(RecordRedriven(quarantined="q", by="a person"), name="redriven")


class Died(BaseException):
    """The process is gone at this very call."""


def _poison(owner: ShardProcessor, *kinds: type[Event]) -> ShardProcessor:
    """The worker dies at events of these kinds (by a bug that is not mended yet)."""
    aggregate = owner.application.aggregate(SUBJECT)
    evolve = aggregate.evolve

    def deadly(state: Mail, event: Event) -> Mail:
        if isinstance(event, kinds):
            raise Died
        return evolve(state, event)

    aggregate.evolve = deadly  # type: ignore[method-assign]
    return owner


def _die_at(place: Place, *kinds: type[Event]) -> ShardProcessor:
    """Workers die at such a record until one puts it aside; that one, having read on."""
    for _ in range(TRIES_MAX + 1):
        with pytest.raises(Died):
            place.run(_poison(place.owner(), *kinds))
    owner = place.owner()
    place.run(owner)
    return owner


def _status(place: Place) -> object:
    item = place.store.get("mails", MAIL_KEY)
    return item and item["status"]


def _stored(place: Place, kind: type[Event]) -> StoredRecord:
    (shard,) = place.stream.shards()
    for record in place.stream.reader(shard.id, after=None).read(1_000).records:
        if encode(_holding(place, kind)) == record.data:
            return record
    raise AssertionError(kind)


def _holding(place: Place, kind: type[Event]) -> EventEnvelope:
    return next(each for each in place.log() if isinstance(each.events[0], kind))


def test_a_mail_whose_own_decision_is_poison_is_parked(place: Place) -> None:
    """What is decided after it builds on it all the same: no reader takes that for void."""
    place.aliases.put("sales@example.com", ["bob@example.org"], "shop")
    place.tell(RECEIPT)
    owner = _die_at(place, RouteResolved)
    assert _status(place) == "parked"
    (aside,) = place.events(RecordQuarantined)
    assert isinstance(aside, RecordQuarantined)
    assert aside.sequence_number == _stored(place, RouteResolved).sequence_number
    memory = owner._memory[SUBJECT]
    assert memory.pending == []
    assert memory.ledger.head("mail").id == _holding(place, RouteResolved).id
    assert owner.tally.void == 0


def test_a_redrive_routes_a_parked_mail_anew(place: Place) -> None:
    """The decision that was put aside is over; the mail is looked up again, and goes its way.

    The sender could read that decision, and has sent what it says, perhaps.
    """
    place.aliases.put("sales@example.com", ["bob@example.org"], "shop")
    place.tell(RECEIPT)
    owner = _die_at(place, RouteResolved)
    place.aliases.put("sales@example.com", ["carol@example.org"], "shop")
    data = _stored(place, RouteResolved).data
    place.stream.append([_again(data)])
    place.tell(REDRIVEN)
    place.run(owner)
    assert _status(place) == "scheduled"
    assert owner.tally.void == 1
    last = place.events(SendScheduled)[-1]
    assert isinstance(last, SendScheduled)
    assert last.address == "carol@example.org"
    assert last.possible_duplicate


def _again(data: bytes) -> OutgoingRecord:
    return OutgoingRecord(SUBJECT, data)


def test_a_redriven_fact_is_taken_as_if_it_had_just_come(place: Place) -> None:
    """It was never accepted, so its id is new."""
    place.aliases.put("sales@example.com", ["bob@example.org"], "shop")
    place.tell(RECEIPT)
    owner = _die_at(place, MailReceived)
    assert _status(place) == "parked"
    place.tell(RECEIPT, REDRIVEN)
    place.run(owner)
    assert _status(place) == "scheduled"
    assert len(place.events(RouteResolved)) == 1
    (only,) = place.events(SendScheduled)
    assert isinstance(only, SendScheduled)
    assert not only.possible_duplicate


def test_a_suspect_is_tried_while_nobody_else_works(place: Place) -> None:
    """Else a death at another shard's record would count as one at this."""
    place.tell(RECEIPT)
    with pytest.raises(Died):
        place.run(_poison(place.owner(), MailReceived))
    place.owner().cursor.attempt(_stored(place, MailReceived).sequence_number)
    suspicious = place.owner()
    waits = Signal()
    suspicious.around.clock.sleep = _and_tell(waits)  # type: ignore[method-assign]
    with suspicious.around.trials.beside(_never):
        trying = Thread(target=place.read, args=(suspicious,))
        trying.start()
        assert waits.wait(5)
        cursor = place.store.get("cursors", suspicious.cursor.key) or {}
        assert cursor["tries"] == 1
    trying.join(5)
    assert _status(place) == "received"


def _and_tell(waits: Signal) -> Callable[[float], None]:
    def sleep(seconds: float) -> None:
        waits.set()
        Signal().wait(seconds)

    return sleep


def _never(seconds: float) -> None:
    raise AssertionError(seconds)


def test_only_what_was_tried_before_is_suspect(place: Place) -> None:
    """A first trial goes on beside the work of others."""
    place.tell(RECEIPT)
    place.owner()
    owner = place.owner()
    assert owner._careful
    with owner.around.trials.beside(_never):
        place.read(owner)
    assert _status(place) == "received"


def test_a_completed_mail_stays_completed_whatever_is_put_aside(place: Place) -> None:
    """Parked is what is still open."""
    place.aliases.put("sales@example.com", ["bob@example.org"], "shop")
    place.tell(RECEIPT)
    owner = place.owner()
    place.run(owner)
    (attempt,) = place.events(SendScheduled)
    assert isinstance(attempt, SendScheduled)
    place.tell(fact(accepted(attempt.attempt_id), name="accepted"))
    place.run(owner)
    place.append(_again(b"\xc1 garbage"))
    place.run(owner)
    assert _status(place) == "completed"
