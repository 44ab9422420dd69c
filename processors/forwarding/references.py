"""Keeping threads together although SES gives every mail a new Message-ID and Date.

The answer to a forwarded mail refers to the id that SES gave it. Its recipient's mail reader
finds the thread by References, so the original id is appended there.
"""

from __future__ import annotations

import re

_MESSAGE_ID = re.compile(rb"<[!-;=?-~]{1,900}>")  # one fits in a line of 998 octets
_END = b" \t\r\n"


def references_field(
    message_id: bytes, references: bytes | None, in_reply_to: bytes, eol: bytes
) -> bytes | None:
    """Return References with the original id at its end, or None if there is nothing to add.

    ``message_id`` and ``in_reply_to`` are values, ``references`` is the whole field. A mail without
    References gets the id of the mail that it answers as well, if there is exactly one: readers
    that find References don't look into In-Reply-To (RFC 5322 section 3.6.4).
    """
    found = _MESSAGE_ID.search(message_id)
    if found is None:
        return references
    original = found[0]
    if references is None:
        answered = _MESSAGE_ID.findall(in_reply_to)
        parents = answered if len(answered) == 1 and answered[0] != original else []
        return b"References: " + (eol + b" ").join([*parents, original]) + eol
    if original in references:
        return references
    return references.rstrip(_END) + eol + b" " + original + eol
