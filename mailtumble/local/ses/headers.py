"""Header fields of a mail, read with endless patience.

SES accepts what other mail servers sent, broken or not, and so must this:
nothing here raises on any bytes. Whoever needs the truth reads the mail itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header

from mailtumble.address_fields import addresses_in

HEADER_BLOCK_BYTES_MAX = 1024 * 1024
"""No header block is read beyond this: garbage without an empty line has no end."""

# RFC 5322, section 2.2: a name is printable ASCII without colon. Section 4.5
# allows white space before the colon.
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_FOLD = re.compile(r"[\r\n]+[ \t]+")
_SPECIALS = re.compile(r'[()<>@,:;".\[\]\\]')
_BLOCK_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One field: its name as it was written and its value, unfolded but not decoded."""

    name: str
    value: str

    @property
    def size_bytes(self) -> int:
        """The length of ``name: value`` and its line end."""
        return len(self.name) + len(self.value.encode("utf-8")) + 4


def header_block(raw: bytes) -> bytes:
    """Return the bytes before the first empty line, without that line."""
    if raw.startswith((b"\n", b"\r\n")):
        return b""
    end = _BLOCK_END.search(raw, 0, HEADER_BLOCK_BYTES_MAX)
    return raw[: end.start() if end else HEADER_BLOCK_BYTES_MAX]


def parse_fields(raw: bytes) -> tuple[HeaderField, ...]:
    """Read the header fields of a mail, in order.

    The first line that is neither a field nor a continuation ends the header,
    as if the empty line had been forgotten. A leading ``From `` line of an mbox
    is passed over. 8-bit values are read as UTF-8, what isn't UTF-8 is replaced.
    """
    fields: list[HeaderField] = []
    for number, line in enumerate(_logical_lines(header_block(raw))):
        match = _FIELD.fullmatch(line)
        if match is not None:
            value = match[2].decode("utf-8", "replace")
            fields.append(HeaderField(match[1].decode("ascii"), _FOLD.sub(" ", value).strip()))
        elif not (number == 0 and line.startswith(b"From ")):
            break
    return tuple(fields)


def _logical_lines(block: bytes) -> Iterable[bytes]:
    """Give the lines of a header block with their continuations still folded in."""
    parts: list[bytes] = []
    for line in block.split(b"\n"):
        if line.startswith((b" ", b"\t")) and parts:
            parts.append(line)
            continue
        if parts:
            yield b"\n".join(parts).rstrip(b"\r")
        parts = [line]
    if parts:
        yield b"\n".join(parts).rstrip(b"\r")


def first_value(fields: Iterable[HeaderField], name: str) -> str | None:
    """Return the undecoded value of the first field of that name, in any case."""
    wanted = name.lower()
    return next((field.value for field in fields if field.name.lower() == wanted), None)


def decoded(value: str) -> str:
    """Decode the encoded words (RFC 2047) of a value; what can't be decoded stays as it is."""
    if "=?" not in value:
        return value
    try:
        text = str(make_header(decode_header(value)))
    except (MessageError, LookupError, ValueError):
        return value
    # Some charsets decode to lone surrogates, which no UTF-8 can carry.
    return text.encode("utf-8", "replace").decode("utf-8")


def mailboxes(fields: Iterable[HeaderField], *names: str) -> tuple[tuple[str, str], ...]:
    """Return (display name, address) of every mailbox in the fields of these names."""
    wanted = {name.lower() for name in names}
    found: list[tuple[str, str]] = []
    for field in fields:
        if field.name.lower() in wanted:
            found.extend(parse_addresses([field.value]))
    return tuple(found)


def parse_addresses(values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return (display name, address) of every mailbox in address lists; no address, no entry."""
    return tuple((decoded(name), address) for name, address in addresses_in(values) if address)


def mailbox(name: str, address: str) -> str:
    """Write a mailbox as ``Name <address>``, quoting the name where it needs it."""
    if not name:
        return address
    if _SPECIALS.search(name):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{address}>'
    return f"{name} <{address}>"
