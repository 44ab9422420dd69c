"""The sender's queue: all entries in DynamoDB, the next of each lane in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from mailtumble.ports.store import Delete, Item, ItemStore, Put, Update
from mailtumble.ports.stream import Shard
from mailtumble.sender.entry import CALLED_OFF, Entry, read_entry
from mailtumble.worker.horizon import END, Ahead, Reader, Window, due_text, number, text
from processors.sending.fairness import Choice
from processors.sending.lanes import Lane, read_lane


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits on one shard, as far as it is in memory; what is held is not due.

    ``oldest_due_at``: microseconds UTC, None where nothing is due. ``free``: what is due and
    goes to no domain with a limit of its own.
    """

    waiting: int = 0
    due: int = 0
    oldest_due_at: int | None = None
    free: int = 0


class Gate(Protocol):
    """What of the queue may leave now."""

    def held_since(self, lane: Lane) -> int | None:
        """What came in at this moment or later (microseconds UTC) is held; None: nothing is."""

    def is_limited(self, destination: str) -> bool:
        """Whether this domain has a limit of its own."""

    def room(self, destination: str) -> int | None:
        """How many mails may go to this domain now; None: it has no limit of its own."""


class OpenGate:
    """Everything may leave."""

    def held_since(self, lane: Lane) -> int | None:  # noqa: ARG002
        """Nothing is held."""
        return None

    def is_limited(self, destination: str) -> bool:  # noqa: ARG002
        """None is."""
        return False

    def room(self, destination: str) -> int | None:  # noqa: ARG002
        """As many as there are."""
        return None


OPEN: Final = OpenGate()
SHARD_MAX: Final = 2_000
LANE_LEAST: Final = 100
"""Entries in memory, of some 2 KB each: the lanes of a shard share the first, none has less than
the second."""


NEVER: Final = 2**63
"""Behind every moment."""

AHEAD_TAKES: Final = 8
"""In so many takes a lane that is low is read on: all at once, lanes that began together and ran
out together stood still for seconds."""
FILLS_MAX: Final = 4
"""Lanes that are read on in one take: one costs a query a bucket, 256 of them on a single shard."""


@dataclass(slots=True)
class _Older:
    """Of a lane that is being drained: what came in before ``since``, and lies behind its window.

    ``begin``: where the window ended when this was begun.
    """

    since: int
    begin: str
    window: Window


@dataclass(slots=True)
class _Place:
    """A lane, and what is in memory of it: its earliest entries.

    ``none_over_before``: nothing that is in memory expires before this moment.
    """

    lane: Lane
    window: Window
    older: _Older | None = None
    ahead: Ahead | None = None
    none_over_before: int = 0

    def add(self, position: str, item: Item) -> None:
        """Take an entry in, where it lies within what is in memory."""
        self.none_over_before = min(self.none_over_before, number(item, "expires_at"))
        self.window.add(position, item)
        if self.ahead is not None:
            self.ahead.add(position, item)
        older = self.older
        if older is not None and position > older.begin and _came_before(item, older.since):
            older.window.add(position, item)

    def discard(self, position: str) -> None:
        """Forget an entry."""
        self.window.discard(position)
        if self.ahead is not None:
            self.ahead.discard(position)
        if self.older is not None:
            self.older.window.discard(position)

    def share(self, most: int) -> None:
        """Keep so many at the most."""
        self.window.most = most
        self.window.trim()
        self.older = self.ahead = None

    def behind(self, since: int) -> _Older | None:
        """What came in before ``since`` and lies behind the window, if that is in memory."""
        older = self.older
        here = older is not None and (older.since, older.begin) == (since, self.window.until)
        return older if here else None

    def free(self, before: str, since: int | None) -> list[Item]:
        """What is due and not held, of what is in memory."""
        due = self.window.due(before)
        if since is None:
            return due
        older = self.behind(since)
        mine = [item for item in due if _came_before(item, since)]
        return mine if older is None else mine + older.window.due(before)

    def over(self, now: int) -> list[Item]:
        """What has expired, of what is in memory; all of it is looked at only if some may have."""
        if now < self.none_over_before:
            return []
        older = [] if self.older is None else self.older.window.due(END)
        items = self.window.due(END) + older
        over = [item for item in items if _is_over(item, now)]
        if not over:
            ends = (number(item, "expires_at") for item in items)
            self.none_over_before = min(ends, default=NEVER)
        return over


