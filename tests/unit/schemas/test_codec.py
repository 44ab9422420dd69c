"""Bytes and records are the same thing in two forms; what is no record is refused by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import RECORD_BYTES_MAX, decode, decode_outline, encode, unpack
from schemas.envelope import EventEnvelope
from schemas.errors import (
    InvariantBroken,
    UndecodableRecord,
    UnknownEvent,
    UnknownEventType,
    UnknownEventVersion,
)
from schemas.events import EVENT_TYPES, Event, MailCompleted
from schemas.ids import fingerprint
from tests import golden, samples
from tests.event_strategies import envelopes, values_of

RECORD = golden.sample(samples.scheduled())


def _plain(record: EventEnvelope = RECORD) -> dict[str, Any]:
    return dict(msgpack.unpackb(encode(record)))


def _refusal(plain: object) -> str:
    with pytest.raises(UndecodableRecord) as refused:
        decode(msgpack.packb(plain))
    return str(refused.value)


def _read(data: bytes) -> EventEnvelope | None:
    """The record, or None where the bytes were refused as they should be."""
    try:
        return decode(data)
    except UndecodableRecord:
        return None


def _with_payload(**changes: object) -> dict[str, Any]:
    plain = _plain()
    payload = {**plain["events"][0][2], **changes}
    return {**plain, "events": [["SendScheduled", 1, payload]]}


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
@settings(max_examples=30)
@given(data=st.data())
def test_what_is_encoded_decodes_to_the_same(kind: type[Event], data: st.DataObject) -> None:
    """For every event type: no field is lost or changed on the way through the log."""
    record = data.draw(envelopes(values_of(kind)))
    assert decode(encode(record)) == record


@given(envelopes())
def test_encoding_is_deterministic(record: EventEnvelope) -> None:
    """The same record gives the same bytes, also after a round trip: so bytes can be hashed."""
    data = encode(record)
    again = encode(decode(data))
    assert again == data
    assert fingerprint(again) == fingerprint(data)


def test_maps_are_written_in_the_order_of_their_keys() -> None:
    """The order in which a map was filled doesn't show in the bytes."""
    one = golden.sample(MailCompleted(ended={"bounced": 1, "completed": 2}))
    other = golden.sample(MailCompleted(ended={"completed": 2, "bounced": 1}))
    assert encode(one) == encode(other)


def test_a_usual_record_is_small() -> None:
    """Receipt and decision of a mail with two targets stay near 1 KB."""
    record = samples.fact(samples.received(), samples.resolved("a@example.org", "b@example.org"))
    assert len(encode(record)) < 1024 < RECORD_BYTES_MAX


@given(st.binary(max_size=200))
def test_garbage_is_refused_and_never_breaks_the_reader(data: bytes) -> None:
    """Any bytes at all are a record or an UndecodableRecord, nothing else."""
    record = _read(data)
    assert record is None or decode(encode(record)) == record


@given(at=st.integers(0, len(encode(RECORD)) - 1), byte=st.integers(0, 255))
def test_a_record_with_a_flipped_byte_never_breaks_the_reader(at: int, byte: int) -> None:
    """Damage within a good record is refused, or gives another good record."""
    data = bytearray(encode(RECORD))
    data[at] = byte
    record = _read(bytes(data))
    assert record is None or isinstance(record, EventEnvelope)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", encode(RECORD)[:-1], encode(RECORD) + b"\x00", b"\x91" * 5000, b"\x81\x01\x02"],
    ids=["empty", "reserved", "cut off", "too long", "too deep", "key not text"],
)
def test_what_is_not_msgpack_is_said_to_be_so(data: bytes) -> None:
    """Bytes that can't be unpacked, or hold more or less than one value."""
    with pytest.raises(UndecodableRecord, match="not msgpack"):
        unpack(data)


@pytest.mark.parametrize("plain", [None, 7, "text", [1, 2], {}])
def test_what_is_no_map_of_a_record_is_refused(plain: object) -> None:
    """It is msgpack, but of something else."""
    assert "not an event envelope" in _refusal(plain)


@pytest.mark.parametrize("name", sorted(_plain()))
def test_a_record_that_lacks_a_field_is_refused(name: str) -> None:
    """None of the envelope's fields has a default."""
    plain = _plain()
    del plain[name]
    assert "not an event envelope" in _refusal(plain)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", 1),
        ("subject", b"mail:1"),
        ("cause", None),
        ("after", "head"),
        ("after", ["id", "text"]),
        ("recorded_at", "now"),
        ("recorded_at", True),
        ("decider", 3),
        ("rule_version", 1.0),
        ("events", {}),
        ("events", [["SendParked", 1]]),
        ("events", [["SendParked", "1", {}]]),
        ("events", [["SendParked", True, {}]]),
        ("events", [[1, 1, {}]]),
    ],
)
def test_a_wrong_field_of_the_record_is_named(name: str, value: object) -> None:
    """The complaint says which field of the envelope can't be used."""
    assert f"envelope.{name}" in _refusal({**_plain(), name: value})


def test_a_missing_field_of_an_event_is_named() -> None:
    """Without a value for a field that has no default, nobody knows what happened."""
    plain = _with_payload()
    del plain["events"][0][2]["due_at"]
    del plain["events"][0][2]["tenant"]
    assert _refusal(plain) == "SendScheduled lacks due_at, tenant"


