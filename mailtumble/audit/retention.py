"""Which items can be checked, although the stream keeps records for days and tables keep items.

If the stream still holds all of its records, every item can be checked. Otherwise an item can be
checked only if all records that led to it are still there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailtumble import throughput
from mailtumble.audit.replay import CoreReplay
from mailtumble.audit.tapes import Positions, Tape
from mailtumble.ports.store import Item
from mailtumble.worker.application import Span
from mailtumble.worker.horizon import due_text
from mailtumble.worker.views import iso
from mailtumble.worker.writes import Address
from schemas.ids import mail_of
from schemas.values import MINUTE_US, SECOND_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What can be concluded from the records that the stream still has.

    Attributes:
        trimmed: whether records that core has read are gone.
        firsts: the oldest retained record of each shard.
        minutes: for each shard, the last minute for which the records of some calls may be gone.
        since: the time (ISO 8601) from which on every shard still has all of its records.
        headless: messages whose first record is gone.
        known: messages with at least one record on the stream.
        now: when the items were read (microseconds UTC).
    """

    trimmed: bool
    firsts: Mapping[str, str]
    minutes: Mapping[str, str]
    since: str
    headless: frozenset[str]
    known: Collection[str]
    now: int

    def tells(self, place: Address, stored: Item | None, expected: Item | None) -> bool:
        """Return whether an item can be checked.

        That is so if the stream has all records that led to it, and the item cannot have expired.

        Args:
            place: the item's address.
            stored: the item as the table has it, or None.
            expected: the item as replaying the stream produces it, or None.
        """
        table, key = place
        if table == "throughput" and self._is_over(expected or stored or {}):
            return False
        if not self.trimmed:
            return True
        match table:
            case "mails":
                item = expected or stored or {}
                return item.get("mail_id") not in self.headless and not (
                    expected is None and stored is not None and self.is_before(stored)
                )
            case "throughput":
                shard_id, _, counter = key.partition("#")[2].partition("\x1f")
                _, begins_at = throughput.beginning(counter)
                return due_text(begins_at) > self.minutes.get(shard_id, "~")
            case "quarantine":
                # The redrive may be on another shard than the quarantined record.
                return str((expected or stored or {}).get("quarantined_at", "")) > self.since
            case "timers":
                mail_id = mail_of(str((expected or stored or {}).get("subject", "")))
                return mail_id in self.known and mail_id not in self.headless
            case _:
                # Addresses and the fleet accumulate state over months.
                return False

    def _is_over(self, item: Item) -> bool:
        """Return whether DynamoDB may have deleted an item, because it has expired."""
        ends_at = item.get("expires_at")
        return isinstance(ends_at, int) and ends_at * SECOND_US <= self.now

    def is_before(self, item: Item) -> bool:
        """Return whether all records of a message may be gone, judging by the spans in its item."""
        spans = _spans(item)
        return bool(spans) and all(
            each.last < self.firsts.get(each.shard_id, "~") for each in spans
        )


def shown(item: Item) -> tuple[str, ...]:
    """Return the statuses in a message's item: one per target, or its own if it has no targets."""
    targets: Any = item.get("targets") or ()
    return tuple(str(each["status"]) for each in targets) or (str(item.get("status")),)


@dataclass(frozen=True, slots=True)
class Beginning:
    """Which records the stream has dropped.

    Attributes:
        firsts: for each shard with records, the oldest one that is left.
        listed: the shards that the stream lists.
        positions: how far the application had read when the stream was read.
    """

    firsts: Mapping[str, str]
    listed: Collection[str]
    positions: Positions

    def is_gone(self, shard_id: str, sequence_number: str) -> bool:
        """Return whether the stream has dropped a record that the application has read."""
        read_to = self.positions.get(shard_id, "" if shard_id in self.listed else "~")
        first = self.firsts.get(shard_id, "~")
        return sequence_number <= read_to and sequence_number < first

    def is_cut(self, spans: Sequence[Span]) -> bool:
        """Return whether the first record of a subject is gone, given the spans of its records."""
        return bool(spans) and self.is_gone(spans[0].shard_id, spans[0].first)


def beginning(tapes: Iterable[Tape], positions: Positions) -> Beginning:
    """Return which records the stream has dropped.

    Args:
        tapes: the copy of the stream, read after the positions.
        positions: how far the application had read.
    """
    tapes = tuple(tapes)
    firsts = {tape.shard.id: tape.first for tape in tapes if tape.first}
    return Beginning(firsts, {tape.shard.id for tape in tapes}, positions)


def retention(
    tapes: Iterable[Tape],
    replay: CoreReplay,
    mails: Mapping[str, Item],
    begins: Beginning,
    others: Iterable[Sequence[Span]],
    now: int,
    *,
    is_sure: bool = True,
) -> Retention:
    """Return what can be concluded from the records that the stream still has.

    Args:
        tapes: the copy of the stream.
        replay: the replay of core on this copy.
        mails: the items of the table ``mails``, by message id.
        begins: which of the records that core has read are gone.
        others: the spans of the records of each other subject for which core keeps items.
        now: when the items were read (microseconds UTC).
        is_sure: whether ``others`` are complete; if not, records of them may be gone.
    """
    tapes = tuple(tapes)
    cut = {name for name, item in mails.items() if begins.is_cut(_spans(item))}
    return Retention(
        trimmed=bool(cut) or not is_sure or any(map(begins.is_cut, others)),
        firsts=begins.firsts,
        minutes={
            tape.shard.id: due_text(tape.begun_at + MINUTE_US) for tape in tapes if tape.first
        },
        # A shard without records may have dropped some a moment ago.
        since=iso(max((tape.begun_at if tape.first else now for tape in tapes), default=now)),
        # If a message was received twice, the second record may be the only one left.
        headless=frozenset(replay.headless | cut),
        known=replay.entries.keys(),
        now=now,
    )


def _spans(item: Item) -> list[Span]:
    """Return the spans in a message's item: where its records are on the stream."""
    spans: Any = item.get("spans") or ()
    return [Span(str(shard_id), str(first), str(last)) for shard_id, first, last in spans]
