"""Records that an older release passed over: a newer one takes them first, and readers agree."""

from __future__ import annotations

import msgpack
import pytest

from mailtumble.history import History, judged
from mailtumble.ports.store import Put
from mailtumble.ports.stream import OutgoingRecord
from mailtumble.worker import passed_over
from mailtumble.worker.passed_over import PASSED_OVER_BYTES_MAX, PASSED_OVER_MAX, PassedOver
from mailtumble.worker.shard import ShardProcessor
from mailtumble.worker.upgrades import UPGRADE_WAIT_US, AwaitsUpgrade
from processors.kernel import Judgement
from processors.states import VERSIONS
from schemas.codec import encode
from schemas.envelope import EventEnvelope, Head
from schemas.events import RecordQuarantined, RecordRedriven
from schemas.ids import fingerprint
from schemas.values import SECOND_US
from tests.samples import MAIL_ID, SUBJECT, fact, received
from tests.unit.mailtumble.worker.conftest import Place

RECEIPT = fact(received())
KEY = {"subject_key": f"core#g1#{SUBJECT}"}
NEWER = 99


def _become(place: Place, version: int) -> bytes:
    """Let the state have another version; everything else of the item stays. Returns the state."""
    item = place.store.get("subjects", KEY) or {}
    plain: list[object] = msgpack.unpackb(item["state"])  # type: ignore[arg-type]
    plain[5] = version
    data: bytes = msgpack.packb(plain)
    place.store.write(Put("subjects", {**item, "state": data}))
    return data


def _waits(place: Place, owner: ShardProcessor) -> str:
    with pytest.raises(AwaitsUpgrade) as waits:
        place.run(owner)
    return str(waits.value)


def _pass_over(place: Place) -> None:
    """Be an older release that waits in vain and then reads to the end."""
    owner = place.owner()
    _waits(place, owner)
    place.clock.sleep(UPGRADE_WAIT_US / SECOND_US)
    place.run(owner)


def _decision_passed_over(place: Place) -> bytes:
    """Let core decide, and an older release pass its decision over; returns that one's bytes."""
    place.tell(RECEIPT)
    place.read(place.owner())
    state = _become(place, NEWER)
    decided = place.stream.records()[-1].data
    _pass_over(place)
    item = place.store.get("subjects", KEY) or {}
    assert item["state"] == state
    return decided


def _redriven(place: Place, number: int) -> None:
    """Redrive the record of the first quarantine item, as a person does."""
    (item,) = place.store.scan("quarantine")
    data = place.objects.get(str(item["bucket"]), str(item["object_key"]))
    place.append(OutgoingRecord(str(item["partition_key"]), data))
    event = RecordRedriven(quarantined=str(item["id"]), by="ann")
    place.tell(fact(event, name=f"redriven-{number}", subject=str(item["subject"])))


def _status(place: Place) -> object:
    item = place.store.get("mails", {"mail_key": f"g1#{MAIL_ID}"})
    return item and item["status"]


def _decisions(place: Place) -> list[EventEnvelope]:
    """The decisions about the mail, in the order of the stream."""
    return [each for each in place.log() if each.is_decision and each.subject == SUBJECT]


def _history(place: Place) -> History:
    (shard,) = place.stream.shards()
    records = [each for each in place.stream.records() if each.subject == SUBJECT]
    return judged(MAIL_ID, [(shard.id, each) for each in records])


def test_a_decision_that_was_passed_over_is_the_head_after_the_upgrade(place: Place) -> None:
    """Every other reader builds on it. Its mail is parked, as with any quarantined decision."""
    decided = _decision_passed_over(place)
    assert _status(place) != "parked"
    _become(place, VERSIONS["mail"])
    place.tell(fact(received(), name="again"))
    owner = place.owner()
    place.run(owner)
    first, second, *_ = decisions = _decisions(place)
    assert second.after == Head(first.id, fingerprint(decided))
    assert owner.tally.void == 0
    last = Head(decisions[-1].id, fingerprint(encode(decisions[-1])))
    assert owner._memory[SUBJECT].ledger.head("mail") == last
    assert "passed_over" not in (place.store.get("subjects", KEY) or {})


