"""What waits and when it is expected to leave, as ``queue status`` and ``mail show`` tell it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from mailtumble.day import Day
from mailtumble.ports.store import Item, ItemStore, Key
from mailtumble.sender.destinations import ITEM as SLOWED
from mailtumble.sender.destinations import limited_rate_milli, read_slowed
from mailtumble.sender.entry import Entry, read_entry
from mailtumble.sender.quota import ITEM as QUOTA
from mailtumble.sender.quota import KnownQuota, rate_milli, read_control, read_quota
from mailtumble.sender.standing import Standing
from mailtumble.sender.stops import ITEM as STOPS
from mailtumble.sender.stops import read_stops
from mailtumble.turns import Group, Turns
from mailtumble.wiring import Wiring
from mailtumble.worker.assembly import Plan
from mailtumble.worker.horizon import buckets_of, number
from mailtumble.worker.views import paused_at_key
from processors.fleet.decider import Pause
from processors.sending.estimate import latest, leaves_at
from processors.sending.pacing import AHEAD_SLICES, Slice, slice_number
from processors.sending.stops import Stops, covered
from schemas.ids import BUCKETS

THREADS: Final = 16
IN_BUCKET_MAX: Final = 2_000
"""Items read of each bucket: 512,000 in all. Of a longer queue the commands tell only that much."""
BEGUN_MAX: Final = AHEAD_SLICES + 1
"""Slices that may be begun: the present one, and those that instants are taken of ahead."""


@dataclass(frozen=True, slots=True)
class Limited:
    """What waits for a domain that has a rate of its own (thousandths a second)."""

    rate_milli: int
    turns: Turns

    def leaves_at(self, mails: float, due_at: int, now: int) -> int | None:
        """When the last of so many may leave, as far as the domain goes."""
        return leaves_at(mails, self.rate_milli, due_at, now)


class Outlook:
    """The queue as a whole at one moment.

    Reads up to :data:`IN_BUCKET_MAX` entries of each of the 256 buckets, in one query each, the
    next ones to leave first; ``complete`` tells whether these are all. Not to be asked every
    second.
    """

    def __init__(self, wired: Wiring) -> None:
        """Read queue, quota, stops and pauses."""
        store, plan = wired.store(), wired.plan()
        begun_at = wired.clock.now()
        found = in_buckets(store, "queue", str)
        self.complete = found.complete
        self.entries = [read_entry(item) for item in found.items]
        self.now = wired.clock.now()
        # Mails left while it was read: what was read is the queue of half-way.
        read_us = (self.now - begun_at) // 2
        fleet = store.get("fleet", QUOTA)
        self.quota: KnownQuota | None = read_quota(fleet)
        first = slice_number(self.now)
        keys: list[Key] = [
            {"account": plan.account, "slice": each} for each in range(first, first + BEGUN_MAX)
        ]
        begun = [item for item in store.get_all("slices", keys) if item is not None]
        current = next((item for item in begun if item["slice"] == first), None)
        self.rate_milli = _rate_milli(current, fleet, plan.rate_fraction, self.now)
        # Those that are on their way are in it no more; their instants come before all others.
        self._next_at = max(self.now, _taken_until(begun)) - read_us
        self._standing = Standing(store, plan.generation, plan.rules.address_key)
        self._standing.poll()
        self.stops: Stops = read_stops(store.get("fleet", STOPS))
        self.day = Day(wired, self.quota, self.now)
        self._wired = wired
        self._shard_of = {
            each: shard.id
            for shard in wired.stream().shards()
            if not shard.closed
            for each in buckets_of(shard)
        }
        self._turns = self._turns_of(self.entries, plan)
        self.groups = self._turns.groups
        self._limited = self._limits(plan, store)

    @property
    def paused(self) -> Mapping[str, Pause]:
        """What people paused, by scope."""
        return self._standing.paused

    @property
    def due(self) -> int:
        """How many entries leave as fast as the rate lets them: their time has come."""
        return sum(each.due for each in self.groups.values())

    @property
    def held_count(self) -> int:
        """How many entries do not leave until somebody, or SES, lets them; due or not."""
        return sum(each.held for each in self.groups.values())

    @cached_property
    def paused_at(self) -> Item:
        """When each was paused, as core's view tells it (attributes ``at:`` and the scope)."""
        wired = self._wired
        return wired.store().get("fleet", paused_at_key(wired.settings.generation)) or {}

    def is_urgent(self, entry: Entry) -> bool:
        """Whether it goes before others, and on the day's reserve."""
        return self._turns.is_urgent(entry)

    def held(self, entry: Entry) -> bool:
        """Whether it does not leave until somebody, or SES, lets it."""
        since = self._standing.held_since(entry.lane)
        return covered(self.stops, entry.lane) or (since is not None and entry.received_at >= since)

    def leaves_at(self, entry: Entry) -> int | None:
        """When it is expected to leave (microseconds UTC); None: it won't, or none can say."""
        if self.held(entry) or entry.is_over(self.now):
            return None
        mails = self._turns.until(entry)
        at = self._fleet_leaves_at(mails, entry.due_at, urgent=self.is_urgent(entry))
        limited = self._limited.get(entry.lane.destination)
        if limited is None:
            return at
        return latest(at, limited.leaves_at(limited.turns.until(entry), entry.due_at, self.now))

    def last_leaves_at(self, group: Group) -> int | None:
        """When the last of a tenant's mails that are due now is expected to leave."""
        tenant, urgent = group.tenant, group.urgent
        mails = self._turns.until_last(tenant, urgent=urgent)
        of_domains = [
            (limited, limited.turns.until_last(tenant, urgent=urgent))
            for limited in self._limited.values()
        ]
        return latest(
            self._fleet_leaves_at(mails, 0, urgent=urgent),
            *(limited.leaves_at(mine, 0, self.now) for limited, mine in of_domains if mine),
        )

    def _turns_of(self, entries: Sequence[Entry], plan: Plan) -> Turns:
        return Turns(entries, self.held, self.now, plan, self._shard_of)

    def _limits(self, plan: Plan, store: ItemStore) -> Mapping[str, Limited]:
        """The domains with a rate of their own that something waits for."""
        slowed = read_slowed(store.get("fleet", SLOWED), self.now) if plan.domain_slowdown else {}
        found: dict[str, list[Entry]] = {}
        for entry in self.entries:
            domain = entry.lane.destination
            if domain in plan.domain_limits or domain in slowed:
                found.setdefault(domain, []).append(entry)
        return {
            domain: Limited(
                limited_rate_milli(
                    plan.domain_limits.get(domain),
                    slowed.get(domain),
                    lambda: self.rate_milli or 0,
                    self.now,
                ),
                self._turns_of(entries, plan),
            )
            for domain, entries in found.items()
        }

    def _fleet_leaves_at(self, mails: float, due_at: int, *, urgent: bool) -> int | None:
        at = leaves_at(mails, self.rate_milli or 0, due_at, self._next_at)
        if at is None or mails <= self.day.left(urgent=urgent):
            return at
        freed_at = self.day.frees_at(mails, urgent=urgent)
        return None if freed_at is None else max(at, freed_at)

    @property
    def frees_at(self) -> int | None:
        """When the day's quota, which is used up, frees for other mail than urgent; else None."""
        return None if self.day.has_room(urgent=False) else self.day.frees_at(1, urgent=False)


