"""What rules see of a mail's header: its fields as a person reads them, whatever somebody wrote."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.ports.world import ObjectMissing
from mailtumble.worker.headers import HEADER_BYTES_MAX, HeaderReader, unfolded
from schemas.errors import RetryableError
from tests.fakes import InMemoryObjects

PLACE = ("mail", "inbound/1")
NAMES = frozenset({"subject", "list-id"})


class Watched(InMemoryObjects):
    """Remembers what was read of it."""

    def __init__(self) -> None:
        """Nothing yet."""
        super().__init__()
        self.read: list[tuple[str, int]] = []

    def head(self, bucket: str, key: str, size_bytes: int) -> bytes:
        """The first bytes."""
        self.read.append((key, size_bytes))
        return super().head(bucket, key, size_bytes)


def _fields(raw: bytes, names: frozenset[str] = NAMES) -> tuple[tuple[str, str], ...]:
    objects = InMemoryObjects()
    objects.put(*PLACE, raw)
    return HeaderReader(objects, names).read([PLACE])[PLACE]


def test_the_fields_that_rules_ask_for_are_read() -> None:
    """By their names, whatever the case, in their order; others are left out."""
    raw = (
        b"Received: from a by b\r\n"
        b"SUBJECT: Hello\r\n"
        b"list-id: <one.example>\r\n"
        b"From: ann@example.net\r\n"
        b"List-Id: <two.example>\r\n"
        b"\r\n"
        b"Subject: no header\r\n"
    )
    assert _fields(raw) == (
        ("SUBJECT", "Hello"),
        ("list-id", "<one.example>"),
        ("List-Id", "<two.example>"),
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"Subject: folded\r\n\tonce and\r\n again\r\n", "folded once and again"),
        (b"Subject:no space\r\n", "no space"),
        (b"Subject :  before the colon\r\n", "before the colon"),
        (b"Subject:\r\n", ""),
        (b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n", "Grüße"),
        (b"Subject: =?iso-8859-1?b?R3L832U=?= to you\r\n", "Grüße to you"),
        (b"Subject: =?utf-8?q?Gr=C3=BC?=\r\n =?utf-8?q?=C3=9Fe?=\r\n", "Grüße"),
        ("Subject: Grüße\r\n".encode(), "Grüße"),
        ("Subject: Grüße\r\n".encode("latin-1"), "Gr\ufffd\ufffde"),
        (b"Subject: a:b:c\r\n", "a:b:c"),
        (b"Subject: unix\n", "unix"),
    ],
)
def test_a_value_is_read_as_a_person_does(written: bytes, read: str) -> None:
    """On one line, its words decoded, without the spaces around it."""
    (field,) = _fields(b"X: 1\r\n" + written + b"\r\nbody")
    assert field == ("Subject", read)


@pytest.mark.parametrize(
    "word",
    [
        "=?utf-8?b?A?=",
        "=?ü?q?A?=",
        "=?no-such-charset?q?A?=",
        "=?utf-8?q?=FF=FE?=",
        "=?rot13?q?A?=",
        "=?\0?q?A?=",
        "=?utf-16?q?=00?=",
        "=?undefined?q?A?=",
        "=?idna?q?=FF?=",
        "=?utf-8?x?A?=",
    ],
)
def test_a_word_that_can_not_be_decoded_is_left_as_it_stands(word: str) -> None:
    """Anybody may write one: no worker ends at it."""
    assert unfolded(f": Hello {word} there".encode()) == f"Hello {word} there"


WORDS = st.sampled_from(
    [
        *("=?", "?=", "?q?", "?b?", "?B?", "utf-8", "utf-7", "unknown-8bit", "idna", "A", "AA"),
        *("=FF", "=C3=BC", " ", "\t", "\n ", "*en", "ü", "\0", "?", "=", "_", "big5", "hz"),
    ]
)


@given(st.one_of(st.binary(max_size=60), st.lists(WORDS, max_size=14).map("".join).map(str.encode)))
def test_any_value_can_be_read(value: bytes) -> None:
    """Whatever stands there."""
    assert isinstance(unfolded(b":" + value), str)


@given(st.binary(max_size=200))
def test_any_mail_can_be_read(raw: bytes) -> None:
    """However broken its header is."""
    for name, value in _fields(b"Subject: x\n" + raw):
        assert name.lower() in NAMES
        assert isinstance(value, str)


@pytest.mark.parametrize("word", ["=?a?q?b?= ", "=?a?q?", "=?utf-8?b?", "?=", "\n "])
def test_the_longest_header_is_read_in_its_time(word: str) -> None:
    """A value of 128 KB, made to be slow, takes less than two seconds of CPU time."""
    value = (word * (HEADER_BYTES_MAX // len(word))).encode()
    began = time.process_time()
    unfolded(b": " + value)
    assert time.process_time() - began < 2


def test_a_header_is_read_without_the_body_and_not_without_end() -> None:
    """Only the first bytes are fetched; what lies behind them is not there."""
    objects = Watched()
    big = b"X: " + b"x" * HEADER_BYTES_MAX + b"\r\n"
    objects.put(*PLACE, b"Subject: first\r\n" + big + b"List-Id: behind\r\n\r\n" + b"b" * 999)
    reader = HeaderReader(objects, NAMES)
    assert reader.read([PLACE])[PLACE] == (("Subject", "first"),)
    assert objects.read == [("inbound/1", HEADER_BYTES_MAX)]


def test_a_mail_that_is_not_there_is_left_out() -> None:
    """Others of the batch are read; each once, however often it is asked for."""
    objects = Watched()
    objects.put(*PLACE, b"Subject: here\r\n\r\n")
    gone = ("mail", "inbound/2")
    found = HeaderReader(objects, NAMES).read([PLACE, gone, PLACE])
    assert found == {PLACE: (("Subject", "here"),)}
    assert [key for key, _ in objects.read] == ["inbound/1", "inbound/2"]
    with pytest.raises(ObjectMissing):
        objects.get(*gone)


def test_an_outage_is_told() -> None:
    """It says nothing about the mail: who asks has to wait."""

    class Out(InMemoryObjects):
        def head(self, bucket: str, key: str, size_bytes: int) -> bytes:
            message = f"{bucket}/{key} {size_bytes}: slow down"
            raise RetryableError(message)

    with pytest.raises(RetryableError):
        HeaderReader(Out(), NAMES).read([PLACE])


def test_mails_can_be_read_side_by_side() -> None:
    """In a way that the host chooses; what belongs to which mail stays clear."""
    objects = InMemoryObjects()
    places = [("mail", f"inbound/{number}") for number in range(5)]
    for bucket, key in places:
        objects.put(bucket, key, f"Subject: {key}\r\n\r\n".encode())
    asked: list[int] = []

    def side_by_side(call: Callable[[Any], Any], items: Iterable[Any]) -> Iterable[Any]:
        listed = list(items)
        asked.append(len(listed))
        return [call(each) for each in listed]

    found = HeaderReader(objects, NAMES, side_by_side).read(places)
    assert asked == [5]
    assert {key: fields[0][1] for (_, key), fields in found.items()} == {
        key: key for _, key in places
    }