def test_history_agrees_about_what_follows_a_decision_that_was_passed_over(place: Place) -> None:
    """It accepts the same decisions, and has the status that core stores."""
    _decision_passed_over(place)
    _become(place, VERSIONS["mail"])
    _redriven(place, 1)
    owner = place.owner()
    place.run(owner)
    assert _status(place) == "parked"
    _redriven(place, 2)
    place.run(owner)
    history = _history(place)
    assert history.status.value == _status(place) == "scheduled"
    worth = [each.judgement for each in history.steps if each.record and each.record.is_decision]
    assert worth.count(Judgement.VOID) == owner.tally.void
    assert worth[0] is None
    assert Judgement.ACCEPTED in worth
    (item,) = place.store.scan("quarantine")
    assert (item["subject"], item["state"]) == (SUBJECT, "redriven")


def test_a_fact_that_was_passed_over_can_be_redriven_after_the_upgrade(place: Place) -> None:
    """It was never accepted, so its id is new."""
    place.tell(RECEIPT)
    place.run(place.owner())
    _become(place, NEWER)
    place.tell(fact(received(), name="late"))
    _pass_over(place)
    _become(place, VERSIONS["mail"])
    _redriven(place, 1)
    owner = place.owner()
    place.run(owner)
    assert "late" in owner._memory[SUBJECT].ledger.seen
    assert owner.tally.void == owner.tally.repeated == 0
    assert _history(place).status.value == _status(place)


def test_a_worker_that_dies_while_it_catches_up_does_it_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was passed over is forgotten in the transaction that moves the head."""
    decided = _decision_passed_over(place)
    _become(place, VERSIONS["mail"])
    place.tell(fact(received(), name="again"))

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ShardProcessor, "_commit", dies)
        with pytest.raises(KeyboardInterrupt):
            place.read(place.owner())
    assert (place.store.get("subjects", KEY) or {})["passed_over"]
    owner = place.owner()
    place.read(owner)
    place.run(owner)
    told = [each for each in place.log() if isinstance(each.events[0], RecordQuarantined)]
    assert [each.subject for each in told].count(SUBJECT) == 2
    assert owner.tally.repeated >= 1
    first, second, *_ = _decisions(place)
    assert second.after == Head(first.id, fingerprint(decided))
    worth = [each.judgement for each in _history(place).steps if each.record in (first, second)]
    assert worth[:2] == [None, Judgement.ACCEPTED]
    assert _history(place).status.value == _status(place)


def test_a_shard_stops_before_more_records_than_can_be_stored(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It rather waits for an upgrade without an end than loses the agreement."""
    monkeypatch.setattr(passed_over, "PASSED_OVER_MAX", 2)
    place.tell(RECEIPT)
    place.run(place.owner())
    _become(place, NEWER)
    place.tell(*(fact(received(), name=f"late-{number}") for number in range(3)))
    owner = place.owner()
    _waits(place, owner)
    place.clock.sleep(UPGRADE_WAIT_US / SECOND_US)
    assert "does not go on without an upgrade" in _waits(place, owner)
    place.clock.sleep(10 * UPGRADE_WAIT_US / SECOND_US)
    _waits(place, place.owner())
    assert len(place.store.scan("quarantine")) == 0
    stored = passed_over.unpacked((place.store.get("subjects", KEY) or {})["passed_over"])  # type: ignore[arg-type]
    assert len(stored) == 2
    _become(place, VERSIONS["mail"])
    upgraded = place.owner()
    place.run(upgraded)
    assert upgraded.tally.quarantined == 0
    assert "late-2" in upgraded._memory[SUBJECT].ledger.seen


def test_what_was_passed_over_is_stored_as_it_was() -> None:
    """All that judging needs."""
    record = PassedOver("shard-1", "7".zfill(64), 3_000, encode(RECEIPT), "because")
    assert passed_over.unpacked(passed_over.packed([record, record])) == (record, record)
    read = record.read(SUBJECT)
    assert (read.envelope, read.problem, read.is_newer) == (RECEIPT, "because", False)
    assert PassedOver.of("shard-1", read) == record


def test_records_that_are_no_envelopes_are_passed_over_without_their_bytes() -> None:
    """They can't be a head; their bytes are in the quarantine."""
    record = PassedOver("shard-1", "7".zfill(64), 3_000, b"\xc1" * 100, "garbage")
    assert PassedOver.of("shard-1", record.read(SUBJECT)).data == b""
    assert record.read(SUBJECT).envelope is None


def test_both_bounds_hold() -> None:
    """Many records, or large ones."""
    small = PassedOver("s", "1", 0, b"", "")
    large = PassedOver("s", "1", 0, b"x" * (PASSED_OVER_BYTES_MAX // 2), "")
    assert passed_over.fits([small] * PASSED_OVER_MAX)
    assert not passed_over.fits([small] * (PASSED_OVER_MAX + 1))
    assert passed_over.fits([large] * 2)
    assert not passed_over.fits([large] * 3)
