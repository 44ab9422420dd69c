"""Who did what in which order: what workers were told, what they wrote, and when they called SES.

The witness stands at the ports. It changes nothing, draws nothing, and believes nobody: commits and
claims are noted when the tables have taken them, replies when the process has got them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent

from mailtumble.ports.store import Check, ConditionFailed, Delete, Equals, Put, Update
from mailtumble.sender.transmission import TAG_ATTEMPT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailtumble.ports.store import Action, Item, ItemStore, Key
    from mailtumble.ports.world import OutgoingMail, Transport
    from mailtumble.worker.assembly import Ports
    from tests.fakes.clock import VirtualClock
    from tests.simulation.scheduler import Process

KNOWLEDGE = ("addresses", "fleet")
"""Tables that tell a sender what must not leave."""


@dataclass(frozen=True)
class Committed:
    """A transaction that the tables have taken.

    Attributes:
        at: when, in the world's time.
        thread: whose it was.
        cursor: the key and the new sequence number of the cursor that it moved; or None.
        queue: the queue entries that it wrote (None: removed), by position.
        claims: the claims that it made.
        mails: the items of the view ``mails`` that it wrote.
    """

    at: int
    thread: object
    cursor: tuple[str, str] | None
    queue: tuple[tuple[str, Item | None], ...]
    claims: tuple[Item, ...]
    mails: tuple[Item, ...]


@dataclass(frozen=True)
class Told:
    """A reply to a read that reached the process.

    ``since``: how long the chronicle was when the read was sent; the reply shows the tables as they
    were at some point since then.
    """

    process: str
    thread: object
    table: str
    keys: tuple[str, ...]
    since: int


@dataclass(frozen=True)
class Called:
    """A process begins to call SES. ``own_at``: the time by its own clock; ``at``: the world's."""

    process: str
    attempt: str
    own_at: int
    at: int


@dataclass(frozen=True)
class Answered:
    """SES's reply to a call has reached the process, be it an error."""

    process: str
    attempt: str
    at: int


@dataclass(frozen=True)
class Fenced:
    """A process uses the fence of a cursor; ``lost``: it is told that the epoch is another's."""

    process: str
    thread: object
    cursor: str
    epoch: int
    lost: bool


Seen = Committed | Told | Called | Answered | Fenced


@dataclass
class Witness:
    """Everything that was seen, in order; and every process by its name."""

    clock: VirtualClock
    chronicle: list[Seen] = field(default_factory=list)
    processes: dict[str, Process] = field(default_factory=dict)

    def watch(self, store: Any) -> None:  # noqa: ANN401 - the fake
        """Note what the tables take."""
        transact = store.transact

        def noted(actions: Sequence[Action]) -> None:
            transact(actions)
            self._committed(actions)

        store.transact = noted

    def beside(self, ports: Ports, process: Process) -> Ports:
        """Return the ports of a process, with the witness listening to each reply."""
        self.processes[process.name] = process
        return replace(
            ports,
            store=_WatchedStore(self, ports.store, process.name),
            transport=_WatchedTransport(self, ports, process),
        )

    def _committed(self, actions: Sequence[Action]) -> None:
        cursor = None
        queue: list[tuple[str, Item | None]] = []
        put: dict[str, list[Item]] = {"claims": [], "mails": []}
        for action in actions:
            match action:
                case Update(table="cursors", key=key, set={"sequence": sequence}):
                    cursor = str(key["cursor"]), str(sequence)
                case Put(table="queue", item=item):
                    queue.append((str(item["position"]), item))
                case Delete(table="queue", key=key):
                    queue.append((str(key["position"]), None))
                case Put(table=table, item=item) if table in put:
                    put[table].append(item)
                case _:
                    pass
        if cursor or queue or put["claims"]:
            seen = Committed(
                self.clock.now(),
                getcurrent(),
                cursor,
                tuple(queue),
                tuple(put["claims"]),
                tuple(put["mails"]),
            )
            self.chronicle.append(seen)


class _WatchedStore:
    """The tables as one process sees them."""

    def __init__(self, witness: Witness, store: ItemStore, process: str) -> None:
        self._witness = witness
        self._store = store
        self._process = process

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever is not watched
        return getattr(self._store, name)

    def transact(self, actions: Sequence[Action]) -> None:
        fence = _fence(actions[0])
        lost = False
        try:
            self._store.transact(actions)
        except ConditionFailed as error:
            item = dict(zip(error.failed, error.items, strict=True)).get(0)
            lost = fence is not None and item is not None and item.get("epoch") != fence[1]
            raise
        finally:
            if fence is not None:
                seen = Fenced(self._process, getcurrent(), *fence, lost=lost)
                self._witness.chronicle.append(seen)

    def get(self, table: str, key: Key) -> Item | None:
        since = len(self._witness.chronicle)
        item = self._store.get(table, key)
        self._told(table, [key], since)
        return item

    def get_all(self, table: str, keys: Sequence[Key]) -> Sequence[Item | None]:
        since = len(self._witness.chronicle)
        items = self._store.get_all(table, keys)
        self._told(table, keys, since)
        return items

    def _told(self, table: str, keys: Sequence[Key], since: int) -> None:
        if table in KNOWLEDGE:
            names = tuple(str(value) for key in keys for value in key.values())
            seen = Told(self._process, getcurrent(), table, names, since)
            self._witness.chronicle.append(seen)


class _WatchedTransport:
    """SES as one process sees it."""

    def __init__(self, witness: Witness, ports: Ports, process: Process) -> None:
        self._witness = witness
        self._transport: Transport = ports.transport
        self._clock = ports.clock
        self._process = process

    def send(self, mail: OutgoingMail) -> str:
        name, attempt = self._process.name, mail.tags[TAG_ATTEMPT]
        seen, clock = self._witness.chronicle, self._witness.clock
        seen.append(Called(name, attempt, self._clock.now(), clock.now()))
        try:
            return self._transport.send(mail)
        finally:
            if not self._process.dead:
                seen.append(Answered(name, attempt, clock.now()))


def _fence(action: Action) -> tuple[str, int] | None:
    """The cursor and the epoch that a transaction demands of it."""
    if not isinstance(action, Check | Update) or action.table != "cursors":
        return None
    for condition in action.when:
        for tests in condition.alternatives:
            for test in tests:
                if isinstance(test, Equals) and test.attribute == "epoch":
                    return str(action.key["cursor"]), int(test.value or 0)
    return None
