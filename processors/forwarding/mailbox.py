"""Reading mailboxes out of address fields, however they were written (RFC 5322 section 3.4).

Real mails have addresses without commas between them, names with an "@", quotes that never
close, raw 8-bit octets. A strict parser gives nothing for those; this one gives what a human
would read. It never raises, and takes time in proportion to the field's length.
"""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

VALUE_OCTETS_MAX = 16_384  # of one field, some hundred mailboxes; what lies behind isn't read
_NAME_CHARACTERS_MAX = 1_000  # of one name, before it is decoded and shortened for display

_ATOM = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]++"
_QUOTED = rb'"(?:[^"\\\r\n\x00\x80-\xff]|\\[ -~])*+"'
_SPACE = rb"[ \t\r\n]"
_ADDRESS = _ATOM + rb"@[A-Za-z0-9._-]++"
_STRICT = rb"(?:" + _ADDRESS + rb"|(?:(?:" + _ATOM + rb"|" + _QUOTED + rb")" + _SPACE + rb"*+)*+"
_STRICT += rb"<" + _ADDRESS + rb">)" + _SPACE + rb"*+"
_STRICT_LIST = re.compile(
    _SPACE + rb"*+" + _STRICT + rb"(?:," + _SPACE + rb"*+" + _STRICT + rb")*+\Z",
)
# The two forms that nearly all mails have, without anything to decode or to unquote.
_PLAIN = re.compile(
    rb"""[ \t]*+(?:"([^"\\=\x00-\x1f\x7f-\xff]*+)"|([A-Za-z0-9 .'_-]*+))"""
    rb"""[ \t]*+<([A-Za-z0-9._+=-]++@[A-Za-z0-9.-]++)>[ \t]*+\r?\n?\Z""",
)
_BARE = re.compile(rb"[ \t]*+([A-Za-z0-9._+=-]++@[A-Za-z0-9.-]++)[ \t]*+\r?\n?\Z")

_SPECIAL = re.compile(r'\\.|["()<>,;:]', re.DOTALL)
_QUOTED_LOCAL_PART = re.compile(r'"(?:[^"\\]|\\.)*+"@[^\s@]+\Z', re.DOTALL)


class Mailbox(NamedTuple):
    """A name and an address as they were written, both decoded; either may be empty."""

    name: str
    address: str


def is_strict_list(value: bytes) -> bool:
    """Tell whether every receiver can read this value: mailboxes with plain ASCII addresses."""
    return _STRICT_LIST.match(value) is not None


def parse_mailboxes(value: bytes) -> tuple[Mailbox, ...]:
    """Return the mailboxes in the value of a From, Reply-To or similar field.

    Groups give their members. Text without an address gives a mailbox without one.
    """
    plain = _PLAIN.match(value)
    if plain:
        name = plain[1] if plain[1] is not None else plain[2]
        return (Mailbox(name.decode().strip(), plain[3].decode()),)
    bare = _BARE.match(value)
    if bare:
        return (Mailbox("", bare[1].decode()),)
    text = _decoded_octets(value[:VALUE_OCTETS_MAX])
    scanner = _Scanner()
    if not scanner.scan(text):
        # A quote, comment or bracket never closes: read them all as blanks.
        scanner = _Scanner()
        scanner.scan(re.sub(r'["()<>\\]', " ", text))
    return _with_names_joined(mailbox for part in scanner.parts for mailbox in part.mailboxes())


def _with_names_joined(mailboxes: Iterable[Mailbox]) -> tuple[Mailbox, ...]:
    """Put names back together that an unquoted comma parted: ``Doe, Jane <jane@example.com>``."""
    joined: list[Mailbox] = []
    waiting = ""
    for mailbox in mailboxes:
        name = f"{waiting}, {mailbox.name}" if waiting else mailbox.name
        waiting = "" if mailbox.address else name
        if mailbox.address:
            joined.append(Mailbox(name, mailbox.address))
    return (*joined, Mailbox(waiting, "")) if waiting else tuple(joined)


def _decoded_octets(octets: bytes) -> str:
    """Decode a value that may have raw 8-bit octets: as UTF-8 if it is that, else Windows-1252."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("cp1252", "replace")


def decode_words(text: str) -> str:
    """Decode RFC 2047 encoded words in a name; what can't be decoded stays as it is."""
    if "=?" not in text:
        return text
    try:
        pieces = decode_header(text[:_NAME_CHARACTERS_MAX])
    except HeaderParseError:
        return text
    return "".join(_decoded_piece(*piece) for piece in pieces)


