"""A lane is read on before it runs out, a few buckets at a time, while it is used."""

from __future__ import annotations

import random

from mailtumble.ports.store import Delete, Put
from mailtumble.ports.stream import Shard
from mailtumble.sender.entry import Entry
from mailtumble.sender.queue import AHEAD_TAKES, SHARD_MAX, OpenGate, Queue
from mailtumble.worker.writes import Writes
from processors.sending.lanes import Lane
from schemas.ids import HASH_KEY_SPACE
from tests.samples import after
from tests.unit.mailtumble.sender.conftest import CountingItems, entry

WHOLE = Shard("shard-0", 0, HASH_KEY_SPACE - 1)


def _commit(queue: Queue, write: Put | Delete) -> None:
    writes = Writes()
    writes.add("1", [write])
    (portion,) = writes.portions()
    queue.committed(portion.writes)


def _of(kind: str, number: int, due_at: int, **changes: int) -> Entry:
    name = f"{kind}{number}"
    return entry(name, subject=f"mail:{name}", due_at=due_at, **changes)


def test_a_lane_that_is_low_is_read_on_in_parts() -> None:
    """Before it is empty, and no take reads much: what began together would run out together."""
    store = CountingItems()
    store.write_all([_of("m", n, due_at=n).put() for n in range(3 * SHARD_MAX)])
    queue = Queue(store, WHOLE)
    queue.load()
    queue.take(after(0), 1)
    read: list[int] = []
    names: list[str] = []
    while taken := _claim_some(store, queue, 40, read):
        names += taken
    assert names == [f"m{n}" for n in range(3 * SHARD_MAX)]
    assert max(read) <= 256 // AHEAD_TAKES


def test_what_comes_and_goes_while_a_lane_is_read_on_is_neither_lost_nor_sent_twice() -> None:
    """It may lie in a bucket that is read already, or in one that is read next."""
    draw = random.Random(7)  # noqa: S311 - to repeat
    store = CountingItems()
    waiting = {f"m{n}": _of("m", n, due_at=draw.randrange(9_000)) for n in range(2 * SHARD_MAX)}
    store.write_all([each.put() for each in waiting.values()])
    queue = Queue(store, WHOLE)
    queue.load()
    taken: list[str] = []
    gone: set[str] = set()
    for pace in range(1_000):
        names = _claim_some(store, queue, draw.randrange(1, 30), [])
        taken += names
        for name in names:
            del waiting[name]
        if pace < 120:
            new = _of("new", pace, due_at=draw.randrange(9_000))
            waiting[new.attempt_id] = new
            store.write_all([new.put()])
            _commit(queue, new.put())
            lost = draw.choice(sorted(waiting))
            withdrawal = Delete("queue", waiting.pop(lost).key)
            store.write(withdrawal)
            _commit(queue, withdrawal)
            gone.add(lost)
        if not waiting:
            break
    assert not waiting
    assert len(taken) == len(set(taken)) == 2 * SHARD_MAX + 120 - len(gone)
    assert not gone & set(taken)


def _claim_some(store: CountingItems, queue: Queue, limit: int, read: list[int]) -> list[str]:
    before = store.queries
    taken = queue.take(after(0), limit)
    read.append(store.queries - before)
    for each in taken:
        store.write(Delete("queue", each.key))
        queue.discard(each.key["position"])
    return [each.attempt_id for each in taken]


def test_a_lane_that_fills_up_while_it_is_read_on_loses_nothing() -> None:
    """Then nothing of what was read has a place in memory, and it is read later."""
    store = CountingItems()
    store.write_all([_of("m", n, due_at=1_000 + n).put() for n in range(2 * SHARD_MAX)])
    queue = Queue(store, WHOLE)
    queue.load()
    queue.take(after(0), 1)
    names: list[str] = []
    (place,) = queue._places.values()
    while place.ahead is None:
        names += _claim_some(store, queue, 50, [])
    missing = SHARD_MAX - len(place.window.order)
    for number in range(missing):
        new = _of("new", number, due_at=0)
        store.write_all([new.put()])
        _commit(queue, new.put())
    while place.ahead is not None:
        queue.take(after(0), 0)
    while taken := _claim_some(store, queue, 50, []):
        names += taken
    assert len(names) == len(set(names)) == 2 * SHARD_MAX + missing


def test_what_expires_behind_the_window_of_a_drained_lane_ends_and_blocks_nothing() -> None:
    """It came in before the drain, and its time is over before it could leave."""
    store = CountingItems()
    newer = [_of("new", n, due_at=0, received_at=100) for n in range(SHARD_MAX + 50)]
    short = [_of("old", n, due_at=5, received_at=99, expires_at=after(1)) for n in range(30)]
    alive = [_of("older", n, due_at=6, received_at=99) for n in range(30)]
    store.write_all([each.put() for each in (*newer, *short, *alive)])
    queue = Queue(store, WHOLE)
    queue.load()
    drained = Drained()
    queue.take(after(0), 1, drained)
    over = {each.attempt_id for each in queue.over(after(2), 100)}
    assert over == {each.attempt_id for each in short}
    taken: set[str] = set()
    for _ in range(5):
        taken |= {each.attempt_id for each in queue.take(after(2), 100, drained)}
    assert taken == {each.attempt_id for each in alive}


class Drained(OpenGate):
    """Lets out what came in before a moment."""

    def held_since(self, lane: Lane) -> int | None:  # noqa: ARG002
        """All lanes alike."""
        return 100
