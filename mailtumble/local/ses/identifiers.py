"""Ids and times in the forms in which SES writes them."""

from __future__ import annotations

import base64
import os
import uuid
from datetime import UTC, datetime


def inbound_message_id() -> str:
    """Make the id of a received mail: 40 characters out of ``0-9a-v``.

    SES names the S3 object with it. 25 random bytes are exactly 40 digits of
    5 bits.
    """
    return base64.b32hexencode(os.urandom(25)).decode("ascii").lower()


def outbound_message_id(now: datetime) -> str:
    """Make the id of a sent mail, or of a piece of feedback.

    ``0100``, the time in milliseconds as 12 hexadecimal digits, a UUID, and a
    counter that is always nought.
    """
    milliseconds = int(now.timestamp() * 1000)
    return f"0100{milliseconds:012x}-{uuid.uuid4()}-000000"


def timestamp(when: datetime) -> str:
    """Write a moment in UTC with milliseconds, as ``2015-09-11T20:32:33.936Z``."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
