"""The end of a day's quota: SES is never asked for more than it gives, whoever deals it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from mailtumble.ports.store import Item, Key
from mailtumble.ports.world import Quota
from mailtumble.sender.instants import Instants
from mailtumble.sender.ledger import READ_SLICES, SURELY_OVER, DailyLedger
from mailtumble.sender.quota import ITEM, QuotaWatch
from tests.fakes import InMemoryItems, VirtualClock

RATE = 10.0


@dataclass
class Account:
    """An account whose senders all call at their instants."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    store: InMemoryItems = field(default_factory=InMemoryItems)
    most: int = 100
    sent: int = 0
    counted: int = 0
    """What GetAccount shows."""

    def quota(self) -> Quota:
        """GetAccount."""
        return Quota(RATE, self.most, self.counted, sending_enabled=True)

    def sender(self, kept: float = 0.1) -> tuple[QuotaWatch, Instants]:
        """One more of the fleet."""
        watch = QuotaWatch(self.store, self, self.clock, fraction=1.0)
        ledger = DailyLedger(self.store, "local", watch, self.clock, kept)
        return watch, Instants(self.store, "local", watch.rate_milli, ledger.share)

    def poll(self, *watches: QuotaWatch) -> None:
        """Let them look."""
        for watch in watches:
            watch.poll(self.store.get("fleet", ITEM))


@pytest.mark.parametrize("lag_s", [0, 1, 3])
def test_a_fleet_stops_at_the_reserve_and_urgent_mail_at_the_end(lag_s: int) -> None:
    """Exactly, though GetAccount is asked each 2 s only, and is behind."""
    account = Account(most=100)
    senders = [account.sender(), account.sender()]
    history: list[int] = []
    urgent = 0
    for second in range(40):
        history.append(account.sent)
        account.counted = history[max(0, len(history) - 1 - lag_s)]
        account.poll(*(watch for watch, _ in senders))
        for _, instants in senders:
            account.sent += len(instants.take(20, account.clock.now()))
            assert account.sent - urgent <= 90
            if second > 25:
                taken = len(instants.take(2, account.clock.now(), urgent=True))
                urgent += taken
                account.sent += taken
            assert account.sent <= account.most
        account.clock.advance(1)
    assert account.sent == account.most
    assert urgent >= 10


def test_it_goes_on_by_itself_when_the_day_frees() -> None:
    """With the next answer of GetAccount."""
    account = Account(most=100, counted=100)
    watch, instants = account.sender()
    account.poll(watch)
    assert instants.take(5, account.clock.now()) == []
    account.counted = 60
    account.clock.advance(3)
    account.poll(watch)
    assert len(instants.take(5, account.clock.now())) == 5


def test_without_a_daily_quota_nothing_is_read() -> None:
    """-1 is no limit; and far from the end the slices that were are of no interest."""
    account = Account(most=-1, counted=10**9)
    watch, instants = account.sender()
    account.poll(watch)
    assert len(instants.take(5, account.clock.now())) == 5


def test_ses_itself_may_say_that_the_day_is_over() -> None:
    """Then for a minute nothing is dealt out, whatever GetAccount counts."""
    account = Account(most=100)
    watch, instants = account.sender()
    account.poll(watch)
    watch.day_is_over()
    assert instants.take(5, account.clock.now(), urgent=True) == []
    account.clock.advance(61)
    account.poll(watch)
    assert len(instants.take(5, account.clock.now())) == 5


def test_an_ending_day_is_known_as_such() -> None:
    """So that a sender that waits for it is not taken for one that stands still."""
    account = Account(most=1000)
    watch = QuotaWatch(account.store, account, account.clock, fraction=1.0)
    ledger = DailyLedger(account.store, "local", watch, account.clock, 0.1)
    assert not ledger.is_ending()
    account.poll(watch)
    assert not ledger.is_ending()
    account.counted = 850
    account.clock.advance(3)
    account.poll(watch)
    assert ledger.is_ending()


class Reads(InMemoryItems):
    """Counts the slices that are read."""

    read = 0

    def get_all(self, table: str, keys: Sequence[Key]) -> Sequence[Item | None]:
        """Read them."""
        self.read += len(keys)
        return super().get_all(table, keys)


def test_each_second_is_read_once_while_getaccount_does_not_answer() -> None:
    """For an hour, of which a fleet that goes on sending asks each second; all of it counts."""
    account = Account(most=40_000, store=Reads())
    watch, instants = account.sender(kept=0.0)
    account.poll(watch)
    store = account.store
    assert isinstance(store, Reads)
    for _ in range(2_000):
        account.sent += len(instants.take(20, account.clock.now()))
        account.clock.advance(1)
    # From here on the day might have ended, if all had been sent.
    assert watch.known is not None
    watch.known = replace(watch.known, max_24h=21_000)
    store.read = 0
    for _ in range(500):
        account.sent += len(instants.take(20, account.clock.now()))
        account.clock.advance(1)
    # The first second's first instant had passed when it was begun.
    assert account.sent == 21_000 - 1
    assert store.read < 2_000 + 500 * (SURELY_OVER + 4)


def test_what_was_dealt_out_before_slices_are_kept_counts_as_all_of_it() -> None:
    """Nobody can know: SES is never asked for more than it gives."""
    account = Account(most=10_000, store=Reads())
    watch, instants = account.sender(kept=0.0)
    account.poll(watch)
    account.clock.advance(8 * 3_600)
    assert instants.take(5, account.clock.now()) == []
    store = account.store
    assert isinstance(store, Reads)
    assert store.read <= 2 * READ_SLICES + 10
    account.poll(watch)
    account.clock.advance(2)
    assert len(instants.take(5, account.clock.now())) == 5
