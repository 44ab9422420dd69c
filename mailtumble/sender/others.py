"""Others who send from the same account, as the fleet's item about the quota knows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mailtumble.ports.store import Item, ItemStore, Update
from mailtumble.sender.quota import ITEM, KnownQuota
from mailtumble.sender.usage import OwnSends
from processors.sending.others import Own, Sample, compared, others_milli, sampled
from schemas.values import DAY_US

SAMPLES: Final = "samples"
"""The item's attribute with the last counts: a list of [when, count]."""


class OthersWatch:
    """Whoever has asked GetAccount compares its count with what the fleet itself has sent.

    Twice a minute; that reads of each shard one counter an hour for the day, and one a minute for
    some ten minutes (see :mod:`mailtumble.throughput`).
    """

    def __init__(self, store: ItemStore, sends: Callable[[], OwnSends]) -> None:
        """``sends``: the fleet's own, over the shards that there are now."""
        self._store = store
        self._sends = sends

    def look(self, known: KnownQuota, item: Item | None) -> None:
        """Compare, if it is time; ``item`` is what the fleet knew before it was ``known``.

        Raises:
            RetryableError: not now; the next sample tells as much.
        """
        before = read_samples(item or {})
        samples = sampled(before, Sample(known.observed_at, known.sent_24h))
        if samples == before:
            return
        fields: dict[str, Any] = {SAMPLES: [[each.at, each.sent_24h] for each in samples]}
        own = self._sends()
        # What core has not counted yet of the fleet's own would seem to be others'.
        pair = compared(samples, min(known.observed_at, own.known_until()))
        if pair is not None:
            fields["others_milli"] = others_milli(*pair, _own(own, *pair))
        self._store.write(Update("fleet", ITEM, set=fields))


def _own(sends: OwnSends, first: Sample, last: Sample) -> Own:
    return Own(
        sent=sends.between(first.at, last.at),
        left=sends.between(first.at - DAY_US, last.at - DAY_US),
        day=sends.day(last.at),
    )


def read_samples(item: Item) -> list[Sample]:
    """The counts that the fleet's item holds, oldest first."""
    stored: Any = item.get(SAMPLES, ())
    return [Sample(at, count) for at, count in stored]
