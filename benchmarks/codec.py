"""Measures encoding and decoding of records beside the same done bare.

The records are real ones: ``MailReceived`` as intake writes it, and the decision that routes and
schedules it. The peers, in the same run and by turns:

- msgpack to a dict: packing and unpacking alone, of the very same bytes;
- one flat frozen class: the same values, some 20, as one dataclass with slots and no structure
  inside, written by hand (for the received mail);
- our classes, unchecked: the very same result as ours, written by hand, believing every byte.

Ours also checks each field's presence and type, and knows every event and version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgpack
from _mails import life
from _measure import Table, command, measure, show, with_rounds

from schemas import codec
from schemas.envelope import EventEnvelope, Head
from schemas.events import Event, MailReceived, RouteResolved, SendScheduled
from schemas.values import Target, UnknownPolicy, Verdicts

PORTION: Final = 100
"""Records a portion: the clock is read between portions only."""

OURS: Final = "schemas.codec"
DICT: Final = "msgpack, a dict"
FLAT: Final = "msgpack, one flat frozen class"
UNCHECKED: Final = "msgpack, our classes unchecked"


@dataclass(frozen=True, slots=True)
class FlatReceived:
    """A received mail without structure."""

    id: str
    subject: str
    cause: str
    after: None
    recorded_at: int
    decider: str
    rule_version: int
    ses_message_id: str
    recipient: str
    envelope_sender: str
    subject_line: str
    size_bytes: int
    bucket: str
    object_key: str
    notification_key: str
    received_at: int
    spam: str
    virus: str
    spf: str
    dkim: str
    dmarc: str


def pack_flat(mail: FlatReceived) -> bytes:
    """By hand, as one would write it for this class alone."""
    data: bytes = msgpack.packb(
        {
            "id": mail.id,
            "subject": mail.subject,
            "cause": mail.cause,
            "after": mail.after,
            "recorded_at": mail.recorded_at,
            "decider": mail.decider,
            "rule_version": mail.rule_version,
            "ses_message_id": mail.ses_message_id,
            "recipient": mail.recipient,
            "envelope_sender": mail.envelope_sender,
            "subject_line": mail.subject_line,
            "size_bytes": mail.size_bytes,
            "bucket": mail.bucket,
            "object_key": mail.object_key,
            "notification_key": mail.notification_key,
            "received_at": mail.received_at,
            "spam": mail.spam,
            "virus": mail.virus,
            "spf": mail.spf,
            "dkim": mail.dkim,
            "dmarc": mail.dmarc,
        }
    )
    return data


def flat(plain: Mapping[str, Any]) -> FlatReceived:
    """The values of a received mail's record, side by side."""
    ((_, _, payload),) = plain["events"]
    outer = {name: value for name, value in plain.items() if name != "events"}
    inner = {name: value for name, value in payload.items() if name != "verdicts"}
    return FlatReceived(**outer, **inner, **payload["verdicts"])


def _received(event: MailReceived) -> dict[str, Any]:
    verdicts = event.verdicts
    return {
        "ses_message_id": event.ses_message_id,
        "recipient": event.recipient,
        "envelope_sender": event.envelope_sender,
        "subject_line": event.subject_line,
        "size_bytes": event.size_bytes,
        "bucket": event.bucket,
        "object_key": event.object_key,
        "notification_key": event.notification_key,
        "received_at": event.received_at,
        "verdicts": {
            "spam": verdicts.spam,
            "virus": verdicts.virus,
            "spf": verdicts.spf,
            "dkim": verdicts.dkim,
            "dmarc": verdicts.dmarc,
        },
    }


def _resolved(event: RouteResolved) -> dict[str, Any]:
    return {
        "alias": event.alias,
        "alias_version": event.alias_version,
        "tenant": event.tenant,
        "targets": [{"address": target.address} for target in event.targets],
        "on_unknown": event.on_unknown.value,
    }


def _scheduled(event: SendScheduled) -> dict[str, Any]:
    return {
        "target": event.target,
        "address": event.address,
        "number": event.number,
        "attempt_id": event.attempt_id,
        "due_at": event.due_at,
        "expires_at": event.expires_at,
        "tenant": event.tenant,
        "possible_duplicate": event.possible_duplicate,
    }


