"""What waits: in the table as a whole, in memory the next of each tenant, tenants in turn."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.ports.store import Delete, Put, Update
from mailtumble.ports.stream import Shard
from mailtumble.sender.entry import Entry, entry_of, queue_key, read_entry, withdrawal
from mailtumble.sender.queue import FILLS_MAX, LANE_LEAST, SHARD_MAX, Queue
from mailtumble.worker.writes import Writes
from processors.sending import dispatch
from processors.sending.fairness import Choice
from processors.sending.lanes import Lane
from schemas.errors import InvariantBroken
from schemas.events import SendCancelRequested
from schemas.ids import HASH_KEY_SPACE
from tests.event_strategies import values_of
from tests.fakes import InMemoryItems
from tests.samples import RECEIVED_AT, SUBJECT, after, received, resolved, scheduled
from tests.unit.mailtumble.sender.conftest import CountingItems, entry

WHOLE = Shard("shard-0", 0, HASH_KEY_SPACE - 1)


def _loaded(*entries: Entry) -> Queue:
    store = InMemoryItems()
    store.write_all([each.put() for each in entries])
    return _read(Queue(store, WHOLE))


def _read(queue: Queue) -> Queue:
    """With the earliest of each lane in memory."""
    queue.load()
    for _ in range(10):
        queue.take(0, 0)
    return queue


def _commit(queue: Queue, *some: Put | Delete | Update) -> None:
    writes = Writes()
    writes.add("1", list(some))
    (portion,) = writes.portions()
    queue.committed(portion.writes)


@given(values_of(Entry).filter(lambda each: each.due_at >= 0))
def test_an_entry_comes_back_from_the_table_as_it_was(each: Entry) -> None:
    """All that is needed to send it, so that no other read is."""
    assert read_entry(each.put().item) == each


def test_only_what_is_due_is_taken_the_earliest_first() -> None:
    """Across all buckets of the shard."""
    entries = [
        entry(f"a{number}", subject=f"mail:{number}", due_at=after(10 - number))
        for number in range(10)
    ]
    queue = _loaded(*entries)
    assert queue.take(RECEIVED_AT, 10) == []
    taken = queue.take(after(4), 10)
    assert [each.attempt_id for each in taken] == ["a9", "a8", "a7", "a6"]
    assert queue.take(after(4), 2) == taken[:2]


def test_taken_entries_stay_until_they_are_discarded() -> None:
    """A pace that fails forgets nothing."""
    queue = _loaded(entry())
    assert queue.take(after(0), 5) == queue.take(after(0), 5) == [entry()]
    queue.discard(entry().key["position"])
    assert queue.take(after(0), 5) == []


def test_a_tenant_with_a_thousand_mails_does_not_starve_the_others() -> None:
    """The first thirty places are shared evenly while all three have something due."""
    queue = _loaded(
        *(entry(f"b{n:04d}", subject=f"mail:b{n}", tenant="big") for n in range(1000)),
        *(entry(f"x{n}", subject=f"mail:x{n}", tenant="x") for n in range(10)),
        *(entry(f"y{n}", subject=f"mail:y{n}", tenant="y") for n in range(10)),
    )
    taken = queue.take(after(0), 30)
    assert Counter(each.tenant for each in taken) == {"big": 10, "x": 10, "y": 10}


def test_turns_go_on_from_one_pace_to_the_next() -> None:
    """One mail a pace: tenants still alternate."""
    queue = _loaded(
        *(entry(f"{t}{n}", subject=f"mail:{t}{n}", tenant=t) for t in "ab" for n in range(4))
    )
    order = []
    for _ in range(6):
        (one,) = queue.take(after(0), 1)
        order.append(one.tenant)
        queue.charge(one)
        queue.discard(one.key["position"])
    assert order == ["a", "b"] * 3


@pytest.mark.parametrize("tenant", ["a#b", "a", "ä~ ", "%23", "a/b"])
def test_any_name_of_a_tenant_is_kept_apart(tenant: str) -> None:
    """Also one that holds the separator."""
    queue = _loaded(entry("one", tenant=tenant), entry("two", tenant="a"))
    assert {each.attempt_id for each in queue.take(after(0), 5)} == {"one", "two"}


@dataclass
class SomeGate:
    """Holds and limits by what is given."""

    held: dict[str, int] = field(default_factory=dict)
    rooms: dict[str, int] = field(default_factory=dict)

    def held_since(self, lane: Lane) -> int | None:
        """Of a tenant."""
        return self.held.get(lane.tenant)

    def is_limited(self, destination: str) -> bool:
        """Those with a room."""
        return destination in self.rooms

    def room(self, destination: str) -> int | None:
        """Of a domain."""
        return self.rooms.get(destination)


def test_what_is_held_stays_and_does_not_stand_in_the_way() -> None:
    """All of a paused tenant, of a drained one what came in since; what is over ends anyhow."""
    queue = _loaded(
        entry("p1", tenant="paused"),
        entry("p2", tenant="paused", cancelled=True, due_at=0),
        entry("p3", tenant="paused", expires_at=after(0)),
        entry("d1", tenant="drained", received_at=5),
        entry("d2", tenant="drained", received_at=6),
        entry("open"),
    )
    gate = SomeGate(held={"paused": 0, "drained": 6})
    taken = {each.attempt_id for each in queue.take(after(0), 10, gate)}
    assert taken == {"d1", "open"}
    assert [each.attempt_id for each in queue.over(after(0), 10)] == ["p2", "p3"]
    assert queue.backlog(after(0), gate).due == 2
    assert queue.backlog(after(0), gate).waiting == 6
    limited = SomeGate(held=gate.held, rooms={"example.org": 1})
    assert (queue.backlog(after(0), gate).free, queue.backlog(after(0), limited).free) == (2, 0)


DRAINED = SomeGate(held={"shop": 100})


def _drained(newer: int, older: int) -> tuple[InMemoryItems, Queue]:
    """What came in since stands before what came in earlier, whose next round is due later."""
    store = InMemoryItems()
    store.write_all(
        [
            *(_of("new", n, received_at=100).put() for n in range(newer)),
            *(_of("old", n, received_at=99, due_at=after(1)).put() for n in range(older)),
        ]
    )
    queue = Queue(store, WHOLE)
    queue.load()
    return store, queue


def _of(kind: str, number: int, **changes: int) -> Entry:
    name = f"{kind}{number}"
    return entry(name, subject=f"mail:{name}", tenant="shop", **changes)


def _until_empty(store: InMemoryItems, queue: Queue, gate: SomeGate) -> list[str]:
    """Take and claim, pace after pace; a pace may read on and find nothing yet."""
    taken: list[str] = []
    for _ in range(120):
        for each in queue.take(after(1), 66, gate):
            taken.append(each.attempt_id)
            store.write(Delete("queue", each.key))
            queue.discard(each.key["position"])
    return taken


def test_a_drained_lane_lets_out_what_lies_behind_a_window_full_of_what_is_held() -> None:
    """However much came in since; and once nothing is held any more, that goes too."""
    store, queue = _drained(newer=3 * SHARD_MAX, older=150)
    assert queue.backlog(after(1), DRAINED).due == 0
    assert sorted(_until_empty(store, queue, DRAINED)) == sorted(f"old{n}" for n in range(150))
    left = sorted(_until_empty(store, queue, SomeGate()))
    assert left == sorted(f"new{n}" for n in range(3 * SHARD_MAX))


def test_a_take_reads_a_few_lanes_and_the_urgent_ones_first() -> None:
    """However many wait, or are looked through: a mail that is due waits for no more than that."""
    store = CountingItems()
    store.write_all(
        [
            entry(
                f"{lane}-{n}", subject=f"mail:{lane}-{n}", tenant=f"t{lane:02d}", urgent=lane == 9
            ).put()
            for lane in range(12)
            for n in range(2 * LANE_LEAST)
        ]
    )
    queue = Queue(store, WHOLE)
    queue.load()
    gate = SomeGate(held={f"t{lane:02d}": 1 for lane in range(9)})
    seen: set[str] = set()
    for pace in range(20):
        before = store.queries
        taken = queue.take(after(0), 66, gate)
        assert store.queries - before <= FILLS_MAX * 256
        seen |= {each.tenant for each in taken}
        for each in taken:
            queue.discard(each.key["position"])
        assert pace or seen == {"t09"}
    assert seen == {"t09", "t10", "t11"}


def test_a_drained_lane_hears_of_retries_behind_its_window() -> None:
    """They are queued again while new mail comes in; withdrawn, they are not sent."""
    _, queue = _drained(newer=SHARD_MAX + 1, older=0)
    for _ in range(3):
        assert queue.take(after(1), 66, DRAINED) == []
    retries = [_of("old", n, received_at=99, due_at=after(1)) for n in range(3)]
    _commit(queue, *(each.put() for each in retries), _of("newer", 1, received_at=101).put())
    assert queue.backlog(after(1), DRAINED).due == 3
    _commit(queue, Delete("queue", retries[0].key))
    assert [each.attempt_id for each in queue.take(after(1), 66, DRAINED)] == ["old1", "old2"]
    assert queue.take(after(0), 66, DRAINED) == []


def test_a_drained_lane_is_looked_through_anew_when_it_is_drained_anew() -> None:
    """What is held depends on the moment."""
    store, queue = _drained(newer=SHARD_MAX + 50, older=1)
    assert _until_empty(store, queue, SomeGate(held={"shop": 99})) == []
    assert _until_empty(store, queue, DRAINED) == ["old0"]


def test_a_slow_domain_takes_its_share_and_no_other_waits() -> None:
    """Its room is that of all its lanes together; the same tenant's other mail passes it."""
    queue = _loaded(
        *(entry(f"s{n}", address=f"{n}@slow.example", tenant=f"t{n % 2}") for n in range(9)),
        *(
            entry(f"q{n}", address=f"{n}@quick.example", tenant="t0", due_at=after(0))
            for n in range(9)
        ),
    )
    taken = queue.take(after(0), 20, SomeGate(rooms={"slow.example": 3}))
    assert Counter(each.address.partition("@")[2] for each in taken) == {
        "slow.example": 3,
        "quick.example": 9,
    }


