"""Broken headers are mended, sound ones are left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.forwarding.header_block import LINE_OCTETS_MAX, read_header
from processors.forwarding.mending import line_end, mend_fields
from processors.forwarding.notes import Notes

BROKEN = (
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\r\n",
    b" ",
    b":",
    b"\xff",
    b"To: a",
    b"To : a",
    b"From a",
    b"x",
)
ANY_MAIL = st.one_of(
    st.binary(max_size=300), st.lists(st.sampled_from(BROKEN), max_size=40).map(b"".join)
)


def mended(raw: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return the mended header, joined, and the notes."""
    block = read_header(raw)
    notes = Notes()
    fields = mend_fields(block, line_end(block.fields), notes)
    return b"".join(field for field, _ in fields), notes.as_tuple()


@pytest.mark.parametrize(
    "header",
    [
        b"A: b\r\nB:\r\n c\r\n",
        b"A: b\nB: \xff\x00\n",
        b"A: b\nB: c\r\n",
        b"A: " + b"x" * 990 + b"\r\n " + b"y" * 990 + b"\r\n",
    ],
)
def test_a_sound_header_is_left_alone(header: bytes) -> None:
    """What receivers can read stays byte for byte, mixed line ends and 8-bit octets included."""
    assert mended(header + b"\r\nbody") == (header, ())


@pytest.mark.parametrize(
    ("header", "expected", "note"),
    [
        (b"From a Mon\nTo: b\n", b"To: b\n", 'removed the mbox "From " line'),
        (b"junk\nTo: b\n", b"To: b\n", "removed a line before the first header field"),
        (b" x\nTo: b\n", b"To: b\n", "removed a line before the first header field"),
        (
            b"References: <a@b>, <c.\r\nd@e>\r\nTo: f\r\n",
            b"References: <a@b>, <c.\r\n d@e>\r\nTo: f\r\n",
            "folded a line that is no header field into the field before it",
        ),
        (
            b"To: a\nquite Delivered-To: b\n",
            b"To: a\n quite Delivered-To: b\n",
            "folded a line that is no header field into the field before it",
        ),
        (
            b"To : b\nSubject\t: c\n",
            b"To: b\nSubject: c\n",
            "removed white space before the colon of a header field (2 times)",
        ),
        (
            b"\xef\xbb\xbfTo: b\nSubject: c\n",
            b"To: b\nSubject: c\n",
            "removed a byte order mark before a header field",
        ),
        (
            b"To: a\rBcc: b\r\n",
            b"To: a\r\nBcc: b\r\n",
            "replaced stray carriage returns by line ends",
        ),
        (
            b"To: a\r\r\nCc: b\r\r\n",
            b"To: a\r\nCc: b\r\n",
            "replaced stray carriage returns by line ends (2 times)",
        ),
    ],
)
def test_what_is_broken_is_mended(header: bytes, expected: bytes, note: str) -> None:
    """The table in the module's docstring, by example."""
    assert mended(header + b"\nbody") == (expected, (note,))


def test_an_empty_line_of_crs_among_lf_lines_goes() -> None:
    """No receiver may find an end of the header where the others find none."""
    header, notes = mended(b"To: a\nSubject: b\r\rX: c\n\nbody")
    assert header == b"To: a\nSubject: b\nX: c\n"
    assert "removed an empty line inside the header" in notes


def test_a_header_with_cr_for_line_ends_gets_cr_lf() -> None:
    """Only CR LF ends a line for a receiver that follows the standard."""
    assert mended(b"To: a\rSubject: b\r c\r\rbody")[0] == b"To: a\r\nSubject: b\r\n c\r\n"


def test_a_last_line_without_end_gets_one() -> None:
    """A mail that stops in its header is completed, with the line end that it has."""
    assert mended(b"To: a\nSubject: b") == (b"To: a\nSubject: b\n", ())


def test_a_long_line_is_folded_at_white_space() -> None:
    """Lines over 998 octets are cut before white space, and unfold to what they were."""
    line = b"X-List:" + b" word" * 1_000
    header, notes = mended(line + b"\r\n\r\n")
    assert max(map(len, header.split(b"\r\n"))) <= LINE_OCTETS_MAX
    assert header.replace(b"\r\n", b"") == line
    assert notes == ("folded a header line over 998 octets",)


def test_a_long_line_without_white_space_is_left() -> None:
    """Cutting a word would change its meaning."""
    header = b"X: " + b"a" * 2_000 + b" b\r\n"
    assert mended(header + b"\r\n") == (
        b"X:\r\n " + b"a" * 2_000 + b"\r\n b\r\n",
        (
            "folded a header line over 998 octets",
            "left a header line over 998 octets: it has no white space to fold at",
        ),
    )


@given(st.lists(st.sampled_from((b" ", b"\t", b"a" * 400, b"b" * 1_200)), max_size=30))
def test_folding_leaves_no_line_blank(words: list[bytes]) -> None:
    """Folding changes nothing but line ends, and makes no line of white space alone."""
    line = b"X:" + b"".join(words)
    header, _ = mended(line + b"\r\n\r\n")
    lines = header.removesuffix(b"\r\n").split(b"\r\n")
    assert b"".join(lines) == line
    assert all(part.strip() for part in lines)


@given(ANY_MAIL)
def test_after_mending_every_field_is_one(data: bytes) -> None:
    """Whatever came in: name, colon, no stray CR, a line end, and no empty line inside."""
    block = read_header(data)
    for raw, name in mend_fields(block, line_end(block.fields), Notes()):
        assert name
        assert raw.startswith(name + b":")
        assert raw.endswith(b"\n")
        assert raw.count(b"\r") == raw.count(b"\r\n")
        assert all(line[:1] in {b" ", b"\t"} for line in raw.split(b"\n")[1:-1])
