"""What a mail's way through the logs costs: per event, with DEBUG off and on.

50,000 mails a minute are some 10,000 events a second. Prints microseconds a line, and the share
of a core that 10,000 a second would take.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable
from typing import Final

from mailtumble.logs import JsonLines, about
from mailtumble.worker import journal
from schemas.envelope import EventEnvelope
from schemas.events import SendStarted
from schemas.ids import mail_id, mail_subject

EVENTS: Final = 50_000
EVENTS_PER_S: Final = 10_000
SUBJECT: Final = mail_subject(mail_id("ses-message", "info@house.example"))
SEQUENCE: Final = "49590338271490256608559692538361571095921575989136588898".zfill(64)
RECORD: Final = EventEnvelope(
    id="d41d8cd9-8f00-5204-a980-0998ecf8427e",
    subject=SUBJECT,
    cause="cause",
    after=None,
    recorded_at=1,
    decider="sender",
    rule_version=0,
    events=(
        SendStarted(
            target=0,
            attempt_id="0e134714-ad37-5a80-b7d3-16249164d52f",
            round=1,
            instant_at=1,
            send_before=2,
            owner="host-1",
            watched=False,
        ),
    ),
)


def one() -> None:
    """What the shard processor does about one record."""
    with about(**journal.subject_fields(SUBJECT, SEQUENCE)):
        journal.accepted("core", RECORD)


def microseconds(call: Callable[[], None]) -> float:
    """A call's mean time."""
    began = time.process_time()
    for _ in range(EVENTS):
        call()
    return (time.process_time() - began) / EVENTS * 1e6


def main() -> None:
    """Measure both, on this machine."""
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(JsonLines())
    for level in (logging.INFO, logging.DEBUG):
        logging.basicConfig(level=level, handlers=[handler], force=True)
        with about(application="core", shard="shardId-000000000001"):
            us = microseconds(one)
        name = logging.getLevelName(level).lower()
        print(f"{name:>5}: {us:5.1f} us an event, {us * EVENTS_PER_S / 1e4:5.1f} % of a core")


if __name__ == "__main__":
    main()
