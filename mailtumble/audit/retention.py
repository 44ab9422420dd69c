"""What can be checked at all: a stream keeps its records for some days, the projections for ever.

Where nothing has been trimmed, everything can. Where something has, only what the stream still
tells from its beginning: other items would have to differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mailtumble import throughput
from mailtumble.audit.replay import Replay
from mailtumble.audit.tapes import Tape
from mailtumble.ports.store import Item
from mailtumble.worker.horizon import due_text
from mailtumble.worker.views import iso
from mailtumble.worker.writes import Address
from schemas.values import MINUTE_US, SECOND_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """``trimmed``: the stream's beginning is gone, or a part of it.

    ``firsts``: by shard, the oldest record that is left. ``minutes``: by shard, the last minute
    whose calls may have been counted by a record that is gone. ``since``: when the oldest record
    of the youngest beginning arrived (ISO 8601). ``headless``: mails that began before. ``now``:
    when the items were looked at (microseconds UTC).
    """

    trimmed: bool
    firsts: Mapping[str, str]
    minutes: Mapping[str, str]
    since: str
    headless: frozenset[str]
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
                if expected is not None:
                    return "id" in expected
                return str((stored or {}).get("quarantined_at", "")) > self.since
            case _:
                # An address, the fleet: their states grow over months.
                return False

    def _is_over(self, item: Item) -> bool:
        """Whether DynamoDB may have deleted it, its time being over."""
        ends_at = item.get("expires_at")
        return isinstance(ends_at, int) and ends_at * SECOND_US <= self.now

    def is_before(self, item: Item) -> bool:
        """Whether all records of a mail may lie before what is left, by the spans of its item."""
        spans: Any = item.get("spans") or ()
        return bool(spans) and all(
            str(last) < self.firsts.get(str(shard_id), "~") for shard_id, _, last in spans
        )


def shown(item: Item) -> tuple[str, ...]:
    """The statuses that a mail's item shows: its targets', its own where it has none."""
    targets: Any = item.get("targets") or ()
    return tuple(str(each["status"]) for each in targets) or (str(item.get("status")),)


def retention(
    tapes: Iterable[Tape], replay: Replay, mails: Mapping[str, Item], now: int
) -> Retention:
    """What the stream still tells, by its tapes, a replay of them, and the live view ``mails``."""
    begun = [tape for tape in tapes if tape.first]
    known = Retention(
        trimmed=False,
        firsts={tape.shard.id: tape.first for tape in begun},
        minutes={tape.shard.id: due_text(tape.begun_at + MINUTE_US) for tape in begun},
        since=iso(max((tape.begun_at for tape in begun), default=0)),
        headless=frozenset(replay.headless),
        now=now,
    )
    trimmed = any(_began_before(known, name, item, replay) for name, item in mails.items())
    return replace(known, trimmed=trimmed)


def _began_before(known: Retention, mail_id: str, item: Item, replay: Replay) -> bool:
    """Whether a mail's item tells of records that are gone."""
    if mail_id not in replay.entries:
        return known.is_before(item)
    spans: Any = item.get("spans") or ()
    return mail_id in replay.headless and any(
        str(first) < known.firsts.get(str(shard_id), "~") for shard_id, first, _ in spans
    )
