"""A batch's writes, folded by item and cut at record boundaries into transactions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from mailtumble.ports.store import Delete, Put, Update
from schemas.errors import InvariantBroken

Write = Put | Delete | Update
Address = tuple[str, str]
"""A table and an item's key as text."""

ACTIONS_MAX: Final = 99
"""DynamoDB takes 100 actions a transaction; the cursor is one of them."""

BYTES_MAX: Final = 3 * 1024 * 1024
"""DynamoDB takes 4 MB; what is counted here are the large attributes alone."""

_KEYS: Final = {
    "subjects": ("subject_key",),
    "mails": ("mail_key",),
    "timers": ("bucket", "position"),
    "queue": ("bucket", "position"),
    "claims": ("attempt_id",),
    "throughput": ("shard", "minute"),
    "quarantine": ("quarantine_id",),
    "fleet": ("name",),
    "addresses": ("address_key",),
    "answers": ("command_id",),
    "returns": ("whom", "hour"),
}


def address(write: Write) -> Address:
    """Which item a write is about."""
    source = write.item if isinstance(write, Put) else write.key
    return write.table, "\x1f".join(str(source[name]) for name in _KEYS[write.table])


@dataclass(slots=True)
class Portion:
    """One transaction: the folded writes of some records, and where the cursor moves to.

    Without a ``sequence`` the cursor stays where it is: such writes are done again after a crash.
    """

    sequence: str = ""
    writes: dict[Address, Write] = field(default_factory=dict)
    size_bytes: int = 0


class Writes:
    """Collects the writes of record after record."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._portions: list[Portion] = []
        self._open = Portion()

    def add(self, sequence: str, writes: list[Write]) -> None:
        """Add a record's writes; they stay together in one transaction."""
        folded: dict[Address, Write] = {}
        for write in writes:
            _fold(folded, write)
        if len(folded) > ACTIONS_MAX:
            self._delete_before(folded)
        size = sum(map(_size, folded.values()))
        if len(folded) > ACTIONS_MAX:
            message = f"record {sequence} writes {len(folded)} items; {ACTIONS_MAX} fit"
            raise InvariantBroken(message)
        new = sum(1 for each in folded if each not in self._open.writes)
        full = len(self._open.writes) + new > ACTIONS_MAX
        if self._open.sequence and (full or self._open.size_bytes + size > BYTES_MAX):
            self._portions.append(self._open)
            self._open = Portion()
        for write in folded.values():
            _fold(self._open.writes, write)
        self._open.size_bytes += size
        self._open.sequence = sequence

    def _delete_before(self, folded: dict[Address, Write]) -> None:
        """Take the deletions of a large record into a transaction of their own, before its own.

        To delete twice is to delete once. Without the rest of the record the cursor does not move
        on, so whoever comes next does all of it.
        """
        if self._open.sequence:
            self._portions.append(self._open)
            self._open = Portion()
        gone = [place for place, each in folded.items() if isinstance(each, Delete)]
        some = {place: folded[place] for place in gone[:ACTIONS_MAX]}
        for place in some:
            del folded[place]
        self._portions.append(Portion(writes=some))

    def portions(self) -> list[Portion]:
        """The transactions, in order."""
        return [*self._portions, self._open] if self._open.sequence else self._portions


def _fold(into: dict[Address, Write], write: Write) -> None:
    place = address(write)
    before = into.get(place)
    if isinstance(write, Update) and isinstance(before, Update):
        amounts = dict(before.add)
        for name, amount in write.add.items():
            amounts[name] = amounts.get(name, 0) + amount
        write = replace(write, add=amounts, set={**before.set, **write.set})
    elif isinstance(write, Update) and before is not None:
        message = f"{place} is both put and updated by one batch"
        raise InvariantBroken(message)
    into[place] = write


def _size(write: Write) -> int:
    if not isinstance(write, Put):
        return 0
    return sum(len(value) for value in write.item.values() if isinstance(value, (bytes, str)))
