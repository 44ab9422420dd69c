"""What the rewriting of a mail takes and gives."""

from __future__ import annotations

from dataclasses import dataclass


class Unforwardable(Exception):  # noqa: N818 - it says what the mail is, and isn't a fault
    """The mail may not be forwarded, whatever is done to its header: it goes round in a loop.

    ``reason`` is in words, without addresses.
    """

    def __init__(self, reason: str) -> None:
        """Refuse a mail for a reason."""
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What must be known about a passage to rewrite its mail."""

    alias: str
    """The envelope recipient that the mail came in for; becomes the address in From."""
    envelope_sender: str
    """From the mail's envelope; empty for the null reverse path of a bounce."""
    mail_id: str
    """For the hop header, which leads from a forwarded mail back to this passage."""
    tags: tuple[str, ...] = ()
    """What the moderation rules say of it, for the recipient's own rules."""


@dataclass(frozen=True, slots=True)
class RewrittenMail:
    """A mail ready to be sent: a new header and the body as it came."""

    header: bytes
    """The header block with the empty line behind it; line ends as in the mail that came."""
    body: memoryview
    """A view of the body in the bytes that came: neither changed nor copied."""
    notes: tuple[str, ...]
    """What was repaired or dropped, in words; without addresses or other contents."""

    def to_bytes(self) -> bytes:
        """Return the mail in one piece; this copies it."""
        return b"".join((self.header, self.body))
