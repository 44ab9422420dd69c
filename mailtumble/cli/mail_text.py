"""A mail as plain text that is safe to read: nothing is run, fetched, or sent to the terminal."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.errors import MessageError
from email.message import Message
from typing import Any, Final

from mailtumble.cli.html_text import plain
from mailtumble.cli.output import printable
from mailtumble.worker.headers import unfolded
from processors.forwarding.header_block import read_header

SHOWN: Final = ("from", "to", "cc", "reply-to", "date", "subject", "list-id", "message-id")
TEXT_MAX: Final = 64 * 1024
"""Characters of a part that are shown."""

PARSER_ERRORS: Final = (
    MessageError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)
"""What Python's email package is known to raise at mails that are broken cunningly enough."""


def as_text(raw: bytes) -> str:
    """Header fields that people know, then each part's text; attachments by name and size.

    What a line holds beside printable characters is escaped in the header and in names of
    attachments, so that these can't pretend to be other lines; whoever prints the text of the
    parts has to do it there (:func:`mailtumble.cli.output.printable_lines`).
    """
    lines = [
        f"{name.decode('ascii')}: {printable(unfolded(field[len(name) :]))}"
        for field, name in read_header(raw).fields
        if name.lower().decode("ascii", "replace") in SHOWN
    ]
    return "\n".join([*lines, "", *_parts(raw)])


def _parts(raw: bytes) -> list[str]:
    try:
        message = email.message_from_bytes(raw, policy=email.policy.compat32)
        parts = [part for part in message.walk() if not part.is_multipart()]
    except PARSER_ERRORS as error:
        return [printable(f"[the mail's parts can't be told apart: {error}]")]
    return [line for part in parts for line in _readable(part)]


def _readable(part: Message[Any, Any]) -> list[str]:
    try:
        return list(_part(part))
    except PARSER_ERRORS as error:
        return [printable(f"[a part that can't be read: {error}]")]


def _part(part: Message[Any, Any]) -> Iterator[str]:
    kind = printable(part.get_content_type())
    name = part.get_filename()
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    if name is not None or part.get_content_maintype() != "text":
        yield f"[{kind}: {printable(name or 'without a name')}, {len(content)} bytes]"
        return
    text = _decoded(content, part.get_content_charset() or "utf-8")
    shown = plain(text) if kind == "text/html" else text
    yield f"[{kind}]"
    yield shown[:TEXT_MAX]
    if len(shown) > TEXT_MAX:
        yield f"[{len(shown) - TEXT_MAX} more characters]"


def _decoded(content: bytes, charset: str) -> str:
    try:
        return content.decode(charset, "replace")
    except (LookupError, ValueError):
        # No such charset, or one that is no text, or that does not know how to replace.
        return content.decode("utf-8", "replace")
