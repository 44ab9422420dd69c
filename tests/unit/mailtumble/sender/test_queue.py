"""What waits: in the table as a whole, in memory the next of each tenant, tenants in turn."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.ports.store import Delete, Put, Update
from mailtumble.ports.stream import Shard
from mailtumble.sender.queue import Entry, Queue, entry_of, queue_key, read_entry, withdrawal
from mailtumble.worker.writes import Writes
from processors.sending import dispatch
from schemas.errors import InvariantBroken
from schemas.events import SendCancelRequested
from schemas.ids import HASH_KEY_SPACE
from tests.event_strategies import values_of
from tests.fakes import InMemoryItems
from tests.samples import RECEIVED_AT, SUBJECT, after, received, resolved, scheduled
from tests.unit.mailtumble.sender.conftest import entry

WHOLE = Shard("shard-0", 0, HASH_KEY_SPACE - 1)


def _loaded(*entries: Entry) -> Queue:
    store = InMemoryItems()
    store.write_all([each.put() for each in entries])
    queue = Queue(store, WHOLE)
    queue.load()
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
        queue.discard(one.key["position"])
    assert order == ["a", "b"] * 3


@pytest.mark.parametrize("tenant", ["a#b", "a", "ä~ ", "%23", "a/b"])
def test_any_name_of_a_tenant_is_kept_apart(tenant: str) -> None:
    """Also one that holds the separator."""
    queue = _loaded(entry("one", tenant=tenant), entry("two", tenant="a"))
    assert {each.attempt_id for each in queue.take(after(0), 5)} == {"one", "two"}


def test_the_queue_follows_commits() -> None:
    """What the fold queues and withdraws is in memory at once; other tables don't concern it."""
    queue = _loaded()
    _commit(queue, entry().put(), Put("fleet", {"name": "n"}))
    assert queue.take(after(0), 5) == [entry()]
    _commit(queue, withdrawal(SUBJECT, dispatch.Attempt(scheduled=scheduled())))
    assert queue.take(after(0), 5) == []


def test_a_called_off_attempt_comes_first() -> None:
    """It is taken out of the queue at once, however far its time is away."""
    state = dispatch.INITIAL
    called_off = SendCancelRequested(target=0, attempt_id="attempt-1", reason="r")
    for event in (received(), resolved(), scheduled(due_at=after(999)), called_off):
        state = dispatch.evolve(state, event)
    queue = _loaded(entry_of(SUBJECT, state, state.attempts[0]))
    (taken,) = queue.take(after(0), 5)
    assert taken.cancelled


@given(st.sampled_from(["shop", "a#b"]), st.integers(0, 2**53))
def test_an_attempt_is_withdrawn_from_where_it_was_put(tenant: str, due_at: int) -> None:
    """The key follows from the attempt alone."""
    attempt = dispatch.Attempt(scheduled=scheduled(tenant=tenant, due_at=due_at))
    state = dispatch.Dispatch(mail=received(), alias="sales@example.com", attempts=(attempt,))
    key = withdrawal(SUBJECT, attempt).key
    assert key == entry_of(SUBJECT, state, attempt).key
    assert key == queue_key(SUBJECT, tenant, due_at, "attempt-1")


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
