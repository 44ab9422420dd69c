"""Rolling windows over counters: what was sent between two moments, and the busiest second.

A counter's item is read as it is stored: beside its totals it has the numbers of its sixtieths,
``accepted_07`` among them (:func:`processors.throughput.projection.count`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields

from processors.throughput.projection import Grain


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """How many calls ended how; ``recipients`` and ``bytes`` are those of the accepted ones."""

    accepted: int = 0
    refused: int = 0
    deferred: int = 0
    failed: int = 0
    unanswered: int = 0
    unknown: int = 0
    recipients: int = 0
    bytes: int = 0

    @property
    def calls(self) -> int:
        """Calls at a known time: ``unknown`` are those of senders that died, perhaps before."""
        return self.accepted + self.refused + self.deferred + self.failed + self.unanswered


KINDS = frozenset(field.name for field in fields(Sums))


@dataclass(frozen=True, slots=True)
class Counter:
    """One stored counter: its grain, when it begins (microseconds UTC), and its attributes."""

    grain: Grain
    begins_at: int
    attributes: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Part:
    """A number inside a counter: of which kind, and when its second or minute begins."""

    at: int
    kind: str
    amount: int


def parts(counter: Counter) -> Iterator[Part]:
    """The numbers inside; totals and what is no number of a known kind are passed over."""
    for name, amount in counter.attributes.items():
        kind, _, place = name.rpartition("_")
        if kind in KINDS and place.isdecimal() and isinstance(amount, int):
            yield Part(counter.begins_at + int(place) * counter.grain.part_us, kind, amount)


def between(counters: Iterable[Counter], from_at: int, until_at: int) -> Sums:
    """The sums of the seconds (or minutes) that begin from ``from_at`` on and before ``until_at``.

    A minute's counter has recipients and bytes for the whole minute only: they are summed where
    the counters are hours.
    """
    found = dict.fromkeys(KINDS, 0)
    for counter in counters:
        for part in parts(counter):
            if from_at <= part.at < until_at:
                found[part.kind] += part.amount
    return Sums(**found)


def busiest(seconds: Mapping[int, Sums]) -> tuple[int, Sums] | None:
    """The moment with the most calls, the first one of several; None where there is no call."""
    called = [(at, sums) for at, sums in seconds.items() if sums.calls]
    return max(called, key=lambda each: (each[1].calls, -each[0]), default=None)


def by_part(counters: Iterable[Counter], from_at: int, until_at: int) -> dict[int, Sums]:
    """As :func:`between`, by the beginning of each second (or minute) that has a number."""
    found: dict[int, dict[str, int]] = {}
    for counter in counters:
        for part in parts(counter):
            if from_at <= part.at < until_at:
                amounts = found.setdefault(part.at, dict.fromkeys(KINDS, 0))
                amounts[part.kind] += part.amount
    return {at: Sums(**amounts) for at, amounts in sorted(found.items())}
