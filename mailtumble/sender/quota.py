"""What the account allows: asked once for the whole fleet, told on the stream when it changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mailtumble.ports.store import (
    Below,
    ConditionFailed,
    Equals,
    Item,
    ItemStore,
    Update,
    absent_or,
)
from mailtumble.ports.world import Account, Clock
from mailtumble.sender.application import NAME
from mailtumble.worker.application import Fact
from mailtumble.worker.horizon import number
from processors.sending.control import Control, steered
from processors.sending.pacing import RATE_UNIT, target_rate_milli
from schemas.events import QuotaObserved
from schemas.ids import derive
from schemas.values import SECOND_US

ITEM: Final = {"name": "quota"}
SUBJECT: Final = "fleet"


@dataclass(frozen=True, slots=True)
class KnownQuota:
    """The last answer of GetAccount that anybody in the fleet has got."""

    max_send_rate_milli: int
    max_24h: int
    sent_24h: int
    sending_enabled: bool
    observed_at: int


def known_quota(store: ItemStore) -> KnownQuota | None:
    """What the fleet knows, or None before the first answer."""
    item = store.get("fleet", ITEM)
    if item is None or "observed_at" not in item:
        return None
    return _known(item)


def aimed_rate_milli(known: KnownQuota, fraction: float) -> int:
    """The rate to begin a slice with, in thousandths a second; 0 where SES lets nothing out."""
    if not known.sending_enabled:
        return 0
    return target_rate_milli(known.max_send_rate_milli / RATE_UNIT, fraction)


class QuotaWatch:
    """Keeps a sender informed. One of the fleet asks SES (at most once a second is allowed)."""

    def __init__(
        self,
        store: ItemStore,
        account: Account,
        clock: Clock,
        *,
        every_us: int = 5 * SECOND_US,
        fraction: float = 0.952,
    ) -> None:
        """``fraction`` of MaxSendRate is what the sender aims at."""
        self._store = store
        self._account = account
        self._clock = clock
        self._every_us = every_us
        self._fraction = fraction
        self.known: KnownQuota | None = None
        self.control = Control()

    def rate_milli(self) -> int:
        """The rate to begin a slice with, in thousandths a second; 0 while nothing is known."""
        if self.known is None:
            return 0
        aimed = aimed_rate_milli(self.known, self._fraction)
        return steered(aimed, self.control, self._clock.now())

    def refused(self, called_at: int) -> None:
        """SES has called a call too fast: the whole fleet slows down, once an epoch.

        Raises:
            RetryableError: the fleet can't be told now; the next refusal tells it.
        """
        before = self.control
        after = before.refused(called_at, self._clock.now())
        if after is None:
            return
        fields = {"cut_at": after.cut_at, "factor": after.factor}
        same = absent_or(Equals("cut_at", before.cut_at or None))
        try:
            self._store.write(Update("fleet", ITEM, set=fields, when=same))
            self.control = after
        except ConditionFailed as error:  # somebody else has cut
            self.control = _control(error.items[0] or {})

    def poll(self) -> Sequence[Fact]:
        """Ask SES if it is time and nobody else does, else read what the fleet knows.

        Returns what is to be appended: ``QuotaObserved``, when the limits have changed.
        """
        now = self._clock.now()
        turn = Update(
            "fleet",
            ITEM,
            set={"asked_at": now},
            when=absent_or(Below("asked_at", now - self._every_us * 4 // 5)),
        )
        try:
            before = self._store.write(turn) or {}
        except ConditionFailed as error:
            item = error.items[0] or {}
            self.control = _control(item)
            if "observed_at" in item:
                self.known = _known(item)
            return ()
        self.control = _control(before)
        quota = self._account.quota()
        known = KnownQuota(
            round(quota.max_send_rate * RATE_UNIT),
            quota.max_24h,
            quota.sent_24h,
            quota.sending_enabled,
            now,
        )
        fields = {name: getattr(known, name) for name in KnownQuota.__slots__}
        self._store.write(Update("fleet", ITEM, set=fields))
        self.known = known
        same = (
            before.get("max_send_rate_milli") == known.max_send_rate_milli
            and before.get("max_24h") == known.max_24h
        )
        return () if same else (_observed(known),)


def _observed(known: KnownQuota) -> Fact:
    rate = known.max_send_rate_milli / RATE_UNIT
    event = QuotaObserved(max_send_rate=rate, max_24h=known.max_24h)
    name = derive("quota", str(rate), str(known.max_24h), str(known.observed_at))
    return Fact(name, SUBJECT, "GetAccount", NAME, (event,))


def _control(item: Item) -> Control:
    return (
        Control(number(item, "cut_at"), number(item, "factor")) if "cut_at" in item else Control()
    )


def _known(item: Item) -> KnownQuota:
    return KnownQuota(
        number(item, "max_send_rate_milli"),
        number(item, "max_24h"),
        number(item, "sent_24h"),
        bool(item["sending_enabled"]),
        number(item, "observed_at"),
    )
