"""The loop guard: a header field for every passage through mailtumble (RFC 5321 section 6.3).

A field reads ``X-Mailtumble-Hop: <alias>; mail=<mail id>``, the newest on top.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from processors.forwarding.model import Unforwardable

if TYPE_CHECKING:
    from collections.abc import Iterable

HOP = b"X-Mailtumble-Hop"
TAGS = b"X-Mailtumble-Tags"
HOPS_MAX = 5  # an alias may lead to an alias of another house, and so on; five is a maze
RECEIVED_MAX = 100  # RFC 5321 section 6.3: a limit should be at least that

_MAIL_ID_CHARACTERS_MAX = 200
_TAG_CHARACTERS_MAX = 64
_NOT_IN_MAIL_ID = re.compile(r"[^!-:<-~]")  # printable ASCII without the semicolon


def check_hops(hops: Iterable[bytes], received: int, alias: bytes) -> None:
    """Raise Unforwardable if the mail was here for this alias before, or has come too far.

    ``hops`` are the values of the hop fields, ``received`` is the number of Received fields.
    Aliases are compared without regard to case.
    """
    passed = [hop.partition(b";")[0].strip().lower() for hop in hops]
    if alias.lower() in passed:
        raise Unforwardable("loop: this alias has forwarded this mail before")
    if len(passed) >= HOPS_MAX:
        raise Unforwardable(f"hop limit: the mail was forwarded {len(passed)} times already")
    if received >= RECEIVED_MAX:
        raise Unforwardable(f"hop limit: the mail has {received} Received fields")


def tags_field(tags: tuple[str, ...], eol: bytes) -> bytes:
    """Return the field with the tags of this passage, a line each; nothing without any."""
    if not tags:
        return b""
    safe = [_NOT_IN_MAIL_ID.sub("_", tag[:_TAG_CHARACTERS_MAX]).encode() for tag in tags]
    return TAGS + b": " + (b"," + eol + b" ").join(safe) + eol


def hop_field(alias: bytes, mail_id: str, eol: bytes) -> bytes:
    """Return the field for this passage."""
    safe_id = _NOT_IN_MAIL_ID.sub("_", mail_id[:_MAIL_ID_CHARACTERS_MAX]).encode()
    return HOP + b": " + alias + b";" + eol + b" mail=" + safe_id + eol
