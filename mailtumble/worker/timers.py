"""Timers of one shard: a timer only appends; the decision comes when that is read."""

from __future__ import annotations

from mailtumble.ports.store import Delete, Item, ItemStore, Put
from mailtumble.ports.stream import Shard
from mailtumble.worker.application import Fact
from mailtumble.worker.horizon import END, Reader, Window, due_text, number, text
from processors.kernel import Timer
from schemas.events import TimerFired
from schemas.ids import bucket, timer_id
from schemas.values import TimerKind


class Timers:
    """What is due on this shard, for one application."""

    def __init__(self, store: ItemStore, application: str, generation: str, shard: Shard) -> None:
        """Know the place; :meth:`load` reads it at takeover."""
        self._prefix = prefix_of(application, generation)
        self._reader = Reader(store, "timers", shard, lambda name: self._prefix + name)
        self._window = Window()
        self._fired: set[str] = set()

    def load(self) -> None:
        """Read the window anew, as a new owner."""
        self._window = Window()
        self._fired = set()
        self._reader.fill(self._window)

    def put(self, timer: Timer) -> Put:
        """The write that sets a timer."""
        return put(self._prefix, timer)

    def delete(self, timer: Timer) -> Delete:
        """The write that takes a timer away."""
        return delete(self._prefix, timer)

    def committed(self, timer: Timer, *, done: bool) -> None:
        """Follow a commit: a timer was set, or is done."""
        position = _position(timer)
        if done:
            self._window.discard(position)
            self._fired.discard(position)
        else:
            self._window.add(position, self.put(timer).item)

    def due(self, now: int) -> list[Fact]:
        """What to append now: each timer once per ownership, until :meth:`fired` is told of it."""
        if self._window.exhausted:
            self._reader.fill(self._window)
        items = self._window.due(due_text(now) + END)
        return [_fact(item) for item in items if text(item, "position") not in self._fired]

    def fired(self, facts: list[Fact]) -> None:
        """These appends were acknowledged."""
        ids = {fact.id for fact in facts}
        for position, item in self._window.items.items():
            if _fact(item).id in ids:
                self._fired.add(position)


def prefix_of(application: str, generation: str) -> str:
    """Return what the buckets of an application's timers begin with."""
    return f"{application}#{generation}#"


def put(prefix: str, timer: Timer) -> Put:
    """Return the write that sets a timer; ``prefix`` as of :func:`prefix_of`."""
    item: Item = {
        "bucket": prefix + bucket(timer.subject),
        "position": _position(timer),
        "subject": timer.subject,
        "kind": str(timer.kind),
        "attempt_id": timer.attempt_id,
        "number": timer.number,
        "due_at": timer.due_at,
    }
    return Put("timers", item)


def delete(prefix: str, timer: Timer) -> Delete:
    """Return the write that removes a timer; ``prefix`` as of :func:`prefix_of`."""
    return Delete(
        "timers", {"bucket": prefix + bucket(timer.subject), "position": _position(timer)}
    )


def _position(timer: Timer) -> str:
    name = timer_id(timer.subject, timer.kind, timer.attempt_id, timer.number, timer.due_at)
    return f"{due_text(timer.due_at)}#{name}"


def _fact(item: Item) -> Fact:
    name = text(item, "position").partition("#")[2]
    event = TimerFired(
        kind=TimerKind(text(item, "kind")),
        attempt_id=text(item, "attempt_id"),
        number=number(item, "number"),
        due_at=number(item, "due_at"),
    )
    return Fact(name, text(item, "subject"), name, "timer", (event,))