def test_what_is_urgent_goes_first() -> None:
    """By its tag, or by its tenant; among the urgent, tenants take turns."""
    store = InMemoryItems()
    entries = [
        *(entry(f"n{n}", subject=f"mail:n{n}", tenant="news", due_at=0) for n in range(50)),
        *(entry(f"u{n}", subject=f"mail:u{n}", tenant="news", urgent=True) for n in range(3)),
        *(entry(f"a{n}", subject=f"mail:a{n}", tenant="alarms") for n in range(3)),
    ]
    store.write_all([each.put() for each in entries])
    queue = Queue(store, WHOLE, Choice({}, frozenset({"alarms"})))
    queue.load()
    taken = queue.take(after(0), 8)
    assert {each.attempt_id[0] for each in taken[:6]} == {"u", "a"}
    assert [each.attempt_id[0] for each in taken[6:]] == ["n", "n"]
    assert [queue.is_urgent(each) for each in taken] == [True] * 6 + [False] * 2


def test_weights_are_of_tenants_however_many_lanes_they_have() -> None:
    """Three for one, though the lighter tenant sends to ten domains."""
    store = InMemoryItems()
    entries = [
        *(entry(f"h{n}", subject=f"mail:h{n}", tenant="heavy") for n in range(60)),
        *(
            entry(f"l{n}", subject=f"mail:l{n}", tenant="light", address=f"x@d{n % 10}.example")
            for n in range(60)
        ),
    ]
    store.write_all([each.put() for each in entries])
    queue = Queue(store, WHOLE, Choice({"heavy": 3.0}, frozenset()))
    queue.load()
    counts = Counter(each.tenant for each in queue.take(after(0), 40))
    assert counts == {"heavy": 30, "light": 10}


