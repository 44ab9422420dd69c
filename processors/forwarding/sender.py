"""Who wrote it: the new From and Reply-To of a forwarded mail.

From has the alias as its address, since SES sends for verified addresses only, and names the
sender in the display name:

=============================================  ==============================================
the mail came from                             From says
=============================================  ==============================================
``Jane Doe <jane@example.com>``                ``"Jane Doe (jane at example.com)" <alias>``
``jane@example.com``                           ``"jane at example.com" <alias>``
``Jane Doe <jane@example.com>, two others``    ``"Jane Doe (jane at example.com) and 2 others"``
``Jane Doe`` without address                   her name, with the envelope sender in brackets
nobody                                         ``"envelope sender"``, or ``"unknown sender"``
=============================================  ==============================================

"at" stands for "@" and angle brackets are left out, because programs that look for an address
in the whole field would find the wrong one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from processors.forwarding.mailbox import Mailbox, is_strict_list, parse_mailboxes
from processors.forwarding.phrase import address_spec, phrase, tidy, without_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processors.forwarding.notes import Notes

NAME_CHARACTERS_MAX = 64
ADDRESS_CHARACTERS_MAX = 96
_SHOWN_CHARACTERS_MAX = 1_000  # looked at before shortening: a hostile name costs no time
_LINE_CHARACTERS = 78  # RFC 5322 section 2.1.1: lines should not be longer

UNKNOWN_SOURCE = "unknown sender"


class Author(NamedTuple):
    """The original From: its value as written, and the mailboxes in it; both may be empty."""

    value: bytes
    mailboxes: tuple[Mailbox, ...]


def author_of(from_value: bytes) -> Author:
    """Read the value of a From field."""
    return Author(from_value, parse_mailboxes(from_value) if from_value else ())


def sender_label(mailboxes: Sequence[Mailbox], envelope_sender: str) -> str:
    """Return the display name that says who wrote the mail, by the table above."""
    addressed = [mailbox for mailbox in mailboxes if "@" in mailbox[1]]
    if addressed:
        name, address = addressed[0]
    else:
        name, address = mailboxes[0].name if mailboxes else "", envelope_sender
    name = _shown(name, NAME_CHARACTERS_MAX)
    address = _shown(address, ADDRESS_CHARACTERS_MAX)
    if not address or not name or name.lower() == address.lower():
        label = address or name or UNKNOWN_SOURCE
    else:
        label = f"{name} ({address})"
    return label + _and_others(len(addressed) - 1)


def _shown(text: str, characters_max: int) -> str:
    text = without_at(text[:_SHOWN_CHARACTERS_MAX])
    return tidy(text.replace("<", "").replace(">", ""), characters_max)


def _and_others(count: int) -> str:
    if count <= 0:
        return ""
    return " and 1 other" if count == 1 else f" and {count} others"


def from_field(label: str, alias: bytes, eol: bytes) -> bytes:
    """Return the From field of a forwarded mail; ``alias`` is an address fit for a header."""
    name = phrase(label, eol)
    line_length = len("From: ") + len(name) + len(" <>") + len(alias)
    fold = eol + b" " if line_length > _LINE_CHARACTERS else b" "
    return b"From: " + name + fold + b"<" + alias + b">" + eol


def reply_to_field(
    original: bytes,
    author: Author,
    envelope_sender: str,
    eol: bytes,
    notes: Notes,
) -> bytes:
    """Return the Reply-To field, or nothing when there is nobody to answer to.

    The original field (``original``, whole) goes through byte for byte if every receiver can read
    it. If not, it is written anew with the addresses found in it. Without any, answers go to the
    mailboxes of the original From (``author``), and without those to the envelope sender.
    """
    if original:
        value = original.partition(b":")[2]
        if is_strict_list(value):
            return original
        readable = _written(parse_mailboxes(value), eol)
        if readable:
            notes.add("wrote Reply-To anew: it was not in the form of RFC 5322")
            return _list_field(readable, eol)
        notes.add("replaced Reply-To: it had no address that can be written")
    if is_strict_list(author.value):
        return b"Reply-To:" + author.value
    writable = _written(author.mailboxes, eol)
    if writable:
        return _list_field(writable, eol)
    envelope = _written((Mailbox("", envelope_sender),), eol)
    if envelope:
        notes.add("Reply-To is the envelope sender: From had no address that can be written")
        return _list_field(envelope, eol)
    notes.add("no Reply-To: the mail names nobody to answer to")
    return b""


def _written(mailboxes: Sequence[Mailbox], eol: bytes) -> list[bytes]:
    written: list[bytes] = []
    for name, address in mailboxes:
        spec = address_spec(address)
        if spec is None:
            continue
        shown = tidy(name[:_SHOWN_CHARACTERS_MAX], NAME_CHARACTERS_MAX)
        written.append(phrase(shown, eol) + b" <" + spec + b">" if shown else spec)
    return written


def _list_field(mailboxes: list[bytes], eol: bytes) -> bytes:
    return b"Reply-To: " + (b"," + eol + b" ").join(mailboxes) + eol
