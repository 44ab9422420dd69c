"""A fleet at the end of its daily quota, in virtual time, against the local SES's own account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

from mailtumble.aws.ses import SesTransport
from mailtumble.local.ses.account import AccountSettings, ApiError, SendingAccount
from mailtumble.sender.instants import Instants
from mailtumble.sender.ledger import DailyLedger
from mailtumble.sender.quota import ITEM, QuotaWatch
from mailtumble.sender.shard import TAKE_MAX
from mailtumble.worker.sender_host import PACE_S
from processors.sending.pacing import Appetite
from schemas.values import DAY_US, MINUTE_US, SECOND_US
from tests.fakes import InMemoryItems, VirtualClock

QUOTA: Final = 3_000
RESERVE: Final = 0.05
SENDERS: Final = 4


@dataclass(frozen=True)
class Day:
    """What came of it: recipients that SES took, calls that it refused, seconds until it went on.

    ``sent``: before the quota was used up, but for the reserve. ``resumed_s``: from the moment at
    which the first minute has left the 24 hours.
    """

    sent: int
    refused: int
    resumed_s: float


class Fleet:
    """Senders with more to send than the day allows."""

    def __init__(self, limiter: str) -> None:
        """All ask the same account."""
        self.clock = VirtualClock()
        self.store = InMemoryItems()
        self.account = SendingAccount(
            AccountSettings(rate=80.0, daily_quota=QUOTA, limiter=limiter)
        )
        provider = SesTransport(cast("Any", self), None)
        self.watches = [QuotaWatch(self.store, provider, self.clock) for _ in range(SENDERS)]
        self.instants = [
            Instants(
                self.store,
                "account",
                watch.rate_milli,
                DailyLedger(self.store, "account", watch, self.clock, RESERVE).share,
            )
            for watch in self.watches
        ]
        self._appetites = [Appetite()] * SENDERS
        self._calls: list[int] = []

    def get_account(self) -> dict[str, Any]:
        """As the client of SES v2 has it."""
        return self.account.describe(self.clock.now())

    def pace(self) -> None:
        """Everybody looks, takes, and calls at its instants."""
        now = self.clock.now()
        for place, (watch, instants) in enumerate(zip(self.watches, self.instants, strict=True)):
            watch.poll(self.store.get("fleet", ITEM))
            appetite = self._appetites[place]
            wanted = appetite.wanted(now)
            taken = instants.take(wanted, now) if wanted else []
            if wanted:
                self._appetites[place] = appetite.after(wanted, taken, now, TAKE_MAX)
            self._calls += taken
        until = now + round(PACE_S * SECOND_US)
        for at in sorted(each for each in self._calls if each < until):
            self._call(at)
        self._calls = [each for each in self._calls if each >= until]
        self.clock.advance(PACE_S)

    def _call(self, at: int) -> None:
        try:
            self.account.admit(at, 1)
        except ApiError:
            return  # the account counts it

    def accepted(self) -> int:
        """What SES has taken."""
        return self.account.stats()["accepted"]

    def refused(self) -> int:
        """What it has not."""
        stats = self.account.stats()
        return stats["throttled"] + stats["daily_refused"]


def run(limiter: str) -> Day:
    """A day's quota is used up in less than a minute; a day later the next one begins."""
    fleet = Fleet(limiter)
    began_at = fleet.clock.now()
    while fleet.clock.now() < began_at + 120 * SECOND_US:
        fleet.pace()
    sent = fleet.accepted()
    freed = began_at - began_at % MINUTE_US + MINUTE_US + DAY_US
    fleet.clock.move_to(freed - 10 * SECOND_US)
    while fleet.accepted() == sent and fleet.clock.now() < freed + 600 * SECOND_US:
        fleet.pace()
    resumed_s = (fleet.clock.now() - freed) / SECOND_US
    while fleet.clock.now() < freed + 120 * SECOND_US:
        fleet.pace()
    return Day(sent, fleet.refused(), resumed_s)
