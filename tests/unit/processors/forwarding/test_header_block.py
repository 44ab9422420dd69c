"""Finding and splitting a header loses nothing and ends where a receiver would end it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.forwarding.header_block import HeaderBlock, read_header, split_fields

HEADERLIKE = st.lists(
    st.sampled_from(
        (
            *(b"\r", b"\n", b"\r\n", b"\r\r\n", b"\n\n", b" ", b"\t", b":", b"\x00", b"\xff"),
            *(b"From", b"From ", b"Subject: x", b"To:", b"X-A: b", b">From a", b"word", b"<a@b>"),
        ),
    ),
    max_size=40,
).map(b"".join)
ANY_MAIL = st.one_of(st.binary(max_size=300), HEADERLIKE)


def joined(block: HeaderBlock) -> bytes:
    """Return the bytes that a mail was read from."""
    return b"".join(raw for raw, _ in block.fields) + block.separator + bytes(block.body)


@given(ANY_MAIL)
def test_splitting_is_lossless(data: bytes) -> None:
    """The fields of any block joined are the block."""
    assert b"".join(raw for raw, _ in split_fields(data)) == data


@given(ANY_MAIL)
def test_reading_is_lossless(data: bytes) -> None:
    """Fields, separator and body of any bytes joined are those bytes."""
    assert joined(read_header(data)) == data


@given(ANY_MAIL)
def test_a_memoryview_reads_as_its_bytes(data: bytes) -> None:
    """It makes no difference whether a mail comes as bytes or as a view, writable or not."""
    assert read_header(memoryview(data)) == read_header(data)
    assert read_header(memoryview(bytearray(data))) == read_header(data)


def test_the_body_is_a_view_of_the_input() -> None:
    """The body of a mail is not copied."""
    raw = b"A: b\r\n\r\nbody"
    assert read_header(raw).body.obj is raw


@pytest.mark.parametrize(
    ("raw", "fields", "separator", "body"),
    [
        (b"", [], b"", b""),
        (b"A: b\r\n\r\nbody", [b"A: b\r\n"], b"\r\n", b"body"),
        (b"A: b\nC: d\n\nbody\n\n", [b"A: b\n", b"C: d\n"], b"\n", b"body\n\n"),
        (b"A: b\n c\n\td\n\nbody", [b"A: b\n c\n\td\n"], b"\n", b"body"),
        (b"A: b\rC: d\r\rbody\n\nmore", [b"A: b\r", b"C: d\r"], b"\r", b"body\n\nmore"),
        (b"A: b\r\r\nC: d\r\r\n\r\r\nbody", [b"A: b\r\r\n", b"C: d\r\r\n"], b"\r\r\n", b"body"),
        (b"A: b\nC: d\r\rE: f\n\nbody", [b"A: b\n", b"C: d\r", b"\r", b"E: f\n"], b"\n", b"body"),
        (b"A: b\r\nC: d\rE: f\r\rbody\r", [b"A: b\r\n", b"C: d\r", b"E: f\r"], b"\r", b"body\r"),
        (b"\r\nA: b\r\n\r\nbody", [], b"\r\n", b"A: b\r\n\r\nbody"),
        (b"A: b\r\nC: d", [b"A: b\r\n", b"C: d"], b"", b""),
        (b"A: b\r\nHello Jane\r\nbye", [b"A: b\r\n"], b"", b"Hello Jane\r\nbye"),
        (b"Hello Jane,\n\nbye", [], b"", b"Hello Jane,\n\nbye"),
        (b"Hello Jane", [], b"", b"Hello Jane"),
        (b"From a Mon\nHello\n\nbye", [b"From a Mon\n"], b"", b"Hello\n\nbye"),
        (b"From a Mon\nA: b\n\nbody", [b"From a Mon\n", b"A: b\n"], b"\n", b"body"),
        (b"junk\nTo: b\n\nbody", [b"junk\n", b"To: b\n"], b"\n", b"body"),
        (b"From a Mon\n\nbody", [b"From a Mon\n"], b"\n", b"body"),
        (b"A : b\n\nbody", [b"A : b\n"], b"\n", b"body"),
        (b"A: b\n \nC: d\n\nbody", [b"A: b\n \n", b"C: d\n"], b"\n", b"body"),
    ],
)
def test_where_the_header_ends(
    raw: bytes, fields: list[bytes], separator: bytes, body: bytes
) -> None:
    """The table in the module's docstring, by example."""
    block = read_header(raw)
    found = [field for field, _ in block.fields]
    assert (found, block.separator, bytes(block.body)) == (fields, separator, body)


@given(ANY_MAIL)
def test_tidy_means_that_nothing_needs_mending(data: bytes) -> None:
    """Fields called tidy all have a name, a colon right behind it, short lines, and line ends."""
    block = read_header(data)
    for raw, name in block.fields if block.tidy else ():
        assert name
        assert raw.startswith(name + b":")
        assert raw.endswith(b"\n")
        assert raw.count(b"\r") == raw.count(b"\r\n")


@pytest.mark.parametrize("filler", [b"\r", b"\n", b" ", b"a", b":", b"\r\r\r\rx", b"\n "])
def test_long_runs_are_read_in_one_go(filler: bytes) -> None:
    """A hostile mail of a million octets is read, and loses nothing either."""
    raw = b"A: b" + filler * (1_000_000 // len(filler))
    assert joined(read_header(raw)) == raw
