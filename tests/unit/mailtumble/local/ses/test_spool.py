"""What was sent, on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailtumble.local.ses.identifiers import outbound_message_id
from mailtumble.local.ses.send_request import SendRequest
from mailtumble.local.ses.spool import Spool

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """An empty spool."""
    spool = Spool(tmp_path / "spool")
    yield spool
    spool.close()


def _request(number: int) -> SendRequest:
    return SendRequest(
        raw=b"Subject: %d\r\n\r\n\0\xff" % number,
        source="s@x.example",
        recipients=("a@y.example", "b@y.example"),
        subject=f"ä {number}",
        tags=(("attempt", f"a-{number}"),),
        configuration_set=None,
    )


def test_mails_are_read_back_as_they_were_kept(spool: Spool) -> None:
    """By position, by id and in the listing: always the same entry, and the same bytes."""
    kept = [(outbound_message_id(NOW), _request(number)) for number in range(2000)]
    positions = [
        spool.append(request, message_id, NOW, "127.0.0.1") for message_id, request in kept
    ]
    listed = [json.loads(line) for lines in spool.lines() for line in lines.splitlines()]
    assert [entry["message_id"] for entry in listed] == [message_id for message_id, _ in kept]
    for number in (0, 1234, 1999):
        message_id, request = kept[number]
        assert spool.entry_at(positions[number]) == listed[number] == spool.find(message_id)
        assert spool.raw(message_id) == request.raw
    assert listed[0] == {
        "message_id": kept[0][0],
        "accepted_at": "2026-01-02T03:04:05.000Z",
        "from": "s@x.example",
        "to": ["a@y.example", "b@y.example"],
        "subject": "ä 0",
        "size_bytes": 16,
        "tags": {"attempt": "a-0"},
        "configuration_set": None,
        "source_ip": "127.0.0.1",
    }


def test_mails_of_an_earlier_run_stay_listed(tmp_path: Path) -> None:
    """A spool that is opened again goes on behind what it has."""
    for number in range(2):
        spool = Spool(tmp_path)
        position = spool.append(_request(number), outbound_message_id(NOW), NOW, "127.0.0.1")
        assert spool.entry_at(position)["subject"] == f"ä {number}"
        assert b"".join(spool.lines()).count(b"\n") == number + 1
        spool.close()


@pytest.mark.parametrize("message_id", ["", "0100-none", "../index", "a/../../x", "."])
def test_unknown_ids_are_not_found(spool: Spool, message_id: str) -> None:
    """An id is no path: nothing outside the mails can be read with it."""
    assert spool.find(message_id) is None
    with pytest.raises(FileNotFoundError):
        spool.raw(message_id)