def pack_unchecked(envelope: EventEnvelope) -> bytes:
    """By hand, for these three events alone."""
    events: list[list[Any]] = []
    for event in envelope.events:
        match event:
            case MailReceived():
                events.append(["MailReceived", 1, _received(event)])
            case RouteResolved():
                events.append(["RouteResolved", 1, _resolved(event)])
            case SendScheduled():
                events.append(["SendScheduled", 1, _scheduled(event)])
            case _:
                raise TypeError(type(event).__name__)
    after = envelope.after
    data: bytes = msgpack.packb(
        {
            "id": envelope.id,
            "subject": envelope.subject,
            "cause": envelope.cause,
            "after": None if after is None else [after.id, after.fingerprint],
            "recorded_at": envelope.recorded_at,
            "decider": envelope.decider,
            "rule_version": envelope.rule_version,
            "events": events,
        }
    )
    return data


def _event(name: str, payload: dict[str, Any]) -> Event:
    match name:
        case "MailReceived":
            payload["verdicts"] = Verdicts(**payload["verdicts"])
            return MailReceived(**payload)
        case "RouteResolved":
            payload["targets"] = tuple(Target(**each) for each in payload["targets"])
            payload["on_unknown"] = UnknownPolicy(payload["on_unknown"])
            return RouteResolved(**payload)
        case _:
            return SendScheduled(**payload)


def unpack_unchecked(data: bytes) -> EventEnvelope:
    """By hand, believing every byte."""
    plain = msgpack.unpackb(data)
    after = plain["after"]
    return EventEnvelope(
        id=plain["id"],
        subject=plain["subject"],
        cause=plain["cause"],
        after=None if after is None else Head(*after),
        recorded_at=plain["recorded_at"],
        decider=plain["decider"],
        rule_version=plain["rule_version"],
        events=tuple(_event(name, payload) for name, _, payload in plain["events"]),
    )


def repeated(function: Callable[[Any], object], argument: object) -> Callable[[], int]:
    """A portion of calls."""

    def work() -> int:
        for _ in range(PORTION):
            function(argument)
        return PORTION

    return work


Peer = tuple[Callable[[Any], object], object, Callable[[Any], object], bytes]
"""How to encode and what, how to decode and what."""


def peers(data: bytes) -> dict[str, Peer]:
    """Ours and what stands beside it, for one record."""
    envelope, plain = codec.decode(data), msgpack.unpackb(data)
    found: dict[str, Peer] = {
        OURS: (codec.encode, envelope, codec.decode, data),
        DICT: (msgpack.packb, plain, msgpack.unpackb, data),
    }
    if isinstance(envelope.events[0], MailReceived):
        mail = flat(plain)
        found[FLAT] = (pack_flat, mail, _unpack_flat, pack_flat(mail))
    found[UNCHECKED] = (pack_unchecked, envelope, unpack_unchecked, data)
    same = codec.encode(envelope) == data == pack_unchecked(envelope)
    if not same or unpack_unchecked(data) != envelope:
        message = "the peers don't do the same as the codec"
        raise AssertionError(message)
    return found


def _unpack_flat(data: bytes) -> FlatReceived:
    return FlatReceived(**msgpack.unpackb(data))


def compare(title: str, data: bytes, rounds: int, slice_s: float) -> Table:
    """One record's table."""
    found = peers(data)
    encoding = {name: repeated(peer[0], peer[1]) for name, peer in found.items()}
    decoding = {name: repeated(peer[2], peer[3]) for name, peer in found.items()}
    encoded = measure(encoding, rounds=rounds, slice_s=slice_s)
    decoded = measure(decoding, rounds=rounds, slice_s=slice_s)
    table = Table(
        f"{title}: {len(data)} bytes",
        (
            "records per CPU-second",
            "encoded",
            "encoded, times ours",
            "decoded",
            "decoded, times ours",
        ),
    )
    for name in found:
        encode_ratio, decode_ratio = encoded.ratio(name, OURS), decoded.ratio(name, OURS)
        table.rows.append(
            (name, encoded.rate(name), encode_ratio, decoded.rate(name), decode_ratio)
        )
    return table


def main() -> None:
    """Measure and print."""
    options = with_rounds(command(__doc__)).parse_args()
    received, decision, *_ = life("codec")
    records = {
        "MailReceived, a fact of intake's": received,
        "RouteResolved and SendScheduled, a decision": decision,
    }
    tables = [
        compare(title, data, options.rounds, options.slice_s) for title, data in records.items()
    ]
    show(tables, as_json=options.json)


if __name__ == "__main__":
    main()
