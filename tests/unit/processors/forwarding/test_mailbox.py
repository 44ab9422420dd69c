"""Mailboxes are found in address fields however these were written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.forwarding.mailbox import Mailbox, is_strict_list, parse_mailboxes

FRAGMENTS = st.lists(
    st.sampled_from((*'"\\()<>,;:@. =', "a", "=?utf-8?q?=40?=", "=?x?b?!?=", "ö", "jane@x.y")),
    max_size=25,
).map("".join)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b" jane@example.com\r\n", [("", "jane@example.com")]),
        (b" <jane@example.com>\r\n", [("", "jane@example.com")]),
        (b" Jane Doe <jane@example.com>\r\n", [("Jane Doe", "jane@example.com")]),
        (b' "Doe, Jane" <jane@example.com>', [("Doe, Jane", "jane@example.com")]),
        (b" Doe, Jane <jane@example.com>", [("Doe, Jane", "jane@example.com")]),
        (rb' "Jane \"J\" Doe" <jane@example.com>', [('Jane "J" Doe', "jane@example.com")]),
        (b" jane@example.com (Jane Doe)", [("Jane Doe", "jane@example.com")]),
        (b" Jane Doe jane@example.com", [("Jane Doe", "jane@example.com")]),
        (b" a@example.com b@example.com", [("", "a@example.com"), ("", "b@example.com")]),
        (b" A <a@x.org>, b@x.org", [("A", "a@x.org"), ("", "b@x.org")]),
        (b" Friends: A <a@x.org>, b@x.org;", [("A", "a@x.org"), ("", "b@x.org")]),
        (b" Mikel@Lindsaar <raasdnil@gmail.com>", [("Mikel@Lindsaar", "raasdnil@gmail.com")]),
        (
            rb" Pete(A wonderful \) chap) <pete(his account)@silly.test(his host)>",
            [("Pete", "pete@silly.test")],
        ),
        (b" John <jdoe@machine(comment).  example>", [("John", "jdoe@machine.example")]),
        (b" <@a.example,@b.example:jane@example.com>", [("", "jane@example.com")]),
        (b' "jane doe"@example.com', [("", '"jane doe"@example.com')]),
        (b' "Jane Doe <jane@example.com>', [("Jane Doe", "jane@example.com")]),
        (b" Jane (no end <jane@example.com>", [("Jane no end", "jane@example.com")]),
        (b" =?utf-8?q?J=C3=B6hn?= <j@x.org>", [("Jöhn", "j@x.org")]),
        (b' "=?utf-8?q?J=C3=B6hn?=" <j@x.org>', [("Jöhn", "j@x.org")]),
        (b" =?utf-8?b?TXk=?=\r\n =?utf-8?b?U3VydmV5?= <j@x.org>", [("MySurvey", "j@x.org")]),
        (b" =?no-such?q?a=E9?= <j@x.org>", [("a\ufffd", "j@x.org")]),
        (b" =?utf-8?b?A?= <j@x.org>", [("=?utf-8?b?A?=", "j@x.org")]),
        ("Jöhn <jö@x.org>".encode(), [("Jöhn", "jö@x.org")]),
        ("Jöhn <j@x.org>".encode("latin-1"), [("Jöhn", "j@x.org")]),
        (b" Jane Doe", [("Jane Doe", "")]),
        (b' "Jane" <>', [("Jane", "")]),
        (b"\r\n", []),
        (b" , ,;", []),
    ],
)
def test_mailboxes_as_a_human_reads_them(value: bytes, expected: list[tuple[str, str]]) -> None:
    """Names and addresses are found in sound, old-fashioned and broken values."""
    assert parse_mailboxes(value) == tuple(Mailbox(*pair) for pair in expected)


@given(st.one_of(st.binary(max_size=200), FRAGMENTS.map(str.encode)))
def test_parsing_never_raises(value: bytes) -> None:
    """Any bytes give some mailboxes, none of them empty."""
    assert all(mailbox.name or mailbox.address for mailbox in parse_mailboxes(value))


@pytest.mark.parametrize("char", [b'"', b"(", b"<", b"\\", b"=?x?q?", b"a@", b",", b":"])
def test_hostile_values_are_bounded(char: bytes) -> None:
    """A megabyte of openings is no more work than the first octets of it."""
    assert len(parse_mailboxes(char * 200_000)) <= 16_384


@pytest.mark.parametrize(
    ("value", "strict"),
    [
        (b" jane@example.com\r\n", True),
        (b" Jane Doe <jane@example.com>,\r\n b@example.com\r\n", True),
        (b' "Jane: Home" <jane@example.com>\r\n', True),
        (b" =?utf-8?q?J?= <jane@example.com>\r\n", True),
        (b" a@example.com b@example.com\r\n", False),
        (b' "J\xc3\xb6hn" <>\r\n', False),
        (b' "J\xc3\xb6hn" <j@x.org>\r\n', False),
        (b" Friends: a@example.com;\r\n", False),
        (b" Jane Doe\r\n", False),
        (b"\r\n", False),
    ],
)
def test_strict_lists_are_told_from_others(value: bytes, strict: bool) -> None:  # noqa: FBT001
    """Only values that every receiver reads alike may be passed on untouched."""
    assert is_strict_list(value) is strict