class Queue:
    """What waits on one shard, the earliest of each lane in memory."""

    def __init__(self, store: ItemStore, shard: Shard, choice: Choice | None = None) -> None:
        """Know the place; :meth:`load` reads it at takeover."""
        self._reader = Reader(store, "queue", shard)
        self._places: dict[str, _Place] = {}
        self._called_off = Window(f"{CALLED_OFF}#", most=SHARD_MAX)
        self._most = SHARD_MAX
        self._fills = 0
        self._choice = Choice({}, frozenset()) if choice is None else choice

    def load(self) -> None:
        """Find the lanes. What is in them is read as it is wanted, of what is urgent first."""
        names = self._reader.prefixes()
        if CALLED_OFF in names:
            self._called_off.until = self._called_off.prefix
        lanes = {name: read_lane(name) for name in names if name != CALLED_OFF}
        self._most = most = _part(len(lanes))
        self._places = {
            name: _Place(lanes[name], Window(f"{name}#", until=f"{name}#", most=most))
            for name in sorted(lanes, key=lambda name: not self._choice.is_urgent(lanes[name]))
        }

    def committed(self, writes: Mapping[tuple[str, str], Put | Delete | Update]) -> None:
        """Follow a commit of this shard."""
        for (table, _), write in writes.items():
            if table != "queue":
                continue
            match write:
                case Put(item=item):
                    self._add(text(item, "position"), item)
                case Delete(key=key):
                    self.discard(str(key["position"]))
                case Update():
                    pass

    def discard(self, position: str) -> None:
        """Forget an entry: it was claimed, withdrawn, or is another's."""
        name = position.partition("#")[0]
        if name == CALLED_OFF:
            self._called_off.discard(position)
            return
        place = self._places.get(name)
        if place is None:
            return
        place.discard(position)
        if place.window.is_empty:
            # There may be a lane for each domain that mail has ever gone to.
            del self._places[name]
            self._share()

    def take(self, now: int, limit: int, gate: Gate = OPEN) -> list[Entry]:
        """Up to ``limit`` due entries, what is urgent first, tenants in turn, by due time.

        Neither what is held nor what is :meth:`over`. Entries stay in memory
        until a claim's success or failure discards them, and turns are as they were until
        :meth:`charge`. A lane of which nothing is in memory may have to wait for the next call:
        only a few are read in one.
        """
        self._fills = FILLS_MAX
        waiting = {
            place.lane: self._ready(name, place, now, gate)
            for name, place in list(self._places.items())
        }
        heads = {lane: head for lane, ready in waiting.items() if (head := next(ready, None))}
        due = {lane: _rank(head) for lane, head in heads.items()}
        left: dict[str, int | None] = {}
        taken: list[Entry] = []
        choice = self._choice.draft()
        while len(taken) < limit:
            lane = choice.next(due)
            if lane is None:
                break
            if lane.destination not in left:
                left[lane.destination] = gate.room(lane.destination)
            room = left[lane.destination]
            if room is not None and room <= 0:
                del due[lane]
                continue
            choice.charge(lane)
            left[lane.destination] = None if room is None else room - 1
            taken.append(read_entry(heads[lane]))
            head = next(waiting[lane], None)
            if head is None:
                del due[lane]
            else:
                heads[lane], due[lane] = head, _rank(head)
        if self._fills == FILLS_MAX:
            self._read_ahead()
        return taken

    def over(self, now: int, limit: int) -> list[Entry]:
        """Up to ``limit`` entries to be taken out without a call, whatever else holds them.

        What is called off first, then what has expired, of what is in memory.
        """
        if self._called_off.exhausted:
            self._reader.fill(self._called_off)
        found = self._called_off.due(END)[:limit]
        for place in self._places.values():
            if len(found) >= limit:
                break
            found.extend(place.over(now))
        return [read_entry(item) for item in found[:limit]]

    def charge(self, entry: Entry) -> None:
        """An entry that was taken leaves: its tenant has had its turn."""
        self._choice.charge(entry.lane)

    def backlog(self, now: int, gate: Gate = OPEN) -> Backlog:
        """How much there is to do."""
        waiting, due, free = len(self._called_off.order), 0, 0
        oldest: list[int] = []
        for name, place in self._places.items():
            waiting += len(place.window.order)
            mine = place.free(_until(name, now), gate.held_since(place.lane))
            due += len(mine)
            free += 0 if gate.is_limited(place.lane.destination) else len(mine)
            if mine:
                oldest.append(number(mine[0], "due_at"))
        return Backlog(waiting, due, min(oldest, default=None), free)

    def is_urgent(self, entry: Entry) -> bool:
        """Whether it goes before others, and on the day's reserve."""
        return self._choice.is_urgent(entry.lane)

    def _ready(self, name: str, place: _Place, now: int, gate: Gate) -> Iterator[Item]:
        """What of a lane may be taken, the earliest first."""
        if place.window.exhausted and place.ahead is not None:
            self._read_on(place, place.ahead, len(place.ahead.todo))
        if place.window.exhausted:
            self._fill(name, place.window)
        before, since = _until(name, now), gate.held_since(place.lane)

        def alive() -> list[Item]:
            return [each for each in place.free(before, since) if not _is_over(each, now)]

        free = alive()
        if since and not free:
            self._look_behind(name, place, since)
            free = alive()
        return iter(free)

    def _read_ahead(self) -> None:
        """Read a part of what lies behind a lane that is low, one lane after the other."""
        begun = [each for each in self._places.values() if each.ahead is not None]
        low = (each for each in self._places.values() if each.window.low and each.window.order)
        place = next(iter(begun), None) or next(low, None)
        if place is None:
            return
        if place.ahead is None:
            place.ahead = self._reader.ahead(place.window)
        self._read_on(place, place.ahead, -(-self._reader.buckets // AHEAD_TAKES))

    def _read_on(self, place: _Place, ahead: Ahead, buckets: int) -> None:
        if self._reader.read_ahead(place.window, ahead, buckets):
            # What was looked for behind the window is in it now.
            place.ahead = place.older = None
            place.none_over_before = 0

    def _fill(self, name: str, window: Window) -> None:
        """Read on, unless enough was read by now; the lane goes behind those that wait for it."""
        if self._fills:
            self._fills -= 1
            place = self._places[name] = self._places.pop(name)
            place.none_over_before = 0
            self._reader.fill(window)

    def _look_behind(self, name: str, place: _Place, since: int) -> None:
        """Read on in a lane that is drained, and whose window is full of what is held."""
        if place.window.until == END:
            return
        older = place.behind(since)
        if older is None:
            older = place.older = _Older(since, place.window.until, place.window.behind())
        if older.window.exhausted:
            self._fill(name, older.window)
            older.window.keep(lambda item: _came_before(item, since))

    def _add(self, position: str, item: Item) -> None:
        name = position.partition("#")[0]
        if name == CALLED_OFF:
            self._called_off.add(position, item)
        else:
            self._place(name).add(position, item)

    def _place(self, name: str) -> _Place:
        place = self._places.get(name)
        if place is None:
            window = Window(prefix=f"{name}#", most=self._most)
            place = self._places[name] = _Place(read_lane(name), window)
            self._share()
        return place

    def _share(self) -> None:
        """Give each lane its part of the memory; anew when there are twice, or half as many."""
        most = _part(len(self._places))
        if self._most / 2 < most < 2 * self._most:
            return
        self._most = most
        for place in self._places.values():
            place.share(most)


def _part(lanes: int) -> int:
    """How many entries of one lane are kept in memory, where there are so many lanes."""
    return max(LANE_LEAST, SHARD_MAX // max(lanes, 1))


def _until(name: str, now: int) -> str:
    """Where, in a lane, what is due ends."""
    return f"{name}#{due_text(now)}{END}"


def _came_before(item: Item, since: int) -> bool:
    return number(item, "received_at") < since


def _is_over(item: Item, now: int) -> bool:
    return number(item, "expires_at") <= now


def _rank(item: Item) -> str:
    """What entries of several lanes are sorted by: due time, then attempt."""
    return text(item, "position").partition("#")[2]
