"""Finding a mail's header and splitting it into fields, without losing a byte.

Nothing is judged or repaired here: ``join(split(x)) == x`` holds for every input, and so does
``join(fields) + separator + body == raw``.

Where the header ends
=====================

====================================  =========================================================
the mail                              the header ends
====================================  =========================================================
has an empty line ended by LF         there (RFC 5322 section 2.1)
has CR for line ends, up to CR CR     there; CR CR among LF lines ends nothing
has no empty line at all              before the first line that is no field, or with the mail
begins with an empty line             at once: no field, and the rest is the body
begins with a line that is no field   as above if a well-known field follows in the block, else
                                      at once: all of it is the body
begins with an mbox "From " line      as if that line weren't there; it counts as header
====================================  =========================================================

A line ends with LF, CR LF, a lone CR, or up to three CR before LF (what a careless conversion
of line ends leaves). Taking a lone CR for a line end puts everything that any receiver could
read as a field before the rules.
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

LINE_OCTETS_MAX = 998  # RFC 5322 section 2.1.1, without the line end; SES refuses longer lines

_EOL = rb"(?:\r{0,3}\n|\r|\Z)"  # bounded, so that a run of CRs can't make the search quadratic
_NAME = rb"[!-9;-~]++"  # RFC 5322 section 2.2: printable US-ASCII except the colon
_REST = rb"[^\r\n]*+(?:" + _EOL + rb"[ \t][^\r\n]*+)*+" + _EOL

_FIELD = re.compile(_NAME + rb"[ \t]*+:" + _REST)
_FIELD_OR_LINE = re.compile(rb"((?:(" + _NAME + rb")[ \t]*+:)?" + _REST + rb")")
# Nearly all headers are just fields whose lines end with LF or CR LF; this splits them faster.
# Bound to the start of a line, so that a long word isn't tried from each of its characters.
_TIDY_FIELD = re.compile(rb"(?m:^)((" + _NAME + rb"):[^\n]*+\n(?:[ \t][^\n]*+\n)*+)")
_STRAY_CR = re.compile(rb"\r(?:[^\n]|\Z)")
_MBOX_LINE = re.compile(rb">?From [^\r\n]*+" + _EOL)
_LINE_END = re.compile(_EOL)
_EMPTY_LINE_LF = re.compile(rb"\n\r{0,3}\n")
_EMPTY_LINE_ANY = re.compile(rb"(?:\n|\r(?!\r{0,2}\n))(\r{0,3}\n|\r)")

_WELL_KNOWN = frozenset(
    (
        *(b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"received"),
        *(b"return-path", b"reply-to", b"mime-version", b"content-type"),
    ),
)


Field: TypeAlias = tuple[bytes, bytes]
"""One header field with its folded lines, or a line that is no field: ``(raw, name)``.

``raw`` is every byte of it, line ends included. ``name`` is the name as written, empty for a line
that is no field. A plain tuple, because a mail has dozens and they come out of the regular
expression that way.
"""


class HeaderBlock(NamedTuple):
    """A mail's fields, the empty line behind them (may be missing: ``b""``), and the body.

    ``tidy`` is true if the fields need no mending: each has a name with the colon right behind
    it, no line is too long, and all lines end with LF or CR LF.
    """

    fields: list[Field]
    tidy: bool
    separator: bytes
    body: memoryview


def has_stray_cr(data: bytes) -> bool:
    """Tell whether a CR stands anywhere but directly before an LF."""
    return _STRAY_CR.search(data) is not None


def split_fields(block: bytes) -> list[Field]:
    """Split a header block into fields and lines that are none; joining them gives the block."""
    return _split(block, stray_cr=has_stray_cr(block))[0]


def _split(block: bytes, *, stray_cr: bool) -> tuple[list[Field], bool]:
    if not stray_cr:
        fields: list[Field] = _TIDY_FIELD.findall(block)
        lengths = [len(raw) for raw, _ in fields]
        if sum(lengths) == len(block):
            # Where a whole field is short its lines are; the rest is for mending to look at.
            return fields, not lengths or max(lengths) <= LINE_OCTETS_MAX
    fields = _FIELD_OR_LINE.findall(block)
    if not fields[-1][0]:  # the pattern also matches the nothing behind the last line
        fields.pop()
    return fields, False


def is_mbox_line(raw: bytes) -> bool:
    """Tell whether a line is the "From " line which mbox files put before a mail."""
    return _MBOX_LINE.match(raw) is not None


def read_header(raw: bytes | memoryview) -> HeaderBlock:
    """Find and split the header of a mail, however broken, by the table above.

    ``raw`` is bytes or a view of bytes (format "B"). The body is a view into it: it is not copied,
    whatever its size.
    """
    view = memoryview(raw)
    end, body_start, stray_cr = _separator(view)
    fields, tidy = _split(bytes(view[:end]), stray_cr=stray_cr)
    if fields and not fields[0][1]:
        lead = _lead(fields)
        if lead is not None:
            end = body_start = lead
            fields, tidy = _split(bytes(view[:end]), stray_cr=stray_cr)
    return HeaderBlock(fields, tidy, bytes(view[end:body_start]), view[body_start:])


def _separator(view: memoryview) -> tuple[int, int, bool]:
    """Return where the header ends and where the body starts, in octets from the start.

    The third value is false if there is certainly no stray CR in the header.
    """
    if bytes(view[:1]) in {b"\r", b"\n"}:
        first = _LINE_END.match(view)
        return 0, first.end() if first else 0, False
    by_lf = _EMPTY_LINE_LF.search(view)
    if by_lf and not _STRAY_CR.search(view, 0, by_lf.end()):
        return by_lf.start() + 1, by_lf.end(), False
    by_any = _EMPTY_LINE_ANY.search(view)
    if by_any is None:
        end = _end_of_leading_fields(view)
        return end, end, True
    if by_lf is None or b"\n" not in bytes(view[: by_any.start(1)]):
        return by_any.start(1), by_any.end(), True
    return by_lf.start() + 1, by_lf.end(), True


def _end_of_leading_fields(view: memoryview) -> int:
    """Return where the fields (after an mbox line, if any) stop in a mail without empty line."""
    position = 0
    found = _FIELD.match(view) or _MBOX_LINE.match(view)
    while found and found.end() > position:
        position = found.end()
        found = _FIELD.match(view, position)
    return position


def _lead(fields: list[Field]) -> int | None:
    """Return how many octets to keep as header when a block is none, or None when it is one."""
    skipped = 0
    for raw, name in fields:
        if name or not is_mbox_line(raw):
            break
        skipped += len(raw)
    else:
        return None
    if skipped and name:
        return None
    if any(other.lower() in _WELL_KNOWN for _, other in fields):
        return None
    return skipped