class InBuckets(NamedTuple):
    """Items of all buckets; ``complete`` tells whether these are all of them."""

    items: list[Item]
    complete: bool


def timers(store: ItemStore, application: str, generation: str) -> InBuckets:
    """Return the timers of an application, the next ones due of each bucket."""
    return in_buckets(store, "timers", lambda each: f"{application}#{generation}#{each}")


def in_buckets(store: ItemStore, table: str, partition: Callable[[str], str]) -> InBuckets:
    """Return the first :data:`IN_BUCKET_MAX` items of each bucket, reading buckets in parallel."""
    names = [partition(f"{each:03d}") for each in range(BUCKETS)]
    with ThreadPoolExecutor(THREADS) as threads:
        pages = list(threads.map(lambda name: store.query(table, name, limit=IN_BUCKET_MAX), names))
    return InBuckets(
        [item for page in pages for item in page.items], not any(page.more for page in pages)
    )


def _taken_until(begun: Sequence[Item]) -> int:
    """The last instant that somebody has taken already, for mail that waits no more; 0: none."""
    until = 0
    for each in begun:
        part, left = Slice(number(each, "slice"), number(each, "rate_milli")), number(each, "left")
        if left < number(each, "size"):
            until = max(until, part.instant_at(part.size - left - 1))
    return until


def _rate_milli(current: Item | None, fleet: Item | None, fraction: float, now: int) -> int | None:
    """The rate of the slice under way; where none was begun, the one it would be begun with."""
    if current is not None:
        return number(current, "rate_milli")
    quota = read_quota(fleet)
    return None if quota is None else rate_milli(quota, fraction, read_control(fleet), now)
