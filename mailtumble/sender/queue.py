"""The sender's queue: entries in DynamoDB by bucket and tenant#due#attempt, the next in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from mailtumble.ports.store import Delete, Item, ItemStore, Put, Update
from mailtumble.ports.stream import Shard
from mailtumble.worker.horizon import END, Reader, Window, due_text, text
from processors.sending.dispatch import Attempt, Dispatch
from processors.sending.fairness import Turns
from schemas.errors import InvariantBroken
from schemas.ids import bucket, mail_of


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits on one shard, as far as it is in memory; paused tenants' entries are not due.

    ``oldest_due_at``: microseconds UTC, None where nothing is due.
    """

    waiting: int = 0
    due: int = 0
    oldest_due_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One attempt that waits: all that is needed to send it, so that no other read is."""

    subject: str
    mail_id: str
    target: int
    attempt_id: str
    number: int
    round: int
    address: str
    tenant: str
    due_at: int
    expires_at: int
    cancelled: bool
    alias: str
    tags: tuple[str, ...]
    envelope_sender: str
    bucket: str
    object_key: str

    def is_over(self, now: int) -> bool:
        """Whether it is to be taken out without a call."""
        return self.cancelled or self.expires_at <= now

    @property
    def key(self) -> dict[str, str]:
        """Where it lies in the table."""
        return queue_key(self.subject, self.tenant, self.due_at, self.attempt_id)

    def put(self) -> Put:
        """The write that queues it."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        fields["mail_bucket"] = fields.pop("bucket")
        return Put("queue", {**fields, **self.key})


def queue_key(subject: str, tenant: str, due_at: int, attempt_id: str) -> dict[str, str]:
    """Sorted by tenant, then by due time: tenants are found by skipping through the key."""
    position = f"{quote(tenant, safe='')}#{due_text(due_at)}#{attempt_id}"
    return {"bucket": bucket(subject), "position": position}


def entry_of(subject: str, dispatch: Dispatch, attempt: Attempt) -> Entry:
    """The queue entry of a waiting attempt."""
    mail = dispatch.mail
    if mail is None:
        message = f"{subject}: scheduled before it was received"
        raise InvariantBroken(message)
    scheduled = attempt.scheduled
    return Entry(
        subject=subject,
        mail_id=mail_of(subject) or subject,
        target=scheduled.target,
        attempt_id=scheduled.attempt_id,
        number=scheduled.number,
        round=attempt.round,
        address=scheduled.address,
        tenant=scheduled.tenant,
        due_at=due_at(attempt),
        expires_at=scheduled.expires_at,
        cancelled=attempt.cancelled,
        alias=_own_address(dispatch.alias, mail.recipient),
        tags=dispatch.tags,
        envelope_sender=mail.envelope_sender,
        bucket=mail.bucket,
        object_key=mail.object_key,
    )


def _own_address(alias: str, recipient: str) -> str:
    """What the mail goes out from: the alias; where that is a whole domain, what it came in for."""
    return recipient if alias.startswith("@") else alias


def due_at(attempt: Attempt) -> int:
    """When it may go; what is cancelled is taken out at once."""
    return 0 if attempt.cancelled else attempt.scheduled.due_at


def withdrawal(subject: str, attempt: Attempt) -> Delete:
    """The write that takes an attempt out of the queue, if it is still there."""
    scheduled = attempt.scheduled
    key = queue_key(subject, scheduled.tenant, due_at(attempt), scheduled.attempt_id)
    return Delete("queue", key)


def read_entry(item: Item) -> Entry:
    """An entry as the table holds it."""
    fields: dict[str, Any] = {name: item[name] for name in Entry.__slots__ if name != "bucket"}
    fields["tags"] = tuple(fields["tags"])
    return Entry(bucket=text(item, "mail_bucket"), **fields)


class Queue:
    """What waits on one shard, the earliest of each tenant in memory."""

    def __init__(self, store: ItemStore, shard: Shard) -> None:
        """Know the place; :meth:`load` reads it at takeover."""
        self._reader = Reader(store, "queue", shard)
        self._windows: dict[str, Window] = {}
        self._turns = Turns()

    def load(self) -> None:
        """Find the tenants and read the earliest entries of each."""
        self._windows = {}
        for tenant in self._reader.prefixes():
            window = Window(prefix=f"{tenant}#")
            self._reader.fill(window)
            self._windows[tenant] = window

    def committed(self, writes: Mapping[tuple[str, str], Put | Delete | Update]) -> None:
        """Follow a commit of this shard."""
        for (table, _), write in writes.items():
            if table != "queue":
                continue
            match write:
                case Put(item=item):
                    self._window(text(item, "position")).add(text(item, "position"), item)
                case Delete(key=key):
                    self.discard(str(key["position"]))
                case Update():
                    pass

    def discard(self, position: str) -> None:
        """Forget an entry: it was claimed, withdrawn, or is another's."""
        self._window(position).discard(position)

    def take(
        self, now: int, limit: int, is_paused: Callable[[str], bool] = lambda _: False
    ) -> list[Entry]:
        """Up to ``limit`` due entries, tenants in turn, the earliest of each first.

        Of paused tenants only what is to be taken out without a call. They stay in the window
        until a claim's success or failure discards them.
        """
        waiting = {quoted: self._due(quoted, now) for quoted in list(self._windows)}
        for quoted, items in waiting.items():
            if is_paused(unquote(quoted)):
                items[:] = [each for each in items if read_entry(each).is_over(now)]
        taken: list[Entry] = []
        while len(taken) < limit:
            tenant = self._turns.next(name for name, entries in waiting.items() if entries)
            if tenant is None:
                break
            taken.append(read_entry(waiting[tenant].pop(0)))
        return taken

    def backlog(self, now: int, is_paused: Callable[[str], bool] = lambda _: False) -> Backlog:
        """How much there is to do."""
        waiting = due = 0
        oldest: list[int] = []
        for quoted, window in self._windows.items():
            waiting += len(window.order)
            if is_paused(unquote(quoted)):
                continue
            mine = window.count(f"{quoted}#{due_text(now)}{END}")
            due += mine
            if mine:
                oldest.append(int(window.order[0].split("#")[1]))
        return Backlog(waiting, due, min(oldest, default=None))

    def _due(self, tenant: str, now: int) -> list[Item]:
        window = self._windows[tenant]
        if window.exhausted:
            self._reader.fill(window)
        return window.due(f"{tenant}#{due_text(now)}{END}")

    def _window(self, position: str) -> Window:
        tenant = position.partition("#")[0]
        if tenant not in self._windows:
            self._windows[tenant] = Window(prefix=f"{tenant}#")
        return self._windows[tenant]
