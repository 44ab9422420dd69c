"""A record that only a newer release can read: waited for, not skipped, and not for ever."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgpack
import pytest

from mailtumble.ports.store import Put
from mailtumble.ports.stream import OutgoingRecord
from mailtumble.ports.world import AliasEntry
from mailtumble.worker.cursor import ShardLost
from mailtumble.worker.records import read_record
from mailtumble.worker.shard import ShardProcessor
from mailtumble.worker.upgrades import UPGRADE_WAIT_US, AwaitsUpgrade
from schemas.codec import encode
from schemas.envelope import GENESIS, Head
from schemas.errors import RetryableError
from schemas.events import (
    Event,
    MailReceived,
    RecordQuarantined,
    RouteDeferred,
    RouteNotFound,
    RouteResolved,
    TimerFired,
)
from schemas.ids import decision_id, fingerprint, mail_id, mail_subject
from schemas.values import HOUR_US, MINUTE_US, SECOND_US
from tests import samples
from tests.newer import newer, upgraded
from tests.samples import SUBJECT, decision, fact, received
from tests.unit.mailtumble.worker.conftest import Place

RECEIPT = fact(received())
OTHER = mail_subject(mail_id("other", samples.RECIPIENT))
OTHERS_RECEIPT = fact(received(ses_message_id="other"), name="other", subject=OTHER)


def _wait(place: Place, owner: ShardProcessor) -> AwaitsUpgrade:
    """Read, and expect that the shard waits."""
    with pytest.raises(AwaitsUpgrade) as waits:
        place.read(owner)
    return waits.value


def _told(place: Place, kind: type[Event]) -> list[Event]:
    """The events of a kind in the records that this release can read, in order."""
    read = [read_record(each) for each in place.stream.records()]
    events = (event for each in read if each.envelope for event in each.envelope.events)
    return [event for event in events if isinstance(event, kind)]


def _sequence(place: Place, number: int) -> str:
    return place.stream.records()[number].sequence_number


def _times_out(names: Sequence[str]) -> Mapping[str, AliasEntry]:
    message = f"{len(names)} names: timed out"
    raise RetryableError(message)


def test_what_comes_before_is_done_and_what_comes_after_waits(place: Place) -> None:
    """The cursor stands before the record, and nothing is written about it on the stream."""
    place.tell(RECEIPT)
    place.append(newer(OTHERS_RECEIPT))
    place.tell(fact(received(), name="after"))
    owner = place.owner()
    _wait(place, owner)
    assert owner.committed == _sequence(place, 0)
    assert owner.tally.accepted == 1
    _wait(place, owner)
    assert owner.tally.accepted == 1
    assert owner.tally.quarantined == 0
    assert not place.store.scan("quarantine")


def test_the_log_says_what_is_awaited_and_what_to_do(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """At the beginning, and then once a minute."""
    place.append(newer(RECEIPT))
    owner = place.owner()
    with caplog.at_level(logging.ERROR):
        for _ in range(10):
            _wait(place, owner)
        assert len(caplog.records) == 1
        place.clock.sleep(61)
        _wait(place, owner)
    assert len(caplog.records) == 2
    text = caplog.records[0].getMessage()
    assert "MailReceived version" in text
    assert "upgrade the workers" in text
    assert "quarantined in 900 s" in text


def test_an_upgraded_worker_goes_on_where_the_old_one_waited(place: Place) -> None:
    """As if nothing had happened: the record is folded and decided, nothing is quarantined."""
    place.append(newer(RECEIPT))
    _wait(place, place.owner())
    place.clock.sleep(60)
    with upgraded():
        successor = place.owner()
        place.run(successor)
        assert len(place.events(RouteResolved)) == 1
    assert successor.tally.quarantined == 0
    assert successor.cursor.awaited is None


def test_timers_fire_while_the_shard_waits(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """They only append; what they mean is decided when they are read."""
    monkeypatch.setattr(place.aliases, "find", _times_out)
    place.tell(RECEIPT)
    owner = place.owner()
    place.run(owner)
    place.append(newer(OTHERS_RECEIPT))
    _wait(place, owner)
    place.clock.sleep(10 * 60)
    owner.tick()
    assert len(_told(place, TimerFired)) == 1
    assert len(_told(place, RouteDeferred)) == 1
    place.clock.sleep(5 * 60)
    place.run(owner)
    assert len(_told(place, RouteDeferred)) == 2


def test_restarts_neither_begin_the_wait_anew_nor_count_as_deaths(place: Place) -> None:
    """Twenty workers die at it in 14 minutes; it is quarantined after 15, for the right reason."""
    place.append(newer(RECEIPT))
    since = _wait(place, place.owner()).since
    for _ in range(20):
        place.clock.sleep(42)
        assert _wait(place, place.owner()).since == since
    place.clock.sleep(60)
    owner = place.owner()
    place.read(owner)
    (told,) = _told(place, RecordQuarantined)
    assert isinstance(told, RecordQuarantined)
    assert "upgrade the workers" in told.reason
    assert place.clock.now() - since == UPGRADE_WAIT_US


def test_after_the_wait_it_is_quarantined_and_can_be_redriven_after_the_upgrade(
    place: Place,
) -> None:
    """Its bytes are kept, and the shard goes on."""
    record = newer(RECEIPT)
    place.append(record)
    place.tell(OTHERS_RECEIPT)
    owner = place.owner()
    _wait(place, owner)
    place.clock.sleep(UPGRADE_WAIT_US / SECOND_US)
    place.run(owner)
    assert owner.tally.quarantined == 1
    assert len(_told(place, RouteResolved)) == 1
    (item,) = place.store.scan("quarantine")
    assert place.objects.get(str(item["bucket"]), str(item["object_key"])) == record.data
    with upgraded():
        successor = place.owner()
        place.append(record)
        place.read(successor)
    assert successor.tally.accepted == 1


def test_a_record_that_is_met_late_is_waited_for_in_full(place: Place) -> None:
    """A shard that was down for hours meets it when the deployment has perhaps just begun."""
    place.append(newer(RECEIPT))
    place.clock.sleep(5 * HOUR_US / SECOND_US)
    owner = place.owner()
    assert _wait(place, owner).since == place.clock.now()
    place.clock.sleep(14 * 60)
    _wait(place, owner)


def test_a_stream_of_them_delays_the_shard_by_one_wait_in_all(place: Place) -> None:
    """One a minute for an hour: none is behind by more than 15 minutes after the first wait."""
    owner = place.owner()
    for number in range(60):
        subject = mail_subject(mail_id(str(number), samples.RECIPIENT))
        place.append(newer(fact(received(), name=f"r{number}", subject=subject)))
        for _ in range(6):
            with suppress(AwaitsUpgrade):
                place.run(owner)
            place.clock.sleep(10)
    behind_us = place.clock.now() - owner.cursor.arrived_at
    assert owner.tally.quarantined >= 40
    assert behind_us <= UPGRADE_WAIT_US + 2 * MINUTE_US


def test_a_new_deployment_is_waited_for_anew(place: Place) -> None:
    """A wait in vain an hour ago says nothing about today's."""
    owner = place.owner()
    place.append(newer(RECEIPT))
    _wait(place, owner)
    place.clock.sleep(UPGRADE_WAIT_US / SECOND_US)
    place.run(owner)
    place.clock.sleep(3600)
    place.append(newer(OTHERS_RECEIPT))
    place.clock.sleep(1200)
    assert _wait(place, owner).since == place.clock.now()


