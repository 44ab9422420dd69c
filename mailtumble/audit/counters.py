"""Compare core's own counters and quarantine with those of the independent model.

``queue peak`` and ``queue status`` show the counters. A fault in the fold that makes them would
show in the tables and in the replay alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from mailtumble import throughput
from mailtumble.audit.comparison import Difference, Kind
from mailtumble.audit.replay import CoreReplay
from mailtumble.ports.store import Item
from mailtumble.worker.views import iso
from processors.audit.model import Minute
from processors.throughput.projection import Grain
from processors.throughput.window import KINDS
from schemas.values import MINUTE_US

QUARANTINE: Final = "quarantine"
WITHOUT_SECONDS: Final = frozenset({"recipients", "bytes"})
"""These are counted by the minute only."""

ByMinute = Mapping[Minute, Mapping[str, int]]


def disputed_counters(replay: CoreReplay) -> Iterator[Difference]:
    """Yield each counter, and each quarantined record, on which core's fold and the model disagree.

    Args:
        replay: core's, with the model at the same position.
    """
    totals: dict[Minute, Counter[str]] = {}
    seconds: dict[Minute, Counter[str]] = {}
    minutes: dict[Minute, Counter[str]] = {}
    hours: dict[Minute, Counter[str]] = {}
    for (table, key), item in replay.items.items():
        if table != throughput.TABLE:
            continue
        shard_id, _, counter = key.partition("#")[2].partition("\x1f")
        grain, begins_at = throughput.beginning(counter)
        if grain is Grain.MINUTE:
            totals[shard_id, begins_at] = _totals(item)
            seconds[shard_id, begins_at] = sum(_parts(item).values(), Counter())
        else:
            hours[shard_id, begins_at] = _totals(item)
            for number, amounts in _parts(item).items():
                minutes[shard_id, begins_at + number * MINUTE_US] = amounts
    by_model = replay.model.calls.by_minute
    yield from _disputes("in the minute", totals, by_model)
    yield from _disputes("in the minute's seconds", seconds, _by_second(by_model))
    yield from _disputes("in the minute, by the hour", minutes, by_model)
    yield from _disputes("in the hour", hours, _by_hour(by_model))
    yield from _disputed_quarantine(replay)


def _disputes(where: str, by_fold: ByMinute, by_model: ByMinute) -> Iterator[Difference]:
    for place in sorted({*by_fold, *by_model}):
        stored, expected = by_fold.get(place, {}), by_model.get(place, {})
        for kind in sorted({*stored, *expected}):
            if stored.get(kind, 0) != expected.get(kind, 0):
                yield Difference(
                    kind=Kind.DISPUTED,
                    table=throughput.TABLE,
                    key=f"{place[0]} {iso(place[1])}",
                    attribute=f"{kind} {where}",
                    stored=stored.get(kind, 0),
                    expected=expected.get(kind, 0),
                )


def _disputed_quarantine(replay: CoreReplay) -> Iterator[Difference]:
    by_fold = {
        key.partition("#")[2]: item["state"]
        for (table, key), item in replay.items.items()
        if table == QUARANTINE
    }
    by_model = replay.model.quarantine
    for key in sorted({*by_fold, *by_model}):
        if by_fold.get(key) != by_model.get(key):
            yield Difference(
                kind=Kind.DISPUTED,
                table=QUARANTINE,
                key=key,
                attribute="state",
                stored=by_fold.get(key),
                expected=by_model.get(key),
            )


def _totals(item: Item) -> Counter[str]:
    return Counter({kind: each for kind in KINDS if isinstance(each := item.get(kind), int)})


def _parts(item: Item) -> dict[int, Counter[str]]:
    """Return the numbers of each sixtieth of a counter's time."""
    found: dict[int, Counter[str]] = {}
    for name, amount in item.items():
        kind, _, number = name.rpartition("_")
        if kind in KINDS and number.isdecimal() and isinstance(amount, int):
            found.setdefault(int(number), Counter())[kind] = amount
    return found


def _by_second(by_minute: ByMinute) -> dict[Minute, dict[str, int]]:
    """Return what the seconds of each minute must add up to."""
    return {
        place: {kind: each for kind, each in amounts.items() if kind not in WITHOUT_SECONDS}
        for place, amounts in by_minute.items()
    }


def _by_hour(by_minute: ByMinute) -> dict[Minute, Counter[str]]:
    found: dict[Minute, Counter[str]] = {}
    for (shard_id, minute_at), amounts in by_minute.items():
        hour_at = minute_at - minute_at % Grain.HOUR.value
        found.setdefault((shard_id, hour_at), Counter()).update(amounts)
    return found
