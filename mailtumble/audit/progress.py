"""How far each application has read the stream, by its cursors.

One scan of the table ``cursors`` (an item per application, generation and shard) answers for all
applications. What a position leaves unread is not known here: it takes a look at the stream.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mailtumble.ports.store import Item, ItemStore
from mailtumble.ports.stream import Shard
from mailtumble.worker.cursor import cursor_key
from mailtumble.worker.works import generation_of

APPLICATIONS: Final = ("core", "sender", "archive")
"""Every application that reads the stream."""


class ShardState(enum.StrEnum):
    """What an application is doing with a shard, as far as its cursors tell."""

    READING = "reading"
    """It has a cursor here."""
    CLOSED = "closed"
    """It has read the shard to its end, and the shard takes no more records."""
    WAITING = "waiting for its parents"
    """A child shard begins when all its parents are closed, and one of them is not."""
    NOT_BEGUN = "not begun"
    """It has no cursor here, though nothing keeps it from beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardProgress:
    """One application on one shard.

    Attributes:
        shard: the shard, as the stream lists it.
        state: see :class:`ShardState`.
        position: the last record that was committed (a padded sequence number); "" for none.
        arrived_at: everything that had arrived by then is read (microseconds UTC); 0: unknown.
            A reader without new records moves it about every 15 s.
        awaited: the record at which it waits for an upgrade (:mod:`mailtumble.worker.upgrades`);
            "" if it does not wait.
        awaited_since: when that wait began (microseconds UTC); 0 if it does not wait.
        free_since: for a shard that is not begun, when the last of its parents was closed
            (microseconds UTC); 0: it has no parents that the stream lists.
    """

    shard: Shard
    state: ShardState
    position: str
    arrived_at: int
    awaited: str = ""
    awaited_since: int = 0
    free_since: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One application on all shards that the stream lists, parents first.

    ``is_running``: it has a cursor, on whatever shard. Without one it has never been started here
    (in this generation, for core), which is no fault: the archive is optional.
    """

    application: str
    generation: str
    is_running: bool
    shards: tuple[ShardProgress, ...]

    def of(self, shard_id: str) -> ShardProgress | None:
        """Return the progress on one shard, if the stream lists it."""
        return next((each for each in self.shards if each.shard.id == shard_id), None)


def progress(store: ItemStore, shards: Sequence[Shard], generation: str) -> tuple[Progress, ...]:
    """Read how far each application is.

    Args:
        store: the tables.
        shards: every shard that the stream lists, parents first.
        generation: the generation of the projections that core builds. Sender and archive have
            one generation forever.

    Returns:
        One entry per application, in the order of :data:`APPLICATIONS`.
    """
    cursors = {str(item["cursor"]): item for item in store.scan("cursors")}
    return tuple(
        _progress(name, generation_of(name, generation), shards, cursors) for name in APPLICATIONS
    )


def _progress(
    application: str, generation: str, shards: Sequence[Shard], cursors: Mapping[str, Item]
) -> Progress:
    prefix = cursor_key(application, generation, "")["cursor"]
    mine = {
        key.removeprefix(prefix): item for key, item in cursors.items() if key.startswith(prefix)
    }
    listed = {each.id for each in shards}
    return Progress(
        application=application,
        generation=generation,
        is_running=bool(mine),
        shards=tuple(_on_shard(each, listed, mine) for each in shards),
    )


def _on_shard(shard: Shard, listed: set[str], cursors: Mapping[str, Item]) -> ShardProgress:
    cursor = cursors.get(shard.id)
    if cursor is None:
        parents = [cursors.get(each) for each in shard.parents if each in listed]
        closed = [each for each in parents if each is not None and each.get("closed")]
        if len(closed) < len(parents):
            return ShardProgress(shard=shard, state=ShardState.WAITING, position="", arrived_at=0)
        # A worker of an older release did not store when it closed the shard.
        free_since = [_number(each, "closed_at") or _number(each, "arrived_at") for each in closed]
        return ShardProgress(
            shard=shard,
            state=ShardState.NOT_BEGUN,
            position="",
            arrived_at=0,
            free_since=max(free_since, default=0),
        )
    return ShardProgress(
        shard=shard,
        state=ShardState.CLOSED if cursor.get("closed") else ShardState.READING,
        position=_text(cursor, "sequence"),
        arrived_at=_number(cursor, "arrived_at"),
        awaited=_text(cursor, "awaited"),
        awaited_since=_number(cursor, "since"),
    )


def _text(cursor: Item, name: str) -> str:
    value = cursor.get(name)
    return value if isinstance(value, str) else ""


def _number(cursor: Item, name: str) -> int:
    value = cursor.get(name)
    return value if isinstance(value, int) else 0
