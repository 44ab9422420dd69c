"""Ids and times in SES's forms."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from mailtumble.local.ses.identifiers import inbound_message_id, outbound_message_id, timestamp


def test_inbound_ids_look_like_those_of_ses_and_differ() -> None:
    """40 lower-case letters and digits, never twice the same."""
    ids = {inbound_message_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"[0-9a-z]{40}", message_id) for message_id in ids)


def test_outbound_ids_look_like_those_of_ses_and_tell_the_time() -> None:
    """0100, milliseconds in hexadecimal, a UUID and 000000."""
    now = datetime(2023, 12, 3, 4, 5, 6, 789_000, UTC)
    message_id = outbound_message_id(now)
    uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    match = re.fullmatch(rf"0100([0-9a-f]{{12}})-{uuid}-000000", message_id)
    assert match
    assert int(match[1], 16) == int(now.timestamp() * 1000)
    assert message_id != outbound_message_id(now)


def test_timestamps_are_utc_with_milliseconds() -> None:
    """Another time zone is turned into UTC; microseconds are cut."""
    zone = timezone(timedelta(hours=2))
    assert timestamp(datetime(2015, 9, 11, 22, 32, 33, 936_999, zone)) == "2015-09-11T20:32:33.936Z"
