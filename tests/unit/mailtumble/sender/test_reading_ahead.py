"""A lane is read on before it runs out, a few buckets at a time, while it is used."""

from __future__ import annotations

import random
from typing import Any

from mailtumble.ports.store import Delete, Page, Put
from mailtumble.ports.stream import Shard
from mailtumble.sender.entry import Entry
from mailtumble.sender.queue import AHEAD_TAKES, SHARD_MAX, Queue
from mailtumble.worker.writes import Writes
from schemas.ids import HASH_KEY_SPACE
from tests.fakes import InMemoryItems
from tests.samples import after
from tests.unit.mailtumble.sender.conftest import entry

WHOLE = Shard("shard-0", 0, HASH_KEY_SPACE - 1)


class Counting(InMemoryItems):
    """Counts its queries."""

    queries = 0

    def query(self, *args: Any, **options: Any) -> Page:  # noqa: ANN401 - as they are given
        """As ever."""
        self.queries += 1
        return super().query(*args, **options)


def _commit(queue: Queue, write: Put | Delete) -> None:
    writes = Writes()
    writes.add("1", [write])
    (portion,) = writes.portions()
    queue.committed(portion.writes)


def _of(kind: str, number: int, due_at: int) -> Entry:
    name = f"{kind}{number}"
    return entry(name, subject=f"mail:{name}", due_at=due_at)


def test_a_lane_that_is_low_is_read_on_in_parts() -> None:
    """Before it is empty, and no take reads much: what began together would run out together."""
    store = Counting()
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
    store = Counting()
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


def _claim_some(store: Counting, queue: Queue, limit: int, read: list[int]) -> list[str]:
    before = store.queries
    taken = queue.take(after(0), limit)
    read.append(store.queries - before)
    for each in taken:
        store.write(Delete("queue", each.key))
        queue.discard(each.key["position"])
    return [each.attempt_id for each in taken]
