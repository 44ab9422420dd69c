"""Writing names and addresses so that every receiver reads one mailbox (RFC 5322, RFC 2047)."""

from __future__ import annotations

import re
from binascii import b2a_base64

ADDRESS_OCTETS_MAX = 64 + 1 + 255  # local part, "@", domain: RFC 5321 section 4.5.3.1

# An encoded word and the name of the longest field that begins with one stay within the 76
# characters of a line (RFC 2047 section 2): "Reply-To: " 10 + "=?utf-8?b?" 10 + 52 + "?=" 2 = 74.
_ENCODED_OCTETS_MAX = 39  # 52 * 3 / 4
_CONTINUATION_OCTETS = range(0x80, 0xC0)  # of a UTF-8 character: no word may end before one

_DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_PLAIN_ADDRESS = re.compile(
    r"[A-Za-z0-9_+=-]++(?:\.[A-Za-z0-9_+=-]++)*+@[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)*+\Z"
)
_QUOTED_STRING = re.compile(r'"(?:[ !#-\[\]-~]|\\[ -~])*"\Z')
_PRINTABLE_ASCII = re.compile(r"[ -~]+\Z")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[!-Z^-~]+\])\Z")

_JOINERS = "\u200c\u200d"  # of letters in Persian and of emoji: they aren't printable themselves


def tidy(text: str, characters_max: int) -> str:
    """Return the text in one line, without control characters, shortened with "..." if need be.

    Characters that change the direction of writing go too: with them one name looks like
    another.
    """
    if text.isprintable() and text.isascii() and "  " not in text:
        text = text.strip(" ")
    else:
        text = " ".join(text.split())
    if not text.isprintable():
        text = "".join(char for char in text if char.isprintable() or char in _JOINERS)
        text = " ".join(text.split())
    if len(text) > characters_max:
        text = text[: characters_max - 3].rstrip() + "..."
    return text


def without_at(text: str) -> str:
    """Write "at" for "@" in all its forms, so that no program finds an address in a name."""
    text = text.replace("@", " at ")
    if not text.isascii():
        text = text.replace("\uff20", " at ").replace("\ufe6b", " at ")
    return text


def phrase(text: str, eol: bytes) -> bytes:
    """Return a display name as a quoted string, or in encoded words if it isn't ASCII.

    Text that looks like an encoded word is encoded too: some readers decode inside quotes.
    """
    if text.isascii() and "=?" not in text:
        if '"' in text or "\\" in text:
            text = text.replace("\\", "\\\\").replace('"', '\\"')
        return b'"' + text.encode() + b'"'
    return (eol + b" ").join(_encoded_words(text))


def _encoded_words(text: str) -> list[bytes]:
    octets = text.encode()
    words: list[bytes] = []
    start = 0
    while start < len(octets):
        end = min(start + _ENCODED_OCTETS_MAX, len(octets))
        if end < len(octets):
            end = _word_end(octets, start, end)
        words.append(b"=?utf-8?b?" + b2a_base64(octets[start:end], newline=False) + b"?=")
        start = end
    return words


def _word_end(octets: bytes, start: int, end: int) -> int:
    """Return where to end an encoded word: behind a space, else between two characters."""
    # Readers must ignore the space between two encoded words (RFC 2047 section 6.2). Some show
    # it, Python's email package among them, so it is best put where there is one anyway.
    space = octets.rfind(b" ", start, end)
    if space >= start:
        return space + 1
    while octets[end] in _CONTINUATION_OCTETS:
        end -= 1  # RFC 2047 section 5: whole characters in every word
    return end


def address_spec(address: str) -> bytes | None:
    """Return an address as it may stand in a header, or None if it can't.

    SES has no SMTPUTF8: a domain outside ASCII is written in its IDNA form, a local part outside
    ASCII can't be written at all. A local part that is no dot-atom is quoted, which leaves its
    meaning as it is.
    """
    address = address.strip()
    if _PLAIN_ADDRESS.match(address) and len(address) <= ADDRESS_OCTETS_MAX:
        return address.encode()
    local_part, _, domain = address.rpartition("@")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode()
        except UnicodeError:
            return None
    if not _DOMAIN.match(domain) or not _PRINTABLE_ASCII.match(local_part):
        return None
    if not _DOT_ATOM.match(local_part) and not _QUOTED_STRING.match(local_part):
        local_part = '"' + local_part.replace("\\", "\\\\").replace('"', '\\"') + '"'
    spec = f"{local_part}@{domain}".encode()
    return spec if len(spec) <= ADDRESS_OCTETS_MAX else None
