"""Identity follows from causes: every id is computed from what the thing is, never drawn.

A repeated delivery, a crash between two steps or a second owner therefore arrives at the same
id, and whoever comes second is recognised (RFC 9562, UUID version 5).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final
from uuid import UUID, uuid5

NAMESPACE: Final = UUID("6f1f3c53-0a53-5d0e-9a52-7b5a4d0f1c11")

BUCKETS: Final = 256
HASH_KEY_SPACE: Final = 1 << 128
"""Kinesis places a record by the MD5 of its partition key: a number of 128 bits."""

SEQUENCE_DIGITS: Final = 64
"""Kinesis's numbers have 56 digits today, DynamoDB's hold 38: they are kept as padded text."""


def derive(*parts: str) -> str:
    """The id that follows from ``parts``, told apart by a separator no part contains."""
    return str(uuid5(NAMESPACE, "\x1f".join(parts)))


def mail_id(ses_message_id: str, recipient: str) -> str:
    """A mail is one (SES message id, envelope recipient): rules that match twice give one id."""
    return derive("mail", ses_message_id, recipient.lower())


def decision_id(cause: str, decider: str, subject: str) -> str:
    """The record id of what ``decider`` decides about ``subject`` because of record ``cause``."""
    return derive("decision", cause, decider, subject)


def attempt_id(scheduled_by: str, target: int, number: int) -> str:
    """An attempt: the decision that scheduled it, which target, and the how-manieth it is."""
    return derive("attempt", scheduled_by, str(target), str(number))


def timer_id(subject: str, kind: str, attempt: str, number: int, due_at_us: int) -> str:
    """A timer's firing, and the record that tells of it."""
    return derive("timer", subject, kind, attempt, str(number), str(due_at_us))


def mail_subject(mail: str) -> str:
    """The partition key under which everything about one mail is ordered."""
    return f"mail:{mail}"


def mail_of(subject: str) -> str | None:
    """The mail id in a subject, or None where the subject is not a mail."""
    kind, _, name = subject.partition(":")
    return name if kind == "mail" and name else None


def hash_key(subject: str) -> int:
    """Where Kinesis places ``subject``: its MD5 as a number below 2**128."""
    return int.from_bytes(hashlib.md5(subject.encode(), usedforsecurity=False).digest())


def bucket(subject: str) -> str:
    """The bucket (first byte of the hash key, three digits) that holds what is due for it."""
    return f"{hash_key(subject) >> 120:03d}"


def padded(sequence_number: str) -> str:
    """A sequence number that compares as text in the order of the numbers."""
    return sequence_number.zfill(SEQUENCE_DIGITS)


def fingerprint(data: bytes) -> bytes:
    """16 bytes that stand for a record's content; encoding is deterministic, so equal is equal."""
    return hashlib.blake2b(data, digest_size=16).digest()


FLEET_SUBJECT: Final = "fleet"
"""What concerns all senders: pauses, the quota."""


def address_subject(address: str, key: str) -> str:
    """The subject of an address: a keyed digest, so that keys tell no addresses.

    The local part's case is ignored, as nearly every mail server does (RFC 5321 leaves it to
    them): two spellings of a mailbox must not be suppressed apart.
    """
    return f"address:{address_digest(address, key)}"


def address_digest(address: str, key: str) -> str:
    """The keyed digest that stands for an address in keys; case is ignored."""
    digest = hmac.new(key.encode(), address.lower().encode(errors="surrogatepass"), "sha256")
    return digest.hexdigest()[:32]


def alias_subject(alias: str) -> str:
    """The subject of the changes of an alias."""
    return f"alias:{alias}"
