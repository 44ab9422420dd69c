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
            last < self.firsts.get(shard_id, "~") for shard_id, _, last in spans
        )


def shown(item: Item) -> tuple[str, ...]:
    """The statuses that a mail's item shows: its targets', its own where it has none."""
    targets: Any = item.get("targets") or ()
    return tuple(str(each["status"]) for each in targets) or (str(item.get("status")),)


def retention(
    tapes: Iterable[Tape],
    replay: CoreReplay,
    mails: Mapping[str, Item],
    positions: Positions,
    spans: Iterable[Sequence[Span]],
    now: int,
) -> Retention:
    """Return what the stream still tells.

    Args:
        tapes: the stream, as it is.
        replay: core's, of these tapes.
        mails: the live view, by the mail's id.
        positions: how far core had read when the tapes were read.
        spans: where the records of other subjects lie that core keeps items about.
        now: microseconds UTC.
    """
    tapes = tuple(tapes)
    begun = [tape for tape in tapes if tape.first]
    firsts = {tape.shard.id: tape.first for tape in begun}
    listed = {tape.shard.id for tape in tapes}

    def is_gone(shard_id: str, first: str) -> bool:
        """Whether a record that core has read is on the stream no more."""
        read_to = positions.get(shard_id, "" if shard_id in listed else "~")
        return first <= read_to and first < firsts.get(shard_id, "~")

    cut = {
        name
        for name, item in mails.items()
        for shard_id, first, _ in _spans(item)[:1]
        if is_gone(shard_id, first)
    }
    others_cut = any(is_gone(each[0].shard_id, each[0].first) for each in spans if each)
    return Retention(
        trimmed=bool(cut) or others_cut,
        firsts=firsts,
        minutes={tape.shard.id: due_text(tape.begun_at + MINUTE_US) for tape in begun},
        # A shard without records may have forgotten some a moment ago.
        since=iso(max((tape.begun_at if tape.first else now for tape in tapes), default=now)),
        # Of a mail that was taken in again, the repeat alone may be left.
        headless=frozenset(replay.headless | cut),
        known=replay.entries.keys(),
        now=now,
    )


def _spans(item: Item) -> list[tuple[str, str, str]]:
    """Return where the records of a mail lie, by its item: shard, first and last record."""
    spans: Any = item.get("spans") or ()
    return [(str(shard_id), str(first), str(last)) for shard_id, first, last in spans]
