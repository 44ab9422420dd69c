"""Event envelopes to msgpack and back. The same envelope gives the same bytes, always.

The layout is a map with the keys of :class:`EventEnvelope` in their order, and after them any
``extra`` ones, sorted. Each event is a list ``[type, version, payload]``, each payload a map in the
order of the class's fields; maps inside it are sorted by key. There are no floats except the
quota's rate, and no extension types.

What may grow, and how:

- A newer release may add keys to the envelope: they are carried, and ignored.
- A newer release may add event types, and versions of events. Decoding raises
  :class:`UnknownEvent`, and the shard waits for an upgrade (:mod:`mailtumble.worker.upgrades`).
- Fields of an event do not grow within a version: an unknown field is an error. Versions exist to
  announce a change. A reader that dropped a field of a fact in silence would fold something else
  than a reader that knows it, and their views would differ without anybody noticing.
"""

from __future__ import annotations

from typing import Any, Final

import msgpack

from schemas.envelope import EventEnvelope, Head
from schemas.errors import InvariantBroken, UndecodableRecord, UnknownEventType
from schemas.events import EVENT_TYPES, Event, Versions
from schemas.structure import from_plain, to_plain
from schemas.upcasters import upcast

RECORD_BYTES_MAX: Final = 1024 * 1024
"""Kinesis takes 1 MiB by default; ours stay near 1 KB."""

_BY_NAME: Final = {kind.__name__: kind for kind in EVENT_TYPES}
_KEYS: Final = frozenset(
    {"id", "subject", "cause", "after", "recorded_at", "decider", "rule_version", "events"}
)


def encode(envelope: EventEnvelope) -> bytes:
    """The bytes of a record's data."""
    after = envelope.after
    plain = {
        "id": envelope.id,
        "subject": envelope.subject,
        "cause": envelope.cause,
        "after": None if after is None else [after.id, after.fingerprint],
        "recorded_at": envelope.recorded_at,
        "decider": envelope.decider,
        "rule_version": envelope.rule_version,
        "events": [
            [type(event).__name__, Versions.current[type(event)], to_plain(event)]
            for event in envelope.events
        ],
    }
    for name in sorted(envelope.extra):
        if name in plain:
            message = f"an envelope has a key {name!r} of its own: it can't be an extra one"
            raise InvariantBroken(message)
        plain[name] = envelope.extra[name]
    data: bytes = msgpack.packb(plain)
    return data


def decode(data: bytes) -> EventEnvelope:
    """Read a record's data.

    Raises:
        UndecodableRecord: these are no bytes of ours; the text says at which field.
        UnknownEventType: an event that this version has never heard of.
        UnknownEventVersion: an event of a version that it can't read.
    """
    plain = _plain_envelope(data)
    return _envelope(plain, tuple(_event(each) for each in plain["events"]))


def decode_outline(data: bytes) -> EventEnvelope:
    """Read a record's data without its events.

    The outline has all that readers judge a record by. Of a record with an unknown event, it is
    what can be read.

    Raises:
        UndecodableRecord: these are no bytes of ours; the text says at which field.
    """
    return _envelope(_plain_envelope(data), ())


def _plain_envelope(data: bytes) -> dict[str, Any]:
    """Unpack an envelope, and check everything but its events."""
    plain = unpack(data)
    if type(plain) is not dict or not plain.keys() >= _KEYS:
        message = "not an event envelope: its keys are not those of a record"
        raise UndecodableRecord(message)
    for key in plain:
        if type(key) is not str:
            message = f"envelope: the key {key!r:.100} is not a string"
            raise UndecodableRecord(message)
    for name, kind in _KINDS.items():
        if type(plain[name]) is not kind:
            message = f"envelope.{name}: expected {kind.__name__}"
            raise UndecodableRecord(message)
    return plain


def _envelope(plain: dict[str, Any], events: tuple[Event, ...]) -> EventEnvelope:
    known = len(plain) == len(_KEYS)
    return EventEnvelope(
        id=plain["id"],
        subject=plain["subject"],
        cause=plain["cause"],
        after=_head(plain["after"]),
        recorded_at=plain["recorded_at"],
        decider=plain["decider"],
        rule_version=plain["rule_version"],
        events=events,
        extra={} if known else {name: plain[name] for name in plain if name not in _KEYS},
    )


_KINDS: Final[dict[str, type]] = {
    "id": str,
    "subject": str,
    "cause": str,
    "recorded_at": int,
    "decider": str,
    "rule_version": int,
    "events": list,
}


def unpack(data: bytes) -> Any:  # noqa: ANN401 - whatever msgpack holds
    """Plain values out of msgpack bytes.

    Raises:
        UndecodableRecord: they are not msgpack.
    """
    try:
        return msgpack.unpackb(data, strict_map_key=True)
    except (ValueError, msgpack.exceptions.UnpackException, TypeError) as error:
        message = f"not msgpack: {error or type(error).__name__}"
        raise UndecodableRecord(message) from error


def _head(plain: object) -> Head | None:
    match plain:
        case None:
            return None
        case [str() as id_, bytes() as fingerprint]:
            return Head(id_, fingerprint)
        case _:
            message = "envelope.after: expected nil or [id, fingerprint]"
            raise UndecodableRecord(message)


def _event(plain: object) -> Event:
    match plain:
        case [str() as name, int() as version, dict() as payload] if type(version) is int:
            kind = _BY_NAME.get(name)
            if kind is None:
                message = f"unknown event type {name!r}: upgrade the workers, then redrive"
                raise UnknownEventType(message)
            current = Versions.current[kind]
            if version != current:
                payload = dict(upcast(name, version, current, payload))
            return from_plain(kind, payload)
        case _:
            message = "envelope.events: expected [type, version, payload]"
            raise UndecodableRecord(message)