def test_the_queue_follows_commits() -> None:
    """What the fold queues and withdraws is in memory at once; other tables don't concern it."""
    queue = _loaded()
    _commit(queue, entry().put(), Put("fleet", {"name": "n"}))
    assert queue.take(after(0), 5) == [entry()]
    lane = entry().lane
    _commit(queue, withdrawal(SUBJECT, dispatch.Attempt(scheduled=scheduled(), lane=lane)))
    assert queue.take(after(0), 5) == []


def test_memory_is_bounded_however_many_lanes_there_are() -> None:
    """The lanes of a shard share it; what is not in it is read when a lane's part runs empty."""
    count, lanes = 3 * LANE_LEAST, 2 * SHARD_MAX // LANE_LEAST
    entries = [
        entry(f"{lane:03d}-{n:03d}", tenant=f"t{lane}", due_at=n)
        for lane in range(lanes)
        for n in range(count if lane < 2 else 1)
    ]
    queue = _loaded()
    for each in entries:
        _commit(queue, each.put())
    assert queue.backlog(after(0)).waiting <= lanes + 2 * 2 * LANE_LEAST
    store = InMemoryItems()
    store.write_all([each.put() for each in entries])
    queue = Queue(store, WHOLE)
    queue.load()
    taken: list[str] = []
    while due := queue.take(after(0), 50):
        for each in due:
            taken.append(each.attempt_id)
            queue.discard(each.key["position"])
            store.write(Delete("queue", each.key))
    assert sorted(taken) == sorted(each.attempt_id for each in entries)


