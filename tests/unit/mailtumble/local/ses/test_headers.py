"""Header fields of whole and broken mails."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.local.ses.headers import (
    HEADER_BLOCK_BYTES_MAX,
    HeaderField,
    decoded,
    first_value,
    header_block,
    mailbox,
    mailboxes,
    parse_addresses,
    parse_fields,
)


def test_fields_come_in_order_with_folds_made_one_space() -> None:
    """Fields keep name, order and repetition; a fold becomes one space, as SES writes it."""
    raw = b"Received: one\r\n\ttwo\r\nRECEIVED:three\r\nSubject :  x \r\n\r\nBody: no\r\n"
    assert parse_fields(raw) == (
        HeaderField("Received", "one two"),
        HeaderField("RECEIVED", "three"),
        HeaderField("Subject", "x"),
    )


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (b"", []),
        (b"\r\nTo: body\r\n", []),
        (b"no header at all", []),
        (b"From sender@example.com Mon Jan 1\nTo: a\n\n", ["To"]),
        (b"To: a\nthis is no field\nCc: b\n\n", ["To"]),
        (b" To: a\n\n", []),
        (b"A: 1\nB: 2", ["A", "B"]),
        (b"Sub\xc3ject: x\n\n", []),
        (b"\0: x\nA: 1\n\n", []),
        (b"A: \0\xff\n\n", ["A"]),
    ],
)
def test_broken_headers_end_where_no_field_is(raw: bytes, names: list[str]) -> None:
    """What is no field ends the header; nothing raises."""
    assert [field.name for field in parse_fields(raw)] == names


def test_header_block_has_an_end_even_when_the_mail_has_none() -> None:
    """Garbage without an empty line is read up to a limit."""
    assert len(header_block(b"x" * (HEADER_BLOCK_BYTES_MAX + 5))) == HEADER_BLOCK_BYTES_MAX


@given(st.binary(max_size=400))
def test_any_bytes_can_be_read_and_shown(raw: bytes) -> None:
    """No bytes make the reader raise, and all it gives is text that UTF-8 can carry."""
    fields = parse_fields(b"To: " + raw + b"\nSubject: =?" + raw + b"?=\n\n")
    texts = [decoded(field.value) for field in fields]
    texts += [part for pair in mailboxes(fields, "To", "Subject") for part in pair]
    assert all(isinstance(text.encode("utf-8"), bytes) for text in texts)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?utf-8?B?w6TDtsO8?=", "äöü"),
        ("=?iso-8859-1?Q?a=E9?= b", "aé b"),
        ("=?unheard-of?B?eHg=?=", "=?unheard-of?B?eHg=?="),
        ("=?utf-8?B?x?=", "=?utf-8?B?x?="),
        ("plain", "plain"),
    ],
)
def test_encoded_words_are_decoded_where_they_can_be(value: str, text: str) -> None:
    """What can't be decoded stays as it was written."""
    assert decoded(value) == text


def test_addresses_are_found_with_their_names() -> None:
    """Groups, quotes, encoded names and bare addresses all give (name, address)."""
    assert parse_addresses(['"Doe, Jo" <jo@x.example>, =?utf-8?Q?=C3=A4?= <b@x.example>, c@y']) == (
        ("Doe, Jo", "jo@x.example"),
        ("ä", "b@x.example"),
        ("", "c@y"),
    )


def test_nested_comments_give_no_address_instead_of_an_error() -> None:
    """An address field made to exhaust the parser's stack is read as empty."""
    assert parse_addresses(["(" * 30_000]) == ()


def test_mailbox_is_quoted_where_it_needs_to_be() -> None:
    """A written mailbox is parsed back to the same name and address."""
    for name in ("", "Jo Doe", 'a "b", c', "back\\slash."):
        assert parse_addresses([mailbox(name, "jo@x.example")]) == ((name, "jo@x.example"),)


def test_first_value_ignores_case() -> None:
    """Field names are the same in any case."""
    fields = parse_fields(b"sUBJECT: one\nSubject: two\n\n")
    assert first_value(fields, "Subject") == "one"
    assert first_value(fields, "To") is None
