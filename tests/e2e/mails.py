"""Mails to five aliases, with bodies of every kind that a forwarder could spoil."""

from __future__ import annotations

import base64
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.e2e.conftest import Stack

HOUSE = {
    "alias0@house.example": ["t0.0@far.example", "t0.1@far.example"],
    **{f"alias{number}@house.example": [f"t{number}@far.example"] for number in range(1, 5)},
}
"""Five aliases and their targets: the first has two."""

_BOUNDARY = b"=_part"
_PARTED = b"\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=" + _BOUNDARY


def add_aliases(stack: Stack, house: Mapping[str, list[str]] = HOUSE) -> None:
    """Put all aliases into the repository."""
    with ThreadPoolExecutor(2) as threads:
        list(
            threads.map(lambda each: stack.run("aliases", "add", each[0], *each[1]), house.items())
        )


def mail(number: int) -> tuple[str, bytes]:
    """Recipient and bytes of a mail; the same number gives the same mail."""
    draw = random.Random(number)  # noqa: S311 - bodies to tell apart
    more, content = _KINDS[number % len(_KINDS)](draw, number)
    header = b"From: Jane <jane@example.com>\r\nSubject: mail %d%s" % (number, more)
    raw = header + b"\r\n\r\n" + content
    if number % len(_KINDS) == _LF:
        raw = raw.replace(b"\r\n", b"\n")
    return list(HOUSE)[number % len(HOUSE)], raw


def by_smtp(raw: bytes) -> bytes:
    """What a mail is after smtplib: DATA ends with CRLF and a dot, so it has to end a line."""
    return raw if raw.endswith(b"\r\n") else raw + b"\r\n"


def body(raw: bytes) -> bytes:
    """What follows the first empty line."""
    return re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[1]


def accepted(sent: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
    """How often SES has accepted which mail for whom."""
    return Counter((each["tags"]["mailtumble-mail"], each["to"][0]) for each in sent)


def attempts(sent: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], list[str]]:
    """The attempts that SES has accepted, in their order: of which mail for whom."""
    found: dict[tuple[str, str], list[str]] = {}
    for each in sent:
        key = each["tags"]["mailtumble-mail"], each["to"][0]
        found.setdefault(key, []).append(each["tags"]["mailtumble-attempt"])
    return found


def wanted(mails: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Which mails are for whom: by the aliases, not by what became of the mails."""
    return {(each["mail_id"], to) for each in mails for to in HOUSE[each["recipient"]]}


def _text(draw: random.Random, number: int) -> tuple[bytes, bytes]:
    lines = [b"hello %d, line %d" % (number, line) for line in range(draw.randrange(1, 200))]
    return b"", b"\r\n".join(lines) + b"\r\n"


def _eight_bits(draw: random.Random, number: int) -> tuple[bytes, bytes]:
    """Every byte but NUL, CR and LF; no charset makes sense of it."""
    some = bytes(each for each in range(1, 256) if each not in b"\r\n")
    content = b"\r\n".join(bytes(draw.sample(some, len(some))) for _ in range(number % 30 + 1))
    return b"\r\nContent-Transfer-Encoding: 8bit", content + b"\r\n"


def _one_long_line(draw: random.Random, number: int) -> tuple[bytes, bytes]:
    """Far longer than the 998 characters of RFC 5322, section 2.1.1."""
    return b"", b"%d " % number * draw.randrange(2_000, 20_000) + b"\r\n"


def _attachment(draw: random.Random, number: int) -> tuple[bytes, bytes]:
    """A base64 part; now and then one above the size from which SES's API works on threads."""
    size = 400_000 if number % 100 == _ATTACHED else draw.randrange(60_000)
    encoded = base64.encodebytes(draw.randbytes(size)).replace(b"\n", b"\r\n")
    part = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    ends = b"--" + _BOUNDARY
    return _PARTED, b"preamble\r\n" + ends + b"\r\n" + part + encoded + ends + b"--\r\n"


def _lf_only(draw: random.Random, number: int) -> tuple[bytes, bytes]:
    """Not a CR in it, header included (SMTP adds one CRLF at the end)."""
    return b"", b"line of mail %d\r\n\r\n" % number * draw.randrange(1, 40)


def _empty(draw: random.Random, number: int) -> tuple[bytes, bytes]:  # noqa: ARG001
    return b"", b""


def _dots_and_blanks(draw: random.Random, number: int) -> tuple[bytes, bytes]:
    """Lines that SMTP stuffs, blank ones, ones that end in blanks, and no line end at the end."""
    lines = [b".", b"..", b"", b" ", b"\t", b".x", b"From me", b"--%d-- " % number, b"a: b"]
    return b"", b"\r\n".join(draw.choice(lines) for _ in range(60)) + b"\r\n.\r\nno end"


def _mixed_ends(draw: random.Random, number: int) -> tuple[bytes, bytes]:
    """CRLF in the header, and in the body whatever comes."""
    ends = (b"\r\n", b"\n", b"\n\n", b"\r\n\r\n")
    return b"", b"".join(b"%d" % number + draw.choice(ends) for _ in range(80))


_KINDS: tuple[Callable[[random.Random, int], tuple[bytes, bytes]], ...] = (
    _text,
    _eight_bits,
    _one_long_line,
    _attachment,
    _lf_only,
    _empty,
    _dots_and_blanks,
    _mixed_ends,
)
_ATTACHED = _KINDS.index(_attachment)
_LF = _KINDS.index(_lf_only)