def test_a_waiting_worker_learns_that_the_shard_is_anothers(place: Place) -> None:
    """So the upgraded owner and the waiting one never both go on."""
    place.append(newer(RECEIPT))
    owner = place.owner()
    _wait(place, owner)
    place.owner()
    with pytest.raises(ShardLost):
        place.read(owner)


def test_a_quarantined_newer_decision_is_the_head_all_the_same(place: Place) -> None:
    """Newer readers have accepted it: this one must go on agreeing about what is void."""
    place.tell(RECEIPT)
    name = decision_id(RECEIPT.id, "mail", SUBJECT)
    theirs = newer(decision(RouteNotFound(tried=("x",)), name=name, builds_on=GENESIS))
    place.append(theirs)
    owner = place.owner()
    _wait(place, owner)
    place.clock.sleep(UPGRADE_WAIT_US / SECOND_US)
    place.read(owner)
    assert owner._memory[SUBJECT].ledger.head("mail") == Head(name, fingerprint(theirs.data))


def _stored_by_a_newer_release(place: Place, subject: str) -> bytes:
    """Let a subject be stored in a version of its state that this release does not know."""
    key = {"subject_key": f"core#g1#{subject}"}
    item = place.store.get("subjects", key) or {}
    plain: list[object] = msgpack.unpackb(item["state"])  # type: ignore[arg-type]
    plain[5] = 99
    data: bytes = msgpack.packb(plain)
    place.store.write(Put("subjects", {**key, "state": data}))
    return data


