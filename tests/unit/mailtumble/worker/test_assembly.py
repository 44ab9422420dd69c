"""Which shards may be begun: parents first, each once."""

from __future__ import annotations

from mailtumble.worker.assembly import startable
from tests.fakes import InMemoryStream, VirtualClock


def _ids(stream: InMemoryStream, started: set[str], closed: set[str]) -> list[str]:
    shards = startable(stream.shards(), started.__contains__, closed.__contains__)
    return [shard.id for shard in shards]


def test_a_child_starts_when_all_its_parents_are_closed() -> None:
    """A record of the parent is always processed before one of the same subject on the child."""
    stream = InMemoryStream(VirtualClock(), shards=2)
    left, right = (shard.id for shard in stream.shards())
    child = stream.merge(left, right)
    assert _ids(stream, set(), set()) == [left, right]
    assert _ids(stream, {left, right}, {left}) == []
    assert _ids(stream, {left, right}, {left, right}) == [child]
    assert _ids(stream, {left, right, child}, {left, right}) == []


def test_a_parent_that_is_no_longer_listed_holds_nobody_up() -> None:
    """Its records have left the stream; there is nothing to wait for."""
    stream = InMemoryStream(VirtualClock(), shards=1)
    (parent,) = (shard.id for shard in stream.shards())
    children = stream.split(parent)
    listed = [shard for shard in stream.shards() if shard.id != parent]
    found = startable(listed, lambda _: False, lambda _: False)
    assert [shard.id for shard in found] == list(children)
