"""Mending a header: after this every field has a name, a colon, and lines a receiver can read.

What is done to what is broken
==============================

=======================================  ======================================================
found                                    done
=======================================  ======================================================
an mbox "From " line on top              removed: it is no field
a UTF-8 byte order mark before a field   removed
a line that is no field                  made a folded line of the field before it (a lost fold
                                         is what it nearly always is); removed on top of the
                                         header, where there is no such field
an empty line made of CRs                removed: receivers would end the header there
white space between name and colon       removed: RFC 5322 section 4 lets nobody write it
a lone CR, or several CR before LF       replaced by the mail's line end
lines ended by CR alone                  the header gets CR LF; the body stays as it is
lines ended by LF alone, or a mixture    kept
a line over 998 octets                   folded at white space (RFC 5322 section 2.1.1); left
                                         where it has none
a last line without line end             gets one
=======================================  ======================================================

A field with nothing wrong is passed on byte for byte.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from processors.forwarding.header_block import (
    LINE_OCTETS_MAX,
    Field,
    HeaderBlock,
    has_stray_cr,
    is_mbox_line,
    split_fields,
)

if TYPE_CHECKING:
    from processors.forwarding.notes import Notes

CRLF = b"\r\n"

_ANY_EOL = re.compile(rb"\r{0,3}\n|\r")
_LINES = re.compile(rb"[^\n]*+(?:\n|\Z)")
_WORD = re.compile(rb"[^ \t]")
_WHITE_SPACE = re.compile(rb"[ \t]")
_BLANK = b" \t"
# A field while it is mended, and its name: in pieces, so that a million lines are joined once.
_Pieces: TypeAlias = tuple[list[bytes], bytes]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def line_end(fields: list[Field]) -> bytes:
    """Return the line end for new lines: LF if the first line has LF alone, else CR LF."""
    if not fields:
        return CRLF
    first = fields[0][0]
    line, end, _ = first.partition(b"\n")
    return end if end and b"\r" not in line else CRLF


def mend_fields(block: HeaderBlock, eol: bytes, notes: Notes) -> list[Field]:
    """Return the fields mended by the table above; ``eol`` ends the lines that need an end."""
    if block.tidy:
        return block.fields
    mended: list[_Pieces] = []
    for raw, name in _with_last_line_ended(block.fields, eol):
        if name:
            mended.append(([_mended_field(raw, name, eol, notes)], name))
        else:
            _mend_line(raw, mended, eol, notes)
    return [(b"".join(pieces), name) for pieces, name in mended]


def _with_last_line_ended(fields: list[Field], eol: bytes) -> list[Field]:
    if not fields or fields[-1][0].endswith((b"\n", b"\r")):
        return fields
    raw, name = fields[-1]
    return [*fields[:-1], (raw + eol, name)]


def _mend_line(raw: bytes, mended: list[_Pieces], eol: bytes, notes: Notes) -> None:
    """Remove a line that is no field, or fold it into the last of the fields mended so far."""
    marked = _field_behind_byte_order_mark(raw)
    raw = _with_one_line_end(raw, eol, notes)
    if marked is not None:
        notes.add("removed a byte order mark before a header field")
        marked_raw, name = marked
        mended.append(([_mended_field(marked_raw, name, eol, notes)], name))
    elif not raw.strip():
        notes.add("removed an empty line inside the header")
    elif mended:
        notes.add("folded a line that is no header field into the field before it")
        pieces, _ = mended[-1]
        pieces.append(_with_short_lines(b" " + raw.lstrip(_BLANK), eol, notes))
    elif is_mbox_line(raw):
        notes.add('removed the mbox "From " line')
    else:
        notes.add("removed a line before the first header field")


def _field_behind_byte_order_mark(raw: bytes) -> Field | None:
    if not raw.startswith(_BYTE_ORDER_MARK):
        return None
    found = split_fields(raw.removeprefix(_BYTE_ORDER_MARK))
    return found[0] if found and found[0][1] else None


def _mended_field(raw: bytes, name: bytes, eol: bytes, notes: Notes) -> bytes:
    if not raw.startswith(b":", len(name)):
        notes.add("removed white space before the colon of a header field")
        raw = name + raw[len(name) :].lstrip(_BLANK)
    raw = _with_one_line_end(raw, eol, notes)
    return _with_short_lines(raw, eol, notes)


def _with_one_line_end(raw: bytes, eol: bytes, notes: Notes) -> bytes:
    if not has_stray_cr(raw):
        return raw
    notes.add("replaced stray carriage returns by line ends")
    return _ANY_EOL.sub(eol, raw)


def _with_short_lines(raw: bytes, eol: bytes, notes: Notes) -> bytes:
    """Fold lines over 998 octets at white space; the first one stays with the field's name."""
    if len(raw) <= LINE_OCTETS_MAX:
        return raw
    return b"".join(_folded(line, eol, notes) for line in _LINES.findall(raw))


def _folded(line: bytes, eol: bytes, notes: Notes) -> bytes:
    text = line.rstrip(b"\r\n")
    if len(text) <= LINE_OCTETS_MAX:
        return line
    pieces: list[bytes] = []
    start = 0
    text_end = len(text.rstrip(_BLANK))
    while len(text) - start > LINE_OCTETS_MAX:
        cut = _fold_position(text, start, text_end)
        if cut is None:
            break
        pieces.append(text[start:cut])
        start = cut
    if pieces:
        notes.add("folded a header line over 998 octets")
    pieces.append(text[start:])
    if max(map(len, pieces)) > LINE_OCTETS_MAX:
        notes.add("left a header line over 998 octets: it has no white space to fold at")
    return eol.join(pieces) + line[len(text) :]


def _fold_position(text: bytes, start: int, text_end: int) -> int | None:
    """Return where to fold: before white space with text on both sides, as late as allowed.

    Every search ends within a line's length or at the cut it finds, so that a header of many
    megabytes is folded in one go over it.
    """
    word = _WORD.search(text, start, text_end)
    if word is None:
        return None
    window_end = min(start + LINE_OCTETS_MAX + 1, text_end)
    cut = max(text.rfind(blank, word.start(), window_end) for blank in (b" ", b"\t"))
    if cut > word.start():
        return cut
    blank = _WHITE_SPACE.search(text, word.start(), text_end)
    return blank.start() if blank else None
