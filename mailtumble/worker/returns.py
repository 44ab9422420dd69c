"""How much comes back, by alias and by sender: counted with the cursor, read by who decides.

In the table ``returns``, by hour and shard, so that each item has one writer::

    g1#alias:<digest>    <hour>#<shard>          answered    what SES took of it
    g1#source:<digest>   <hour>#<shard>          answered
    g1#returned          <hour>#<whom>#<shard>   returned    all that came back, of whomever

Most mail has nothing to do with what came back: one query tells who has, and only for those few it
is asked how much of theirs was answered. Items are kept for 3 days.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from mailtumble.ports.store import Item, ItemStore, Update
from mailtumble.ports.world import Clock
from mailtumble.worker.horizon import END, due_text, number
from processors.kernel import NO_RETURNS, Returns
from processors.moderation.breaker import Breaker, source_of
from schemas.ids import address_digest
from schemas.values import DAY_US, HOUR_US, SECOND_US

TABLE: Final = "returns"
KEPT_US: Final = 3 * DAY_US
READ_EVERY_US: Final = 5 * SECOND_US
"""An answer is so old at most: some seconds' mails may pass before the breaker holds."""


@dataclass(frozen=True, slots=True)
class Parties:
    """Who has to do with a mail, by keyed digests; "" for nobody."""

    alias: str
    source: str

    def names(self) -> tuple[str, ...]:
        """Those that there are."""
        return tuple(each for each in (self.alias, self.source) if each)


NOBODY: Final = Parties("", "")


def parties(alias: str, envelope_sender: str, key: str) -> Parties:
    """The alias and the sender of a mail, so that keys of items tell no addresses."""
    source = source_of(envelope_sender)
    return Parties(
        f"alias:{address_digest(alias, key)}" if alias else "",
        f"source:{address_digest(source, key)}" if source else "",
    )


def counted(
    generation: str, shard_id: str, who: Parties, news: Returns, recorded_at: int
) -> list[Update]:
    """The writes that count what a record tells, in the hour of the record."""
    hour = recorded_at - recorded_at % HOUR_US
    kept = {"expires_at": (hour + KEPT_US) // SECOND_US}
    writes: list[Update] = []
    for whom in who.names():
        if news.answered:
            key = {"whom": f"{generation}#{whom}", "hour": f"{due_text(hour)}#{shard_id}"}
            writes.append(Update(TABLE, key, add={"answered": news.answered}, set=kept))
        if news.returned:
            place = f"{due_text(hour)}#{whom}#{shard_id}"
            key = {"whom": f"{generation}#returned", "hour": place}
            writes.append(Update(TABLE, key, add={"returned": news.returned}, set=kept))
    return writes


class ReturnsReader:
    """What the breaker has to know; read again after some seconds."""

    def __init__(self, store: ItemStore, clock: Clock, generation: str, breaker: Breaker) -> None:
        """Nothing is read before the first question."""
        self._store = store
        self._clock = clock
        self._generation = generation
        self._breaker = breaker
        self._read_at: int | None = None
        self._returned: Mapping[str, int] = {}
        self._known: dict[str, Returns] = {}

    def of(self, names: Iterable[str]) -> Mapping[str, Returns]:
        """By name: none of whom too little came back for the breaker, for others both numbers.

        Raises:
            RetryableError: the table does not answer.
        """
        now = self._clock.now()
        if self._read_at is None or not 0 <= now - self._read_at < READ_EVERY_US:
            self._returned, self._known = self._all_returned(now), {}
            self._read_at = now
        found: dict[str, Returns] = {}
        for name in dict.fromkeys(names):
            returned = self._returned.get(name, 0)
            if not self._breaker.may_trip(returned):
                found[name] = NO_RETURNS
                continue
            if name not in self._known:
                self._known[name] = Returns(self._answered(name, now), returned)
            found[name] = self._known[name]
        return found

    def _all_returned(self, now: int) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for item in self._items("returned", now):
            name = str(item["hour"]).split("#")[1]
            found[name] = found.get(name, 0) + number(item, "returned")
        return found

    def _answered(self, name: str, now: int) -> int:
        return sum(number(item, "answered") for item in self._items(name, now))

    def _items(self, name: str, now: int) -> Iterable[Item]:
        """Those of the hours that have something of the window."""
        first = now - self._breaker.window_us
        after = due_text(max(0, first - first % HOUR_US))
        partition = f"{self._generation}#{name}"
        return self._store.query(TABLE, partition, after=after, until=END).items
