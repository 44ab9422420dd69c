"""Names and addresses are written so that every receiver reads one mailbox."""

from __future__ import annotations

from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.forwarding.phrase import address_spec, phrase, tidy, without_at


@given(st.text(max_size=90))
def test_any_text_becomes_a_phrase_of_one_mailbox(text: str) -> None:
    """Whatever a name is made of, the field has exactly one address, and lines of 76 characters."""
    name = tidy(without_at(text), 150)
    field = b"From: " + phrase(name, b"\r\n") + b"\r\n <box@house.example>\r\n"
    (address,) = message_from_bytes(field, policy=default)["From"].addresses
    assert address.addr_spec == "box@house.example"
    assert "@" not in address.display_name
    assert name.isascii() or max(map(len, field.split(b"\r\n"))) <= 76


@given(st.text(min_size=1, max_size=200).map(lambda text: tidy(text, 200)))
def test_encoding_a_name_loses_nothing(text: str) -> None:
    """Decoded by the rules of RFC 2047 (and unquoted), a phrase is the name again."""
    written = phrase(text, b"\r\n").decode()
    if written.startswith('"'):
        read = written[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    else:
        read = str(make_header(decode_header(written)))
    assert read == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Jane", b'"Jane"'),
        ('Jane "J" Doe', rb'"Jane \"J\" Doe"'),
        ("back\\slash", rb'"back\\slash"'),
        ("Jöhn", b"=?utf-8?b?SsO2aG4=?="),
        ("=?utf-8?q?=40?=", b"=?utf-8?b?PT91dGYtOD9xPz00MD89?="),
    ],
)
def test_phrases(text: str, expected: bytes) -> None:
    """ASCII is quoted; other text, and what looks encoded, is encoded."""
    assert phrase(text, b"\r\n") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Jane \r\n Doe ", "Jane Doe"),
        ("Jane\x00\x1b Doe", "Jane Doe"),
        ("Jane\u202eeoD", "JaneeoD"),
        ("a" * 30, "aaaaaaa..."),
    ],
)
def test_tidy(text: str, expected: str) -> None:
    """One line, no control characters, bounded length."""
    assert tidy(text, 10 if len(text) == 30 else 20) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("jane@example.com", b"jane@example.com"),
        (" jane@example.com ", b"jane@example.com"),
        ("o'neil+x@example.com", b"o'neil+x@example.com"),
        ("a..b.@docomo.example", b'"a..b."@docomo.example'),
        ("a b@example.com", b'"a b"@example.com'),
        ('"a b"@example.com', b'"a b"@example.com'),
        ("a@b@example.com", b'"a@b"@example.com'),
        ("jane@[192.0.2.1]", b"jane@[192.0.2.1]"),
        ("jane@mächine.example", b"jane@xn--mchine-bua.example"),
        ("jöhn@example.com", None),
        ("jane", None),
        ("@example.com", None),
        ("jane@", None),
        ("jane@exa mple.com", None),
        ("jane@example.com\r\nBcc: x@y", None),
        ("ja\r\nne@example.com", None),
        ("j" * 400 + "@example.com", None),
        ("jane@ö..example", None),
    ],
)
def test_addresses_for_headers(address: str, expected: bytes | None) -> None:
    """An address is written in ASCII, quoted where it must be, or not at all."""
    assert address_spec(address) == expected


@given(st.text(max_size=60))
def test_no_address_breaks_out_of_its_field(address: str) -> None:
    """What is accepted is one line of printable ASCII without brackets outside quotes."""
    spec = address_spec(address)
    assert spec is None or (spec.isascii() and spec.decode().isprintable())
