"""Records as a newer release writes them: with events that today's release does not know."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Final
from unittest.mock import patch

import msgpack

from mailtumble.ports.stream import OutgoingRecord
from schemas.codec import encode
from schemas.envelope import EventEnvelope
from schemas.events import EVENT_TYPES, Versions

AHEAD: Final = 100
"""How many versions of each event the newer release is ahead."""


def newer(record: EventEnvelope, **keys: object) -> OutgoingRecord:
    """Encode a record with newer versions of its events, and with further keys."""
    with upgraded():
        plain: Any = msgpack.unpackb(encode(record))
    return OutgoingRecord(record.subject, msgpack.packb({**plain, **keys}))


def upgraded() -> AbstractContextManager[object]:
    """Be of the newer release, which writes and reads only its own versions here."""
    versions = {kind: Versions.current[kind] + AHEAD for kind in EVENT_TYPES}
    return patch.object(Versions, "current", versions)
