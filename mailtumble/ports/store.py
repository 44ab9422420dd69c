"""Items in tables: the port of projections, cursors, timers, queue and claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from schemas.errors import MailtumbleError

Value = None | bool | int | float | str | bytes | Sequence["Value"] | Mapping[str, "Value"]
Item = Mapping[str, Value]
Key = Mapping[str, str | int]

TRANSACTION_ACTIONS_MAX = 100
TRANSACTION_BYTES_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Equals:
    """The stored item has ``attribute`` with this very value (None: the attribute is absent)."""

    attribute: str
    value: str | int | bool | None


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The stored item has ``attribute``, a number not below ``value``."""

    attribute: str
    value: int


@dataclass(frozen=True, slots=True)
class Below:
    """The stored item has ``attribute``, a number below ``value``."""

    attribute: str
    value: int


Test = Equals | AtLeast | Below


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds when every test of at least one of the ``alternatives`` holds on the stored item.

    ``exists`` asks besides whether there is an item at all; None doesn't ask.
    """

    exists: bool | None = None
    alternatives: tuple[tuple[Test, ...], ...] = ()


def absent_or(*tests: Test) -> tuple[Condition, ...]:
    """Helper in words: no item yet, or one on which all ``tests`` hold. Any of them suffices."""
    return (Condition(exists=False), Condition(exists=True, alternatives=(tests,)))


@dataclass(frozen=True, slots=True)
class Put:
    """Write the whole item (its key attributes among it). ``when``: any of them must hold."""

    table: str
    item: Item
    when: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the item; no error where there is none, unless ``when`` says so."""

    table: str
    key: Key
    when: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """Add numbers, set and remove attributes of an item, creating it where there is none."""

    table: str
    key: Key
    add: Mapping[str, int] = field(default_factory=dict)
    set: Mapping[str, Value] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    when: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """Write nothing, but demand (in a transaction only)."""

    table: str
    key: Key
    when: tuple[Condition, ...]


Action = Put | Delete | Update | Check


class ConditionFailed(MailtumbleError):  # noqa: N818 - a usual answer, not a fault
    """A condition did not hold and nothing was written.

    Attributes:
        failed: indexes of the actions whose condition did not hold.
        items: for each of them the stored item as it is (None: there is none).
    """

    def __init__(self, failed: Sequence[int], items: Sequence[Item | None]) -> None:
        """Name the actions and what stands in their way."""
        super().__init__(f"condition of action {', '.join(map(str, failed))} did not hold")
        self.failed = tuple(failed)
        self.items = tuple(items)


@dataclass(frozen=True, slots=True)
class Page:
    """Some items in the order of the sort key; ``more`` when others may follow the last."""

    items: Sequence[Item]
    more: bool


class ItemStore(Protocol):
    """DynamoDB, as far as mailtumble uses it. All reads are strongly consistent, but the index's.

    Tables are named as in ``infra/terraform/definition.json`` (without the prefix).
    """

    def transact(self, actions: Sequence[Action]) -> None:
        """Do all or none: at most 100 actions on different items, 4 MB.

        Transaction conflicts and throttling are retried a few times, then RetryableError.

        Raises:
            ConditionFailed: nothing was written.
        """

    def write(self, action: Put | Delete | Update) -> Item | None:
        """One action by itself; the item as it is afterwards (None after a delete).

        Raises:
            ConditionFailed: with the stored item.
        """

    def write_all(self, actions: Sequence[Put | Delete]) -> None:
        """Unconditional puts and deletes in batch calls (25 each), until all are done."""

    def get(self, table: str, key: Key) -> Item | None:
        """One item."""

    def get_all(self, table: str, keys: Sequence[Key]) -> Sequence[Item | None]:
        """Items in the order of ``keys``, in batch calls (100 each), until all are answered."""

    def query(
        self,
        table: str,
        partition: str,
        *,
        after: str | int | None = None,
        until: str | int | None = None,
        limit: int | None = None,
        descending: bool = False,
        index: str | None = None,
    ) -> Page:
        """Items of one partition, ``after`` < sort key <= ``until``, at most ``limit`` of them.

        With no limit all are read, page by page. ``index`` names a secondary index, eventually
        consistent, and can't be combined with a limit that cuts among equal sort keys.
        """

    def scan(self, table: str) -> Sequence[Item]:
        """Every item of a table, for listings of tables that stay small, and for audits."""
