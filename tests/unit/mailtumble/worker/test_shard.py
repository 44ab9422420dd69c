"""The shard processor: from records to a committed cursor, through deaths, zombies and garbage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mailtumble.ports.store import Action
from mailtumble.ports.stream import OutgoingRecord
from mailtumble.worker.cursor import TRIES_MAX, ShardLost
from mailtumble.worker.patience import Stopping
from mailtumble.worker.shard import BATCH_RECORDS_MAX, QUIET_US
from schemas.codec import encode
from schemas.envelope import GENESIS
from schemas.errors import RetryableError
from schemas.events import (
    MailCompleted,
    RecordQuarantined,
    RouteDeferred,
    RouteNotFound,
    RouteResolved,
    SendScheduled,
    TimerFired,
)
from schemas.ids import decision_id, mail_id, mail_subject
from tests.fakes import InMemoryItems, InMemoryStream
from tests.samples import MAIL_ID, SUBJECT, accepted, decision, fact, received
from tests.unit.mailtumble.worker.conftest import Place

RECEIPT = fact(received())
GARBAGE = OutgoingRecord(SUBJECT, b"\xc1 what is this?")
MAIL_KEY = {"mail_key": f"g1#{MAIL_ID}"}


class Died(BaseException):
    """The process is gone at this very call."""


class Mortal(InMemoryItems):
    """Tables at which the worker can be made to die, or which don't answer for a while."""

    dies = False
    outages = 0

    def transact(self, actions: Sequence[Action]) -> None:
        """Commit, unless death or an outage comes before."""
        if self.dies:
            raise Died
        if self.outages:
            self.outages -= 1
            message = "throttled"
            raise RetryableError(message)
        super().transact(actions)


def _status(place: Place) -> object:
    item = place.store.get("mails", MAIL_KEY)
    return item and item["status"]


def test_a_mail_goes_from_receipt_to_queue_in_one_decision(place: Place) -> None:
    """The receipt is judged, decided on, and the decision read back and shown."""
    place.tell(RECEIPT)
    owner = place.owner()
    assert place.read(owner) == 1
    assert _status(place) == "received"
    assert place.read(owner) == 1
    assert _status(place) == "scheduled"
    (_, decided) = place.log()
    assert decided.id == decision_id(RECEIPT.id, "mail", SUBJECT)
    assert (decided.cause, decided.after) == (RECEIPT.id, GENESIS)
    assert [type(event) for event in decided.events] == [RouteResolved, SendScheduled]
    assert place.read(owner) == 0


def test_decisions_of_one_batch_build_on_each_other(place: Place) -> None:
    """Two facts read together: the second is decided on what the first one's decision says."""
    place.tell(RECEIPT)
    owner = place.owner()
    place.run(owner)
    (attempt,) = place.events(SendScheduled)
    assert isinstance(attempt, SendScheduled)
    late = fact(accepted(attempt.attempt_id, called_at=1), name="second")
    again = fact(accepted(attempt.attempt_id, called_at=2), name="third")
    place.tell(late, again)
    place.run(owner)
    assert len(place.events(MailCompleted)) == 1
    assert owner.tally.void == 0
    assert _status(place) == "completed"


def test_a_repeated_fact_is_decided_once(place: Place) -> None:
    """A redelivery has the same id."""
    place.tell(RECEIPT, RECEIPT)
    owner = place.owner()
    place.run(owner)
    place.tell(RECEIPT)
    place.run(owner)
    assert len(place.events(RouteResolved)) == 1
    assert owner.tally.repeated == 2


def test_records_at_or_before_the_cursor_are_skipped(place: Place) -> None:
    """A reader that begins too early changes nothing."""
    place.tell(RECEIPT)
    owner = place.owner()
    place.run(owner)
    before = owner.tally.accepted
    owner.process(place.stream.reader(owner.shard.id, after=None).read(100).records)
    assert owner.tally.accepted == before


def test_a_death_between_append_and_commit_decides_again_in_vain(place: Place) -> None:
    """The successor's decision, even with another answer, is void: the first on the log wins."""
    store = Mortal()
    place.store = store
    place.tell(RECEIPT)
    owner = place.owner()
    store.dies = True
    with pytest.raises(Died):
        place.read(owner)
    store.dies = False
    place.aliases.put("sales@example.com", ["carol@example.org"], "shop")
    successor = place.owner()
    place.run(successor)
    assert len(place.log()) == 3
    assert successor.tally.void == 1
    item = place.store.get("mails", MAIL_KEY)
    assert item is not None
    assert [target["address"] for target in item["targets"]] == ["bob@example.org"]  # type: ignore[index, union-attr, call-overload]
    assert successor._memory[SUBJECT].pending == []