def test_a_subject_that_a_newer_release_has_stored_is_waited_for_and_left_alone(
    place: Place,
) -> None:
    """Its records are quarantined in the end; the shard goes on, and the state stays as it is."""
    place.tell(RECEIPT)
    owner = place.owner()
    place.run(owner)
    data = _stored_by_a_newer_release(place, SUBJECT)
    place.tell(fact(received(), name="again"), OTHERS_RECEIPT)
    successor = place.owner()
    assert "the state of mail has version 99" in str(_wait(place, successor))
    place.clock.sleep(UPGRADE_WAIT_US / SECOND_US)
    place.run(successor)
    reasons = [each.reason for each in _told(place, RecordQuarantined)]  # type: ignore[attr-defined]
    assert ["version 99" in each for each in reasons] == [True]
    assert len(place.store.scan("quarantine")) == 1
    assert len(_told(place, RouteResolved)) == 2
    item = place.store.get("subjects", {"subject_key": f"core#g1#{SUBJECT}"}) or {}
    assert item["state"] == data


@pytest.mark.parametrize("state", [b"\xc1", msgpack.packb([2, {}])])
@pytest.mark.parametrize("clean", [True, False])
def test_a_subject_whose_state_is_garbage_does_not_stop_the_shard(
    place: Place,
    state: bytes,
    clean: bool,  # noqa: FBT001 - drawn by name
) -> None:
    """Its records are quarantined at once, and the state stays for a person to look at."""
    place.tell(RECEIPT)
    owner = place.owner()
    place.run(owner)
    if clean:
        owner.release()
    item = {"subject_key": f"core#g1#{SUBJECT}", "state": state}
    place.store.write(Put("subjects", item))
    place.tell(fact(received(), name="again"), OTHERS_RECEIPT)
    successor = place.owner()
    place.run(successor)
    (told,) = _told(place, RecordQuarantined)
    assert isinstance(told, RecordQuarantined)
    assert told.reason.startswith(f"{SUBJECT}: ")
    assert told.partition_key == SUBJECT
    assert len(place.store.scan("quarantine")) == 1
    assert len(_told(place, RouteResolved)) == 2
    assert successor.committed == _sequence(place, -1)
    assert place.store.get("subjects", {"subject_key": item["subject_key"]}) == item


def test_an_unknown_key_alone_is_not_waited_for(place: Place) -> None:
    """It is carried: the record is folded, and the decision about it names its hash as it is."""
    plain = msgpack.unpackb(encode(RECEIPT))
    place.append(OutgoingRecord(SUBJECT, msgpack.packb({**plain, "zone": "eu"})))
    owner = place.owner()
    place.run(owner)
    (told,) = place.events(MailReceived)
    assert told == RECEIPT.events[0]
    assert owner.tally.accepted == 2
    assert place.log()[0].extra == {"zone": "eu"}
