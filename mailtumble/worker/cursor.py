"""The cursor of one shard: where its owner stands, and the fence that keeps everybody else out.

::

    owner A   epoch 1  ──commit(1)──commit(1)──▌paused……………………………commit(1) ✗ epoch is 2: lost
    owner B                       take over: epoch 2 ──commit(2)──commit(2)──▶

Every transaction demands: my epoch, not closed, and the sequence number that I wrote last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mailtumble.ports.store import (
    Action,
    Check,
    Condition,
    ConditionFailed,
    Equals,
    Item,
    ItemStore,
    Update,
    absent_or,
)
from schemas.errors import InvariantBroken, MailtumbleError

TRIES_MAX: Final = 3
"""Deaths at one record after which it is quarantined."""


class ShardLost(MailtumbleError):  # noqa: N818 - what happened, not a fault
    """Another owner has raised the epoch: drop all memory of the shard and stay silent."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where the predecessor left the shard.

    ``clean``: it said good-bye (or there was none). ``poison``: the sequence number of a record
    at which the workers died three times.
    """

    sequence: str | None
    clean: bool
    closed: bool
    poison: str | None


def cursor_key(application: str, generation: str, shard_id: str) -> dict[str, str]:
    """The key of a cursor's item."""
    return {"cursor": f"{application}#{generation}#{shard_id}"}