def test_a_zombies_decision_that_came_first_is_built_on(place: Place) -> None:
    """Mine is void then, and what it answered besides is decided again on top of the winner."""
    place.tell(RECEIPT)
    name = decision_id(RECEIPT.id, "mail", SUBJECT)
    zombies = decision(RouteNotFound(tried=("sales@example.com",)), name=name, builds_on=GENESIS)
    owner = place.owner()
    place.tell(zombies)
    place.run(owner)
    assert _status(place) == "unroutable"
    assert owner.tally.void == 1
    assert owner._memory[SUBJECT].pending == []


def test_an_outputs_fate_is_remembered_across_owners(place: Place) -> None:
    """A pending output lies in the subject's item: the successor knows what is on its way."""
    place.tell(RECEIPT)
    place.read(place.owner())
    successor = place.owner()
    place.run(successor)
    assert _status(place) == "scheduled"
    assert successor.tally.decided == 0
    assert successor._memory[SUBJECT].pending == []


def test_garbage_is_quarantined_and_the_shard_goes_on(place: Place) -> None:
    """Its bytes are kept, it is told on the mail's subject, and what comes after is processed."""
    place.append(GARBAGE)
    place.tell(RECEIPT)
    owner = place.owner()
    place.run(owner)
    (event,) = place.events(RecordQuarantined)
    assert isinstance(event, RecordQuarantined)
    assert place.objects.get(event.bucket, event.object_key) == GARBAGE.data
    assert event.reason.startswith("not msgpack")
    assert owner.tally.quarantined == 1
    assert len(place.store.scan("quarantine")) == 1
    assert len(place.events(RouteResolved)) == 1


def test_a_record_under_another_subjects_key_is_quarantined(place: Place) -> None:
    """It would be judged on a shard that doesn't own its subject."""
    place.append(OutgoingRecord("mail:other", encode(RECEIPT)))
    owner = place.owner()
    place.run(owner)
    (event,) = place.events(RecordQuarantined)
    assert isinstance(event, RecordQuarantined)
    assert "its partition key is another" in event.reason


def test_a_long_batch_is_cut(place: Place) -> None:
    """More records than fit a batch are committed in several, in order."""
    others = [f"r{number}@example.com" for number in range(BATCH_RECORDS_MAX + 5)]
    place.tell(
        *(
            replace(
                fact(received(recipient=each), name=each),
                subject=mail_subject(mail_id("m", each)),
            )
            for each in others
        )
    )
    owner = place.owner()
    place.run(owner)
    assert owner.tally.accepted == 2 * len(others)
    assert len(place.store.scan("mails")) == len(others)


def test_an_outage_is_waited_out(place: Place) -> None:
    """What the world refuses for now is done later: nothing is lost, nothing done twice."""
    store = Mortal()
    place.store = store
    place.tell(RECEIPT)
    owner = place.owner()
    store.outages = 5
    place.run(owner)
    assert _status(place) == "scheduled"
    assert len(place.events(RouteResolved)) == 1


def test_a_stop_during_an_outage_ends_the_waiting(place: Place) -> None:
    """Nothing was committed, and the record that was tried is not to blame for it."""
    store = Mortal()
    place.store = store
    place.tell(RECEIPT)
    place.owner()
    owner = place.owner()
    store.outages = 1_000_000
    place.stopping = lambda: True
    for _ in range(TRIES_MAX + 1):
        with pytest.raises(Stopping):
            place.read(owner)
    store.outages = 0
    place.stopping = lambda: False
    successor = place.owner()
    place.run(successor)
    assert successor.tally.quarantined == 0
    assert _status(place) == "scheduled"


def test_a_lost_owner_commits_nothing(place: Place) -> None:
    """What it has appended is void or repeated; its tables' writes fail whole."""
    place.tell(RECEIPT)
    zombie = place.owner()
    successor = place.owner()
    with pytest.raises(ShardLost):
        place.read(zombie)
    assert _status(place) is None
    place.run(successor)
    assert _status(place) == "scheduled"
    assert len([record for record in place.log() if record.is_decision]) == 2
    with pytest.raises(ShardLost):
        zombie.process(place.stream.reader(zombie.shard.id, after=None).read(10).records)


