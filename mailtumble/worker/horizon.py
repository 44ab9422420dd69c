"""A bounded window over what is due: the earliest part in memory, the rest in the table.

Items lie in 256 buckets (partitions), sorted by a position that begins with the due time. The
window holds all items of this shard up to the position ``until``; what a commit adds within it
is added here too, what lies beyond is read when the window has run empty.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mailtumble.ports.store import Item, ItemStore
from mailtumble.ports.stream import Shard
from schemas.ids import BUCKETS, HASH_KEY_SPACE, hash_key

WINDOW_MAX: Final = 2_000
"""Items kept in memory per window."""

PAGE_LEAST: Final = 25
AHEAD_PAGE_LEAST: Final = 8
"""What is read ahead is read often, and what lies behind the shortest page is read again."""
LOW: Final = 0.25
"""A window of which so little is left is low."""
PREFIXES_PAGE: Final = 500

END: Final = "\x7f"
"""Sorts behind every position."""


def due_text(due_at: int) -> str:
    """A time that sorts as text: 20 digits of microseconds."""
    return f"{due_at:020d}"


def buckets_of(shard: Shard) -> tuple[str, ...]:
    """The buckets in which items of this shard's subjects may lie.

    A bucket at the edge is shared with the neighbour; each takes the items whose subject's own
    hash key it holds, so that an item belongs to the very shard that commits it.
    """
    width = HASH_KEY_SPACE // BUCKETS
    first, last = shard.first_hash_key // width, shard.last_hash_key // width
    return tuple(f"{number:03d}" for number in range(first, last + 1))


@dataclass(slots=True)
class Window:
    """The items up to ``until``, in order; ``until`` = END: nothing lies beyond.

    ``most``: so many are kept at the most.
    """

    prefix: str = ""
    until: str = END
    most: int = WINDOW_MAX
    items: dict[str, Item] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    def add(self, position: str, item: Item) -> None:
        """Take an item in, if it lies within the window; one at the same place is replaced."""
        if position > self.until:
            return
        if position not in self.items:
            insort(self.order, position)
        self.items[position] = item
        self.trim()

    def trim(self) -> None:
        """Leave to the table what is too much."""
        while len(self.order) > self.most:
            del self.items[self.order.pop()]
            self.until = self.order[-1]

    def discard(self, position: str) -> None:
        """Forget an item."""
        if self.items.pop(position, None) is not None:
            del self.order[bisect_left(self.order, position)]

    def keep(self, wanted: Callable[[Item], bool]) -> None:
        """Forget what is not wanted."""
        self.items = {place: item for place, item in self.items.items() if wanted(item)}
        self.order = [place for place in self.order if place in self.items]

    def due(self, position: str) -> list[Item]:
        """The items at or before a position, in order."""
        return [self.items[each] for each in self.order[: bisect_right(self.order, position)]]

    def count(self, position: str) -> int:
        """How many there are at or before a position."""
        return bisect_right(self.order, position)

    def behind(self) -> Window:
        """What lies behind this one, none of it read yet."""
        return Window(self.prefix, self.until, self.most)

    @property
    def is_empty(self) -> bool:
        """Nothing here, and nothing in the table."""
        return not self.order and self.until == END

    @property
    def exhausted(self) -> bool:
        """Empty, with more in the table."""
        return not self.order and self.until != END

    @property
    def low(self) -> bool:
        """Nearly empty, with more in the table."""
        return len(self.order) < self.most * LOW and self.until != END


@dataclass(slots=True)
class Ahead:
    """What lies behind a window, read a few buckets at a time, while what is in it is used.

    ``begin``: where the window ended when this was begun; ``until``: what is found is whole as far
    as that. What is put there or taken away meanwhile has to be told.
    """

    begin: str
    todo: list[str]
    page_size: int
    until: str = END
    found: dict[str, Item] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def add(self, position: str, item: Item) -> None:
        """An item was put: its bucket may be read already."""
        if self.begin < position <= self.until:
            self.found[position] = item
            self.gone.discard(position)

    def discard(self, position: str) -> None:
        """An item was taken away: its bucket may have been read, or may yet be."""
        self.found.pop(position, None)
        self.gone.add(position)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads windows of one table for one shard."""

    store: ItemStore
    table: str
    shard: Shard
    partition: Callable[[str], str] = str
    page_size: int = 0
    """Items of a bucket that are read at a time; 0: about twice its part of the window."""

    def fill(self, window: Window) -> None:
        """Read on behind ``window.until`` (or from the start of its prefix, if it is new)."""
        begin = window.until if window.until != END else window.prefix
        found: list[tuple[str, Item]] = []
        until = END
        buckets = buckets_of(self.shard)
        page_size = self.page_size or max(PAGE_LEAST, 2 * window.most // len(buckets))
        for bucket in buckets:
            items, whole = self._page(bucket, begin, window.prefix, page_size)
            until = min(until, whole)
            found.extend(items)
        found.sort(key=lambda each: each[0])
        kept = [each for each in found if each[0] <= until]
        if len(kept) > window.most:
            kept = kept[: window.most]
            until = kept[-1][0]
        window.until = until
        window.items = dict(kept)
        window.order = [position for position, _ in kept]

    @property
    def buckets(self) -> int:
        """How many buckets the shard has."""
        return len(buckets_of(self.shard))

    def ahead(self, window: Window) -> Ahead:
        """Begin to read on behind a window that is low."""
        buckets = list(buckets_of(self.shard))
        wanted = window.most - len(window.order)
        page_size = self.page_size or max(AHEAD_PAGE_LEAST, 2 * wanted // len(buckets))
        return Ahead(window.until, buckets, page_size)

    def read_ahead(self, window: Window, ahead: Ahead, buckets: int) -> bool:
        """Read some buckets more; True when all are read and the window has been extended."""
        for bucket in ahead.todo[:buckets]:
            items, whole = self._page(bucket, ahead.begin, window.prefix, ahead.page_size)
            ahead.until = min(ahead.until, whole)
            ahead.found |= {place: item for place, item in items if place not in ahead.gone}
        del ahead.todo[:buckets]
        if ahead.todo:
            return False
        # A window that was trimmed meanwhile ends before: what lies between would be passed over.
        # Of one that has filled up meanwhile nothing need be read.
        room = window.most - len(window.order)
        if window.until == ahead.begin and room > 0:
            kept = sorted(place for place in ahead.found if place <= ahead.until)
            window.until = ahead.until if len(kept) <= room else kept[room - 1]
            window.order += kept[:room]
            window.items |= {place: ahead.found[place] for place in kept[:room]}
        return True

    def _page(
        self, bucket: str, begin: str, prefix: str, size: int
    ) -> tuple[list[tuple[str, Item]], str]:
        """The next items of a bucket by their positions, and how far it is read by that."""
        page = self.store.query(
            self.table,
            self.partition(bucket),
            after=begin or None,  # DynamoDB takes no empty key
            until=prefix + END,
            limit=size,
        )
        items = [(str(item["position"]), item) for item in self._own(page.items)]
        return items, str(page.items[-1]["position"]) if page.more and page.items else END

    def prefixes(self) -> Sequence[str]:
        """What stands before the first ``#`` of positions: found by skipping through the key."""
        found: dict[str, None] = {}
        for bucket in buckets_of(self.shard):
            after: str | None = None
            while True:
                page = self.store.query(
                    self.table,
                    self.partition(bucket),
                    after=after,
                    limit=self.page_size or PREFIXES_PAGE,
                )
                names = [str(item["position"]).partition("#")[0] for item in page.items]
                found.update(dict.fromkeys(names))
                if not page.more or not names:
                    break
                last = str(page.items[-1]["position"])
                after = f"{names[-1]}#{END}" if names[0] == names[-1] else last
        return tuple(found)

    def _own(self, items: Sequence[Item]) -> Iterable[Item]:
        return (item for item in items if self.shard.holds(hash_key(str(item["subject"]))))


def text(item: Item, name: str) -> str:
    """A text attribute of an item of ours."""
    value: Any = item[name]
    return str(value)


def number(item: Item, name: str) -> int:
    """A whole-number attribute of an item of ours."""
    value: Any = item[name]
    return int(value)
