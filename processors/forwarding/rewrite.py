"""Rewriting the header of a mail so that it can be forwarded through SES.

Bytes come in, bytes go out. The body is neither decoded nor copied; header fields are kept in
their order and byte for byte unless ``rules`` or ``mending`` says otherwise.
"""

from __future__ import annotations

from processors.forwarding.header_block import Field, has_stray_cr, read_header
from processors.forwarding.hops import HOP, RECEIVED_MAX, check_hops, hop_field, tags_field
from processors.forwarding.mending import line_end, mend_fields
from processors.forwarding.model import Forwarding, RewrittenMail, Unforwardable
from processors.forwarding.notes import Notes
from processors.forwarding.phrase import address_spec
from processors.forwarding.references import references_field
from processors.forwarding.rules import ADDRESS_FIELDS, TREATMENTS, Treatment, treatment_of
from processors.forwarding.sender import author_of, from_field, reply_to_field, sender_label

_FROM = b"from"
_REPLY_TO = b"reply-to"
_REFERENCES = b"references"
_MESSAGE_ID = b"message-id"
_HOP_KEY = HOP.lower()
_KEEP = Treatment.KEEP
_DROP = Treatment.DROP

# What SES replaces, and the name under which the original is kept.
_KEPT_AS = (
    (_MESSAGE_ID, b"X-Original-Message-ID", b"x-original-message-id"),
    (b"date", b"X-Original-Date", b"x-original-date"),
)


def rewrite(raw: bytes | memoryview, forwarding: Forwarding) -> RewrittenMail:
    """Return the mail as it is to be sent for this alias.

    ``raw`` is the whole mail; a memoryview must be contiguous. Whatever is broken in it is mended
    by the tables in ``header_block`` and ``mending``.

    Raises:
        Unforwardable: the mail has been here for this alias, has passed too many hops, or the
            alias can't be written as an address without SMTPUTF8, which SES doesn't have.
    """
    alias = address_spec(forwarding.alias)
    if alias is None:
        raise Unforwardable("the alias can't be written as an address in From")
    notes = Notes()
    block = read_header(raw)
    eol = line_end(block.fields)
    fields = _selected(mend_fields(block, eol, notes), notes)
    originals = dict(fields)
    _guard(fields, originals, alias)
    separator = block.separator
    if not separator or has_stray_cr(separator):
        separator = eol
    new = _new_sender(originals, alias, forwarding.envelope_sender, eol, notes)
    new |= _new_thread(originals, eol)
    # New fields stand in the places of the original ones; those without an original come last.
    header = b"".join(
        (
            hop_field(alias, forwarding.mail_id, eol),
            tags_field(forwarding.tags, eol),
            *[new.get(key, raw) for key, raw in fields],
            *[raw for key, raw in new.items() if key not in originals],
            separator,
        ),
    )
    return RewrittenMail(header, block.body, notes.as_tuple())


def _selected(fields: list[Field], notes: Notes) -> list[tuple[bytes, bytes]]:
    """Apply the rules; return the fields that stay as (name in lower case, whole field)."""
    selected: list[tuple[bytes, bytes]] = []
    seen: set[bytes] = set()
    for raw, name in fields:
        key = name.lower()
        treatment, text = TREATMENTS.get(key) or treatment_of(key)
        if treatment is _KEEP:
            selected.append((key, raw))
        elif treatment is _DROP:
            notes.add(text)
        elif key in ADDRESS_FIELDS and not raw[len(name) + 1 :].strip():
            notes.add("dropped an empty " + text)
        elif key in seen:
            notes.add(f"dropped a second {text}: it may stand once, and the first is kept")
        else:
            seen.add(key)
            selected.append((key, raw))
    return selected


def _guard(fields: list[tuple[bytes, bytes]], originals: dict[bytes, bytes], alias: bytes) -> None:
    if _HOP_KEY in originals or len(fields) >= RECEIVED_MAX:
        hops = [raw[len(HOP) + 1 :] for key, raw in fields if key == _HOP_KEY]
        received = [key for key, _ in fields].count(b"received")
        check_hops(hops, received, alias)


def _new_sender(
    originals: dict[bytes, bytes], alias: bytes, envelope_sender: str, eol: bytes, notes: Notes
) -> dict[bytes, bytes]:
    """Return the new From and Reply-To by the names of the fields that they replace."""
    if _FROM not in originals:
        notes.add("no From in the mail: named by its envelope sender")
    author = author_of(originals.get(_FROM, b"")[len(_FROM) + 1 :])
    label = sender_label(author.mailboxes, envelope_sender)
    reply_to = reply_to_field(originals.get(_REPLY_TO, b""), author, envelope_sender, eol, notes)
    return {_FROM: from_field(label, alias, eol), _REPLY_TO: reply_to}


def _new_thread(originals: dict[bytes, bytes], eol: bytes) -> dict[bytes, bytes]:
    """Return what keeps the thread and the date, by the names of the fields that it replaces."""
    new: dict[bytes, bytes] = {}
    for key, kept_as, kept_key in _KEPT_AS:
        raw = originals.get(key)
        if raw is not None and kept_key not in originals:
            new[key] = raw + kept_as + raw[len(key) :]
    message_id = originals.get(_MESSAGE_ID)
    if message_id is None:
        return new
    references = references_field(
        message_id[len(_MESSAGE_ID) + 1 :],
        originals.get(_REFERENCES),
        originals.get(b"in-reply-to", b""),
        eol,
    )
    if references is not None:
        new[_REFERENCES] = references
    return new