def test_a_record_at_which_workers_die_is_quarantined(place: Place) -> None:
    """Three owners die at it, one record at a time; the fourth takes it out and goes on."""
    store = Mortal()
    place.store = store
    place.owner()
    place.tell(RECEIPT)
    for _ in range(TRIES_MAX):
        owner = place.owner()
        store.dies = True
        with pytest.raises(Died):
            place.read(owner)
        store.dies = False
    fourth = place.owner()
    place.run(fourth)
    (event,) = place.events(RecordQuarantined)
    assert isinstance(event, RecordQuarantined)
    assert event.reason == "it ended the worker three times"
    assert fourth.tally.quarantined == 1


def test_after_a_good_bye_nobody_needs_to_be_careful(place: Place) -> None:
    """A clean end writes no attempts."""
    place.owner().release()
    successor = place.owner()
    place.tell(RECEIPT)
    place.run(successor)
    assert "trying" not in (place.store.get("cursors", successor.cursor.key) or {})
    assert successor._careful == 0


def test_a_due_timer_is_appended_and_its_decision_made_when_it_is_read(place: Place) -> None:
    """An alias that comes late is found by the look-up's timer."""
    place.aliases.find = _unavailable  # type: ignore[method-assign, assignment]
    place.tell(RECEIPT)
    owner = place.owner()
    place.run(owner)
    assert len(place.events(RouteDeferred)) == 1
    owner.tick()
    assert place.events(TimerFired) == []
    del place.aliases.find  # type: ignore[method-assign]
    place.clock.advance(3)
    owner.tick()
    owner.tick()
    assert len(place.events(TimerFired)) == 1
    place.run(owner)
    assert _status(place) == "scheduled"
    assert place.store.scan("timers") == []


def test_a_quiet_shard_tells_that_nothing_came(place: Place) -> None:
    """Each fifteen seconds: whoever counts by this application's views knows until when."""
    place.tell(RECEIPT)
    owner = place.owner()
    place.run(owner)
    came_at = owner.cursor.arrived_at
    assert came_at == place.stream.records()[-1].arrived_at
    for later_us in (1, QUIET_US - 1):
        owner.quiet(came_at + later_us)
    assert owner.cursor.arrived_at == came_at
    owner.quiet(came_at + QUIET_US)
    assert place.owner().cursor.arrived_at == came_at + QUIET_US


def _unavailable(names: Sequence[str]) -> object:
    message = f"no answer about {len(names)}"
    raise RetryableError(message)


def test_a_zombie_appends_no_timers(place: Place) -> None:
    """Before a timer is appended, its owner asks whether the shard is still its own."""
    place.aliases.find = _unavailable  # type: ignore[method-assign, assignment]
    place.tell(RECEIPT)
    zombie = place.owner()
    place.run(zombie)
    place.clock.advance(3)
    successor = place.owner()
    with pytest.raises(ShardLost):
        zombie.tick()
    assert place.events(TimerFired) == []
    successor.tick()
    assert len(place.events(TimerFired)) == 1


def test_what_is_due_on_a_closed_shard_belongs_to_its_children(place: Place) -> None:
    """Whoever takes a shard over that was read to its end has no timers of it."""
    place.aliases.find = _unavailable  # type: ignore[method-assign, assignment]
    place.tell(RECEIPT)
    owner = place.owner()
    place.run(owner)
    owner.close()
    place.clock.advance(3)
    successor = place.owner()
    assert successor.closed
    successor.tick()
    assert place.events(TimerFired) == []


def test_a_failed_append_of_a_batch_commits_nothing(place: Place) -> None:
    """First the outputs, then the cursor: a death at the append repeats the whole batch."""

    class Deaf(InMemoryStream):
        """Doesn't take anything."""

        def append(self, records: Sequence[OutgoingRecord]) -> Sequence[str]:
            """Refuse."""
            message = f"{len(records)} not acknowledged"
            raise RetryableError(message)

    place.tell(RECEIPT)
    owner = place.owner()
    place.stopping = lambda: True
    owner.around = replace(owner.around, stream=Deaf(place.clock, 1))
    with pytest.raises(Stopping):
        place.read(owner)
    assert owner.cursor.sequence is None
    assert _status(place) is None
