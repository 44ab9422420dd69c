"""What is over ends by a claim alone: it takes no turn, room or instant from what is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from mailtumble.ports.store import Item
from mailtumble.sender.entry import Entry
from mailtumble.sender.queue import SHARD_MAX
from mailtumble.sender.shard import TAKE_MAX, SenderShard
from mailtumble.sender.transmission import Job
from schemas.events import SendCancelled, SendExpired, SendSuppressed
from schemas.values import SECOND_US
from tests.fakes import InMemoryItems
from tests.samples import after
from tests.unit.mailtumble.sender.conftest import Place, entry
from tests.unit.mailtumble.sender.test_standing import GONE, pause, view

MANY = 20_000
PACE_S = 0.2


def _lane(place: Place, entries: Iterable[Entry]) -> SenderShard:
    """A sender that finds these in the table."""
    place.store.write_all([each.put() for each in entries])
    return place.lane()


def _of(name: str, number: int, **changes: Any) -> Entry:  # noqa: ANN401 - the fields
    return entry(f"{name}{number:05d}", subject=f"mail:{name}{number}", **changes)


def _cancelled(count: int, **changes: Any) -> list[Entry]:  # noqa: ANN401 - the fields
    return [_of("off", number, cancelled=True, **changes) for number in range(count)]


def _follow(lane: SenderShard, *entries: Entry) -> None:
    """Its commit has queued these."""
    lane._queue.committed({("queue", each.attempt_id): each.put() for each in entries})


def _hosted(place: Place, lane: SenderShard, paces: int) -> list[Job]:
    """Pace as a host does it: for no more than the sender's appetite."""
    jobs: list[Job] = []
    for _ in range(paces):
        jobs.extend(lane.pace(lane.appetite.wanted(place.clock.now())))
        place.clock.advance(PACE_S)
    return jobs


def test_a_fresh_sender_calls_off_in_bulk(place: Place) -> None:
    """Its appetite is for one mail, and what ends without a call can't make it grow."""
    place.rate_milli = 0
    pause(place, "shop")
    lane = _lane(place, _cancelled(600))
    assert _hosted(place, lane, 10) == []
    assert len(place.events(SendCancelled)) == 600
    assert place.store.scan("queue") == []
    assert place.store.scan("slices") == []


def test_it_ends_also_where_nothing_may_be_sent(place: Place) -> None:
    """No call has room, or the quota is not known yet."""
    lane = _lane(place, [*_cancelled(3), _of("good", 0)])
    assert lane.pace(0) == []
    assert len(place.events(SendCancelled)) == 3
    assert [each["attempt_id"] for each in place.store.scan("queue")] == ["good00000"]


@pytest.mark.parametrize("changes", [{"cancelled": True}, {"expires_at": after(1)}])
def test_a_domain_that_takes_no_mail_keeps_none_open(place: Place, changes: Item) -> None:
    """One in 100 s: what is over needs no room of its."""
    place.limits["example.org"] = 0.01
    lane = _lane(place, [_of("over", number, **changes) for number in range(50)])
    place.clock.advance(1)
    assert _hosted(place, lane, 2) == []
    ended = [*place.events(SendCancelled), *place.events(SendExpired)]
    assert len(ended) == 50


def test_cancelled_mail_by_the_thousands_delays_no_live_mail(place: Place) -> None:
    """The same tenant's, to the same domain: it leaves at the first paces, at its full rate."""
    live = [_of("good", number) for number in range(40)]
    lane = _lane(place, [*_cancelled(MANY), *live])
    alone = Place()
    expected = _hosted(alone, _lane(alone, live), 8)
    assert [job.entry for job in _hosted(place, lane, 8)] == [job.entry for job in expected]
    assert len(expected) == 40
    assert len(place.events(SendCancelled)) == 8 * TAKE_MAX
    assert lane.backlog().free == 0
    assert lane.backlog().waiting <= SHARD_MAX


def test_mail_that_is_called_off_while_it_waits_leaves_its_lane(place: Place) -> None:
    """The window of the lane holds live mail alone, however many are called off meanwhile."""
    lane = _lane(place, [_of("good", number, due_at=after(9)) for number in range(9)])
    assert lane.pace(1) == []
    _follow(lane, *_cancelled(3 * SHARD_MAX))
    assert lane.backlog().waiting == SHARD_MAX + 9
    place.clock.advance(9)
    assert len(_hosted(place, lane, 8)) == 9


def test_expired_mail_is_found_wherever_it_lies(place: Place) -> None:
    """Due or not, before it was looked for or after: at its time and not before it."""
    lane = _lane(
        place,
        [
            _of("a", 0, due_at=after(99), expires_at=after(2)),
            _of("b", 0, due_at=after(99), expires_at=after(4)),
            _of("c", 0, due_at=after(99)),
        ],
    )

    def pace_at(seconds: float) -> list[str]:
        place.clock.advance(after(seconds) / SECOND_US - place.clock.now() / SECOND_US)
        lane.pace(1)
        return [getattr(each, "attempt_id", "") for each in place.events(SendExpired)]

    assert pace_at(1) == []
    assert pace_at(2.1) == ["a00000"]
    new = _of("d", 0, due_at=after(99), expires_at=after(3))
    place.store.write(new.put())
    _follow(lane, new)
    assert pace_at(2.5) == ["a00000"]
    assert pace_at(3.1) == ["a00000", "d00000"]
    assert pace_at(5) == ["a00000", "d00000", "b00000"]
    assert lane.backlog().waiting == 1


def test_mail_to_suppressed_addresses_ends_in_bulk(place: Place) -> None:
    """By a sender whose appetite is for one: and the mail behind it leaves in the same pace."""
    view(place, GONE)
    gone = [_of("gone", number) for number in range(50)]
    lane = _lane(place, [*gone, _of("good", 0, address="eve@example.org", due_at=after(0))])
    (job,) = lane.pace(1)
    assert job.entry.attempt_id == "good00000"
    assert len(place.events(SendSuppressed)) == 50


def test_no_more_leaves_than_was_asked_for(place: Place) -> None:
    """Though more was looked at, since some of it was suppressed."""
    view(place, GONE)
    good = [_of("good", number, address="eve@example.org") for number in range(20)]
    lane = _lane(place, [_of("gone", 0, due_at=0), *good])
    assert len(lane.pace(3)) == 3
    assert len(place.events(SendSuppressed)) == 1


class Slow(InMemoryItems):
    """Each transaction takes a second."""

    place: Place

    def transact(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as they are given
        """As ever, later."""
        super().transact(*args, **options)
        self.place.clock.advance(1)


def test_instants_lie_ahead_however_long_it_took_to_end_the_others() -> None:
    """They are taken for the moment at which that is done."""
    store = Slow()
    place = Place(store=store)
    store.place = place
    view(place, GONE)
    cancelled, gone = _cancelled(5), [_of("gone", number) for number in range(5)]
    good = _of("good", 0, address="eve@example.org", due_at=after(0))
    lane = _lane(place, [*cancelled, *gone, good])
    began = place.clock.now()
    (job,) = lane.pace(6)
    claimed_at = place.clock.now() - SECOND_US
    assert claimed_at - began >= 2 * SECOND_US
    assert job.instant_at > claimed_at
    assert job.send_before >= claimed_at + 4 * SECOND_US
