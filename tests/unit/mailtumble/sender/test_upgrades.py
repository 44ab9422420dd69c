"""The sender waits for an upgrade as core does; what is queued is sent meanwhile."""

from __future__ import annotations

import pytest

from mailtumble.worker.records import read_record
from mailtumble.worker.upgrades import UPGRADE_WAIT_US, AwaitsUpgrade
from schemas.events import RecordQuarantined
from schemas.values import SECOND_US
from tests.newer import newer
from tests.samples import fact, received, resolved, scheduled
from tests.unit.mailtumble.sender.conftest import Place


def test_the_sender_waits_and_sends_what_is_queued(place: Place) -> None:
    """A wait of the reading holds up no mail that is in the queue."""
    lane = place.lane()
    queued = (fact(received()), fact(resolved(), name="route"), fact(scheduled(), name="due"))
    place.tell(*queued)
    place.stream.append([newer(fact(received(), name="newer"))])
    with pytest.raises(AwaitsUpgrade):
        place.read(lane)
    assert lane.processor.tally.accepted == 3
    (job,) = lane.pace()
    assert job.entry.address == "bob@example.org"
    place.clock.sleep(UPGRADE_WAIT_US / SECOND_US)
    place.read(lane)
    assert lane.processor.tally.quarantined == 1
    assert lane.committed == place.stream.records()[-2].sequence_number
    told = read_record(place.stream.records()[-1]).envelope
    assert told is not None
    assert isinstance(told.events[0], RecordQuarantined)
    assert told.events[0].application == "sender"
