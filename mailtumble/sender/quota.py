"""What the account allows: asked once for the whole fleet, told on the stream when it changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
from processors.sending.control import Control, fleet_rate_milli
from processors.sending.pacing import RATE_UNIT
from schemas.events import QuotaObserved
from schemas.ids import derive
from schemas.values import MINUTE_US, SECOND_US

ITEM: Final = {"name": "quota"}
SUBJECT: Final = "fleet"
ANSWERED: Final = (
    "max_send_rate_milli",
    "max_24h",
    "sent_24h",
    "sending_enabled",
    "observed_at",
)
"""What GetAccount tells, of the fleet's item."""
CLOSED_US: Final = MINUTE_US
AHEAD_US: Final = 10 * SECOND_US
"""Clocks of the fleet differ by less than that."""
TOLD_WITHIN_US: Final = 10 * SECOND_US
"""Limits that whoever noticed them has not told by then, somebody else tells: it may have died."""
ONE_A_SECOND_US: Final = SECOND_US
"""GetAccount takes no more calls than that of an account."""


@dataclass(frozen=True, slots=True)
class KnownQuota:
    """The last answer of GetAccount that anybody in the fleet has got."""

    max_send_rate_milli: int
    max_24h: int
    sent_24h: int
    sending_enabled: bool
    observed_at: int
    closed_until: int = 0
    """SES has said that the day's quota is used up: nothing is dealt out before this moment."""
    others_milli: int = 0
    """What others send from the same account, in thousandths a second."""


def known_quota(store: ItemStore) -> KnownQuota | None:
    """What the fleet knows, or None before the first answer."""
    return read_quota(store.get("fleet", ITEM))


def read_quota(item: Item | None) -> KnownQuota | None:
    """The same, of the fleet's item."""
    return None if item is None or "observed_at" not in item else _known(item)


def read_control(item: Item | None) -> Control:
    """The fleet's last cut, of the same item."""
    found = item or {}
    return (
        Control(number(found, "cut_at"), number(found, "factor"))
        if "cut_at" in found
        else Control()
    )


def rate_milli(known: KnownQuota | None, fraction: float, control: Control, now: int) -> int:
    """The rate to begin a slice with, in thousandths a second; 0 while nothing is known."""
    if known is None:
        return 0
    allowed_milli = known.max_send_rate_milli if known.sending_enabled else 0
    return fleet_rate_milli(allowed_milli, known.others_milli, fraction, control, now)


@dataclass(frozen=True, slots=True)
class Asked:
    """What GetAccount has just answered, if it was asked, and what is to be appended.

    That is ``QuotaObserved``, when the limits have changed.
    """

    known: KnownQuota | None = None
    facts: tuple[Fact, ...] = ()


NOT_ASKED: Final = Asked()


class QuotaWatch:
    """Keeps a sender informed. One of the fleet asks SES (at most once a second is allowed)."""

    def __init__(
        self,
        store: ItemStore,
        account: Account,
        clock: Clock,
        *,
        every_us: int = 2 * SECOND_US,
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
        self._telling: dict[str, int] = {}

    def rate_milli(self) -> int:
        """The rate to begin a slice with, in thousandths a second; 0 while nothing is known."""
        return rate_milli(self.known, self._fraction, self.control, self._clock.now())

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
            self.control = read_control(error.items[0])

    def day_is_over(self) -> None:
        """SES has refused a call since the day's quota is used up, whatever GetAccount says.

        Raises:
            RetryableError: the fleet can't be told now; the next refusal tells it.
        """
        until = self._clock.now() + CLOSED_US
        if self.known is not None:
            self.known = replace(self.known, closed_until=until)
        self._store.write(Update("fleet", ITEM, set={"closed_until": until}))

    def poll(self, item: Item | None) -> Asked:
        """Ask SES if it is time and nobody else does; ``item`` is what the fleet knows."""
        now = self._clock.now()
        self.learn(item)
        wait_us = self._wait_us()
        asked_at = number(item, "asked_at") if item is not None and "asked_at" in item else 0
        if now - wait_us <= asked_at <= now + AHEAD_US:
            return NOT_ASKED
        # One that lies ahead was written by a clock that was wrong.
        due = Below("asked_at", now - wait_us) if asked_at <= now else Equals("asked_at", asked_at)
        turn = Update("fleet", ITEM, set={"asked_at": now}, when=absent_or(due))
        try:
            before = self._store.write(turn) or {}
        except ConditionFailed as error:
            self.learn(error.items[0])
            return NOT_ASKED
        quota = self._account.quota()
        known = KnownQuota(
            round(quota.max_send_rate * RATE_UNIT),
            quota.max_24h,
            quota.sent_24h,
            quota.sending_enabled,
            now,
            self.known.closed_until if self.known else 0,
            self.known.others_milli if self.known else 0,
        )
        same = (
            before.get("max_send_rate_milli") == known.max_send_rate_milli
            and before.get("max_24h") == known.max_24h
        )
        changed_at = number(before, "changed_at") if same and "changed_at" in before else now
        fields = {name: getattr(known, name) for name in ANSWERED} | {"changed_at": changed_at}
        observed_at = number(before, "observed_at") if "observed_at" in before else None
        same_answer = absent_or(Equals("observed_at", observed_at))
        try:
            self._store.write(Update("fleet", ITEM, set=fields, when=same_answer))
        except ConditionFailed as error:  # SES took its time, and somebody has asked since
            self.learn(error.items[0])
            return NOT_ASKED
        self.known = known
        untold = before.get("told") != changed_at and changed_at <= now - TOLD_WITHIN_US
        if same and not untold:
            return Asked(known)
        fact = _observed(known, changed_at)
        self._telling[fact.id] = changed_at
        return Asked(known, (fact,))

    def logged(self, fact: Fact) -> None:
        """``QuotaObserved`` stands on the log: nobody need tell it again.

        Raises:
            RetryableError: the fleet can't be told now; it will be told once more, and count once.
        """
        changed_at = self._telling.pop(fact.id, None)
        if changed_at is not None:  # told again before it was logged
            self._store.write(Update("fleet", ITEM, set={"told": changed_at}))

    def _wait_us(self) -> int:
        """How old the last question has to be; little where SES has refused since its answer.

        Then the quota may be another one: the sooner it is known, the fewer are refused.
        """
        if self.known is not None and self.control.cut_at > self.known.observed_at:
            return ONE_A_SECOND_US
        return max(ONE_A_SECOND_US, self._every_us * 4 // 5)

    def learn(self, item: Item | None) -> None:
        """Take in what the fleet knows; what was read before a cut of ours must not undo it."""
        item = item or {}
        control = read_control(item)
        if control.cut_at >= self.control.cut_at:
            self.control = control
        if "observed_at" in item:
            known = _known(item)
            closed_until = max(known.closed_until, self.known.closed_until if self.known else 0)
            self.known = replace(known, closed_until=closed_until)


def _observed(known: KnownQuota, changed_at: int) -> Fact:
    rate = known.max_send_rate_milli / RATE_UNIT
    event = QuotaObserved(max_send_rate=rate, max_24h=known.max_24h)
    name = derive("quota", str(rate), str(known.max_24h), str(changed_at))
    return Fact(name, SUBJECT, "GetAccount", NAME, (event,))


def _known(item: Item) -> KnownQuota:
    return KnownQuota(
        number(item, "max_send_rate_milli"),
        number(item, "max_24h"),
        number(item, "sent_24h"),
        bool(item["sending_enabled"]),
        number(item, "observed_at"),
        number(item, "closed_until") if "closed_until" in item else 0,
        number(item, "others_milli") if "others_milli" in item else 0,
    )