def _decoded_piece(piece: bytes | str, charset: str | None) -> str:
    if isinstance(piece, str):
        return piece
    try:
        return piece.decode(charset or "latin-1", "replace")
    except (LookupError, ValueError):  # no such charset, or one that can't decode octets
        return piece.decode("ascii", "replace")


class _Mode(Enum):
    PHRASE = auto()
    QUOTED = auto()
    COMMENT = auto()
    ANGLE = auto()


class _Part:
    """What stands between two commas."""

    def __init__(self) -> None:
        self.text: list[str] = []  # outside brackets and comments, quotes included
        self.phrase: list[str] = []  # the same without the quotes
        self.comment: list[str] = []
        self.angle: list[str] = []
        self.has_angle = False

    def mailboxes(self) -> list[Mailbox]:
        phrase = "".join(self.phrase).strip()
        comment = decode_words("".join(self.comment).strip())
        if self.has_angle:
            address = re.sub(r"\s+", "", "".join(self.angle))
            if address.startswith("@"):  # a source route (RFC 5322 section 4.4)
                address = address.rpartition(":")[2]
            return [Mailbox(decode_words(phrase) or comment, address)]
        text = "".join(self.text).strip()
        if _QUOTED_LOCAL_PART.match(text):
            return [Mailbox(comment, text)]
        words = phrase.split()
        addresses = [word for word in words if "@" in word[1:-1]]
        others = decode_words(" ".join(word for word in words if "@" not in word[1:-1]))
        if len(addresses) == 1:
            return [Mailbox(others or comment, addresses[0])]
        if addresses:
            return [Mailbox("", address) for address in addresses]
        name = others or comment
        return [Mailbox(name, "")] if name else []


class _Scanner:
    """Splits a value into parts by a small state machine, in one pass."""

    def __init__(self) -> None:
        self.parts: list[_Part] = []
        self._part = _Part()
        self._mode = _Mode.PHRASE
        self._depth = 0  # of comments in comments
        self._mode_outside_comment = _Mode.PHRASE

    def scan(self, value: str) -> bool:
        """Take in the value; tell whether all that opens in it also closes."""
        position = 0
        for special in _SPECIAL.finditer(value):
            self._take_text(value[position : special.start()])
            self._take_special(special[0])
            position = special.end()
        self._take_text(value[position:])
        self.parts.append(self._part)
        return self._mode is _Mode.PHRASE

    def _take_text(self, text: str) -> None:
        part = self._part
        if self._mode is _Mode.COMMENT:
            part.comment.append(text)
        elif self._mode is _Mode.ANGLE:
            part.angle.append(text)
        else:
            part.phrase.append(text)
            part.text.append(text)

    def _take_special(self, special: str) -> None:
        if special[0] == "\\":
            self._take_escaped(special)
        elif self._mode is _Mode.COMMENT:
            self._in_comment(special)
        elif self._mode is _Mode.QUOTED:
            self._in_quotes(special)
        elif self._mode is _Mode.ANGLE:
            self._in_angle(special)
        else:
            self._in_phrase(special)

    def _take_escaped(self, pair: str) -> None:
        if self._mode in {_Mode.PHRASE, _Mode.QUOTED}:
            self._part.phrase.append(pair[1])
            self._part.text.append(pair)
        else:
            self._take_text(pair if self._mode is _Mode.ANGLE else pair[1])

    def _in_comment(self, special: str) -> None:
        if special == "(":
            self._depth += 1
        elif special == ")":
            self._depth -= 1
            if self._depth == 0:
                self._mode = self._mode_outside_comment
                return
        self._take_text(special)

    def _in_quotes(self, special: str) -> None:
        if special == '"':
            self._mode = _Mode.PHRASE
            self._part.text.append(special)
        else:
            self._take_text(special)

    def _in_angle(self, special: str) -> None:
        if special == ">":
            self._mode = _Mode.PHRASE
        elif special == "(":
            self._open_comment()
        else:
            self._take_text(special)

    def _in_phrase(self, special: str) -> None:
        if special in ",;":
            self.parts.append(self._part)
            self._part = _Part()
        elif special == ":":  # what stood before is a group's name
            self._part = _Part()
        elif special == '"':
            self._mode = _Mode.QUOTED
            self._part.text.append(special)
        elif special == "<":
            self._mode = _Mode.ANGLE
            self._part.angle = []  # of several the last one counts
            self._part.has_angle = True
        elif special == "(":
            self._open_comment()

    def _open_comment(self) -> None:
        self._mode_outside_comment = self._mode
        self._mode = _Mode.COMMENT
        self._depth = 1