def test_a_field_with_a_default_may_be_missing() -> None:
    """So a field can be added without a new version, where the default says the old truth."""
    plain = _with_payload()
    del plain["events"][0][2]["possible_duplicate"]
    assert decode(msgpack.packb(plain)) == RECORD


def test_an_unknown_field_of_an_event_is_named() -> None:
    """A newer writer's field is not dropped in silence."""
    assert _refusal(_with_payload(colour="red")) == "SendScheduled has no field 'colour'"


@pytest.mark.parametrize(
    ("name", "value", "wanted", "found"),
    [
        ("address", 5, "str", "int"),
        ("due_at", "soon", "int", "str"),
        ("due_at", 1.5, "int", "float"),
        ("number", True, "int", "bool"),
        ("possible_duplicate", 1, "bool", "int"),
        ("tenant", None, "str", "NoneType"),
    ],
)
def test_a_wrong_field_of_an_event_is_named(
    name: str, value: object, wanted: str, found: str
) -> None:
    """The complaint says which field of which event, what it should be and what it is."""
    complaint = _refusal(_with_payload(**{name: value}))
    assert complaint == f"SendScheduled.{name}: expected {wanted}, found {found}"


def test_a_reason_that_is_not_on_the_list_is_named() -> None:
    """Enumerations are closed lists."""
    plain = _plain()
    payload = {
        "target": 0,
        "attempt_id": "a",
        "round": 0,
        "reason": "mood",
        "detail": "",
        "called_at": 0,
    }
    plain["events"] = [["SendDeferred", 1, payload]]
    assert _refusal(plain).startswith("SendDeferred.reason: 'mood' is none of not_called, ")


def test_a_wrong_value_within_a_list_of_structures_is_named() -> None:
    """Also in the parts of an event the field is named, by the part it belongs to."""
    plain = _plain(golden.sample(samples.resolved()))
    plain["events"][0][2]["targets"] = [{"address": 7}]
    assert _refusal(plain) == "Target.address: expected str, found int"


def test_an_unknown_event_type_says_what_to_do() -> None:
    """A record by a newer version can be driven again after the upgrade."""
    plain = {**_plain(), "events": [["SendTeleported", 1, {}]]}
    with pytest.raises(UnknownEventType, match=r"SendTeleported.*upgrade the workers"):
        decode(msgpack.packb(plain))


def test_an_unknown_event_version_says_what_to_do() -> None:
    """The same for a version that this worker doesn't know."""
    plain = _plain()
    plain["events"][0][1] = 99
    with pytest.raises(UnknownEventVersion, match=r"SendScheduled version 99.*upgrade"):
        decode(msgpack.packb(plain))


@pytest.mark.parametrize("version", [0, -1])
def test_a_version_that_no_release_writes_is_not_waited_for(version: int) -> None:
    """No upgrade would help: it is garbage."""
    plain = _plain()
    plain["events"][0][1] = version
    with pytest.raises(UndecodableRecord, match="versions begin with 1") as refused:
        decode(msgpack.packb(plain))
    assert not isinstance(refused.value, UnknownEvent)


def test_an_unknown_key_of_a_record_is_carried() -> None:
    """A newer release's keys are kept when the record is encoded again, and change nothing else."""
    newer = {**_plain(), "zone": "eu", "route": {"a": [1, b"x"]}}
    data = msgpack.packb(newer)
    record = decode(data)
    assert record.extra == {"zone": "eu", "route": {"a": [1, b"x"]}}
    assert replace(record, extra={}) == RECORD
    again = encode(record)
    assert msgpack.unpackb(again) == newer
    assert decode(again) == record
    assert encode(decode(again)) == again


@pytest.mark.parametrize("others", [{}, {"zone": "eu"}])
def test_a_key_of_a_record_that_is_no_string_is_refused(others: dict[str, str]) -> None:
    """Bytes keys next to string keys could not be encoded again, and no release writes them."""
    data = msgpack.packb({**_plain(), **others, b"zone": "eu"})
    for read in (decode, decode_outline):
        with pytest.raises(UndecodableRecord, match="the key b'zone' is not a string"):
            read(data)


def test_the_hash_of_a_record_covers_its_unknown_keys() -> None:
    """Readers hash the bytes of the stream: with another unknown key it is another record."""
    newer = msgpack.packb({**_plain(), "zone": "eu"})
    assert fingerprint(newer) != fingerprint(encode(RECORD))
    assert fingerprint(encode(decode(newer))) == fingerprint(newer)


def test_an_extra_key_takes_the_place_of_no_known_one() -> None:
    """That would be a mistake of this program."""
    with pytest.raises(InvariantBroken, match="'cause'"):
        encode(replace(RECORD, extra={"cause": "another"}))


def test_the_outline_of_a_newer_record_has_all_that_it_is_judged_by() -> None:
    """Everything but the events, which can't be read."""
    record = golden.sample(samples.resolved())
    plain = {**_plain(record), "events": [["SendTeleported", 1, {"to": "moon"}]]}
    assert decode_outline(msgpack.packb(plain)) == replace(record, events=())