class Cursor:
    """One (application, generation, shard), owned since :meth:`take_over`."""

    def __init__(self, store: ItemStore, application: str, generation: str, shard_id: str) -> None:
        """Know its place; nothing is read yet."""
        self._store = store
        self._key = cursor_key(application, generation, shard_id)
        self.shard_id = shard_id
        self.sequence: str | None = None
        self.epoch = 0
        self.arrived_at = 0
        self.lost = False
        self.awaited: str | None = None
        """The record that an upgrade is awaited for (:mod:`mailtumble.worker.upgrades`)."""
        self.awaited_since = 0
        self.gave_up_at = 0
        """When the shard last quarantined a record because no upgrade came."""
        self._trying: str | None = None
        self._tries = 0

    def take_over(self) -> Position:
        """Raise the epoch: from here on every other owner's writes fail.

        Raises:
            ShardLost: somebody else took it over at the same time.
        """
        before = self._store.get("cursors", self._key) or {}
        epoch = _number(before.get("epoch"))
        update = Update(
            "cursors",
            self._key,
            add={"epoch": 1},
            remove=("clean",),
            when=absent_or(Equals("epoch", epoch)),
        )
        try:
            item = self._store.write(update) or {}
        except ConditionFailed as error:
            raise self._loss() from error
        self.epoch = _number(item.get("epoch"))
        self.sequence = _text(item.get("sequence"))
        self.arrived_at = _number(item.get("arrived_at"))
        self.lost = False
        self._trying, self._tries = _text(item.get("trying")), _number(item.get("tries"))
        self.awaited, self.awaited_since = _text(item.get("awaited")), _number(item.get("since"))
        self.gave_up_at = _number(item.get("gave_up_at"))
        return Position(
            sequence=self.sequence,
            clean=epoch == 0 or bool(before.get("clean")),
            closed=bool(item.get("closed")),
            poison=self._trying if self._tries >= TRIES_MAX else None,
        )

    def advance(self, sequence: str, arrived_at: int = 0) -> Update:
        """The part of a commit that moves the cursor, and is its fence.

        ``arrived_at``: when the record arrived on the stream (microseconds UTC). The stored time
        is the latest so far: the stream may stamp a record earlier than the one before it.
        """
        return Update(
            "cursors",
            self._key,
            set={"sequence": sequence, "arrived_at": max(self.arrived_at, arrived_at)},
            remove=("trying", "tries", "awaited", "since"),
            when=self._mine(),
        )

    def commit(self, writes: list[Action], sequence: str, arrived_at: int = 0) -> None:
        """Do ``writes`` and move to ``sequence``, all or nothing (see :meth:`advance`).

        Raises:
            ShardLost: the epoch is another's now; nothing was written.
        """
        self._own()
        try:
            self._store.transact([self.advance(sequence, arrived_at), *writes])
        except ConditionFailed as error:
            item = dict(zip(error.failed, error.items, strict=True)).get(0)
            if item is None or not self._is_done(item, sequence):
                raise self._judge(item) from error
        self.sequence, self.arrived_at = sequence, max(self.arrived_at, arrived_at)
        self._trying, self._tries = None, 0
        self.awaited, self.awaited_since = None, 0

    def write_in_place(self, writes: list[Action]) -> None:
        """Do ``writes`` without moving: only what may be done twice.

        Raises:
            ShardLost: the epoch is another's now; nothing was written.
        """
        self._own()
        try:
            self._store.transact([Check("cursors", self._key, self._mine()), *writes])
        except ConditionFailed as error:
            item = dict(zip(error.failed, error.items, strict=True)).get(0)
            raise self._judge(item) from error

    def fence(self) -> Condition:
        """What a transaction outside of the commits demands of the cursor: my epoch, not closed."""
        tests = (Equals("epoch", self.epoch), Equals("closed", None))
        return Condition(exists=True, alternatives=(tests,))

    @property
    def key(self) -> dict[str, str]:
        """The item's key."""
        return self._key

    def verify(self) -> None:
        """Ask whether the shard is still mine.

        Raises:
            ShardLost: it is not.
        """
        self._own()
        item = self._store.get("cursors", self._key)
        if item is None or item.get("epoch") != self.epoch:
            raise self._loss()

    def attempt(self, sequence: str) -> None:
        """Write down, before a record is tried by itself, that its processing may end in death."""
        tries = self._tries + 1 if self._trying == sequence else 1
        self._change(Update("cursors", self._key, set={"trying": sequence, "tries": tries}))

    def is_suspect(self, sequence: str) -> bool:
        """Whether some worker died while this very record was being tried."""
        return self._trying == sequence and self._tries > 0

    def survived(self) -> None:
        """Take the last attempt back: it was ended by a stop or an outage, not by the record.

        The deaths before it go on counting.
        """
        if self._trying is None:
            update = Update("cursors", self._key, remove=("trying", "tries"))
        else:
            update = Update(
                "cursors", self._key, set={"trying": self._trying, "tries": self._tries}
            )
        self._change(update)

    def await_upgrade(self, sequence: str, since: int) -> None:
        """Store that the shard waits at a record, so that the next owner goes on waiting."""
        self._change(Update("cursors", self._key, set={"awaited": sequence, "since": since}))
        self.awaited, self.awaited_since = sequence, since

    def give_up_waiting(self, at: int) -> None:
        """Store that no upgrade came in time, before the record is quarantined."""
        self._change(Update("cursors", self._key, set={"gave_up_at": at}))
        self.gave_up_at = at

    def note(self, arrived_at: int) -> None:
        """Whatever had come until then is read, though no commit says so."""
        latest = max(self.arrived_at, arrived_at)
        self._change(Update("cursors", self._key, set={"arrived_at": latest}))
        self.arrived_at = latest

    def close(self, now: int) -> None:
        """Store that the shard is read to its end, and when (microseconds UTC).

        Its children may begin.
        """
        closed = {"closed": True, "closed_at": now, "clean": True}
        self._change(Update("cursors", self._key, set=closed))

    def release(self) -> None:
        """Say good-bye, so that the next owner need not be careful."""
        self._change(Update("cursors", self._key, set={"clean": True}))

    def _change(self, update: Update) -> None:
        self._own()
        fenced = Update(
            update.table,
            update.key,
            set=update.set,
            remove=update.remove,
            when=(Condition(exists=True, alternatives=((Equals("epoch", self.epoch),),)),),
        )
        try:
            self._store.write(fenced)
        except ConditionFailed as error:
            raise self._loss() from error

    def _mine(self) -> tuple[Condition, ...]:
        tests = (
            Equals("epoch", self.epoch),
            Equals("closed", None),
            Equals("sequence", self.sequence),
        )
        return (Condition(exists=True, alternatives=(tests,)),)

    def _is_done(self, item: Item, sequence: str) -> bool:
        """The condition failed because this very commit had gone through: its reply was lost."""
        return item.get("epoch") == self.epoch and item.get("sequence") == sequence

    def _judge(self, item: Item | None) -> MailtumbleError:
        if item is not None and item.get("epoch") == self.epoch:
            message = f"{self._key['cursor']} moved to {item.get('sequence')} without its owner"
            return InvariantBroken(message)
        return self._loss()

    def _own(self) -> None:
        if self.lost:
            raise self._loss()

    def _loss(self) -> ShardLost:
        self.lost = True
        return ShardLost(f"{self._key['cursor']} has another owner now")


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