def test_a_lane_that_has_run_empty_is_forgotten() -> None:
    """There are as many as domains that mail has ever gone to."""
    queue = _loaded(*(entry(f"{n}", tenant=f"t{n}") for n in range(5)))
    for each in queue.take(after(0), 9):
        queue.discard(each.key["position"])
    assert queue._places == {}
    assert queue._most == SHARD_MAX
    _commit(queue, entry("again", tenant="t1").put())
    assert [each.attempt_id for each in queue.take(after(0), 9)] == ["again"]


def test_a_called_off_attempt_comes_first() -> None:
    """It is taken out of the queue at once, however far its time is away."""
    state = dispatch.INITIAL
    called_off = SendCancelRequested(target=0, attempt_id="attempt-1", reason="r")
    for event in (received(), resolved(), scheduled(due_at=after(999)), called_off):
        state = dispatch.evolve(state, event)
    queue = _loaded(entry_of(SUBJECT, state, state.attempts[0]))
    assert queue.take(after(0), 5) == []
    (taken,) = queue.over(after(0), 5)
    assert taken.cancelled


@given(
    st.sampled_from(["shop", "a#b", "a|b"]),
    st.integers(0, 2**53),
    st.sampled_from(["urgent", "news"]),
)
def test_an_attempt_is_withdrawn_from_where_it_was_put(tenant: str, due_at: int, tag: str) -> None:
    """The key follows from the attempt alone, whatever tags and aliases become later."""
    state = dispatch.Dispatch(mail=received(), alias="sales@example.com", tags=(tag,))
    state = dispatch.evolve(state, scheduled(tenant=tenant, due_at=due_at))
    (attempt,) = state.attempts
    lane = Lane(tenant, "example.com", "example.org", urgent=tag == "urgent")
    later = replace(state, tags=(), alias="other@far.example")
    key = withdrawal(SUBJECT, attempt).key
    assert (
        key
        == entry_of(SUBJECT, later, attempt).key
        == queue_key(SUBJECT, lane, due_at, "attempt-1")
    )
    assert read_entry(entry_of(SUBJECT, later, attempt).put().item).lane == lane


@pytest.mark.parametrize(
    ("alias", "own"),
    [("sales@example.com", "sales@example.com"), ("@example.com", "sales+tag@example.com")],
)
def test_a_mail_goes_out_from_an_address_of_the_alias(alias: str, own: str) -> None:
    """A whole domain is no address: then it is what the mail came in for."""
    attempt = dispatch.Attempt(scheduled=scheduled())
    mail = replace(received(), recipient="sales+tag@example.com")
    state = dispatch.Dispatch(mail=mail, alias=alias, attempts=(attempt,))
    assert entry_of(SUBJECT, state, attempt).alias == own


def test_an_attempt_without_its_mail_is_a_programming_error() -> None:
    """MailReceived always stands before SendScheduled."""
    attempt = dispatch.Attempt(scheduled=scheduled())
    with pytest.raises(InvariantBroken, match="scheduled before it was received"):
        entry_of(SUBJECT, dispatch.Dispatch(attempts=(attempt,)), attempt)
