"""What can be checked at all: a stream keeps its records for some days, the projections for ever.

Where nothing has been trimmed, everything can. Where something has, only what the stream still
tells from its beginning: other items would have to differ.
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
    """``trimmed``: the stream's beginning is gone, or a part of it.

    ``firsts``: by shard, the oldest record that is left. ``minutes``: by shard, the last minute
    whose calls may have been counted by a record that is gone. ``since``: when the oldest record
    of the youngest beginning arrived (ISO 8601). ``headless``: mails that began before.
    ``known``: mails that any record is left of. ``now``: when the items were looked at
    (microseconds UTC).
    """

    trimmed: bool
    firsts: Mapping[str, str]
    minutes: Mapping[str, str]
    since: str
    headless: frozenset[str]
    known: Collection[str]
    now: int

    def tells(self, place: Address, stored: Item | None, expected: Item | None) -> bool:
        """Whether the stream tells of this item from its beginning, and the table keeps it."""
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
                # What came since then is whole on every shard: a redrive may be on another one.
                return str((expected or stored or {}).get("quarantined_at", "")) > self.since
            case "timers":
                mail_id = mail_of(str((expected or stored or {}).get("subject", "")))
                return mail_id in self.known and mail_id not in self.headless
            case _:
                # An address, the fleet: their states grow over months.
                return False

    def _is_over(self, item: Item) -> bool:
        """Whether DynamoDB may have deleted it, its time being over."""
        ends_at = item.get("expires_at")
        return isinstance(ends_at, int) and ends_at * SECOND_US <= self.now

    def is_before(self, item: Item) -> bool:
        """Whether all records of a mail may lie before what is left, by the spans of its item."""
        spans = _spans(item)
        return bool(spans) and all(
            each.last < self.firsts.get(each.shard_id, "~") for each in spans
        )


def shown(item: Item) -> tuple[str, ...]:
    """The statuses that a mail's item shows: its targets', its own where it has none."""
    targets: Any = item.get("targets") or ()
    return tuple(str(each["status"]) for each in targets) or (str(item.get("status")),)


@dataclass(frozen=True, slots=True)
class Beginning:
    """Which records the stream has forgotten.

    Attributes:
        firsts: the oldest record that is left, for each shard that has any.
        listed: the shards that the stream lists.
        positions: how far the application had read when the stream was read.
    """

    firsts: Mapping[str, str]
    listed: Collection[str]
    positions: Positions

    def is_gone(self, shard_id: str, sequence_number: str) -> bool:
        """Return whether a record that the application has read is not on the stream any more."""
        read_to = self.positions.get(shard_id, "" if shard_id in self.listed else "~")
        first = self.firsts.get(shard_id, "~")
        return sequence_number <= read_to and sequence_number < first

    def is_cut(self, spans: Sequence[Span]) -> bool:
        """Return whether the first record of a subject is gone; ``spans`` say where they lie."""
        return bool(spans) and self.is_gone(spans[0].shard_id, spans[0].first)


def beginning(tapes: Iterable[Tape], positions: Positions) -> Beginning:
    """Return which records the stream has forgotten, by its tapes.

    Args:
        tapes: the stream, read after the positions were.
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
) -> Retention:
    """Return what the stream still tells.

    Args:
        tapes: the stream, as it is.
        replay: core's, of these tapes.
        mails: the live view, by the mail's id.
        begins: which of the records that core has read are gone.
        others: where the records of other subjects lie that core keeps items about.
        now: microseconds UTC.
    """
    tapes = tuple(tapes)
    cut = {name for name, item in mails.items() if begins.is_cut(_spans(item))}
    return Retention(
        trimmed=bool(cut) or any(map(begins.is_cut, others)),
        firsts=begins.firsts,
        minutes={
            tape.shard.id: due_text(tape.begun_at + MINUTE_US) for tape in tapes if tape.first
        },
        # A shard without records may have forgotten some a moment ago.
        since=iso(max((tape.begun_at if tape.first else now for tape in tapes), default=now)),
        # Of a mail that was received again, only the repeat may be left.
        headless=frozenset(replay.headless | cut),
        known=replay.entries.keys(),
        now=now,
    )


def _spans(item: Item) -> list[Span]:
    """Return where the records of a mail lie, by its item."""
    spans: Any = item.get("spans") or ()
    return [Span(str(shard_id), str(first), str(last)) for shard_id, first, last in spans]
