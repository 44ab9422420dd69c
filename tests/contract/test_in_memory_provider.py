"""What the fakes of queue and provider do besides the contract: dead letters, limiters."""

from __future__ import annotations

import pytest

from mailtumble.ports.world import OutgoingMail, SendRefused
from schemas.values import DeferReason
from tests.fakes import (
    DebtBucket,
    FixedWindow,
    InMemoryProvider,
    InMemoryQueue,
    Limiter,
    SlidingWindow,
    VirtualClock,
)

MAIL = OutgoingMail(b"raw", "a@example.org", "b@example.net", {"attempt": "1"})
SECOND = 1_000_000


def _admitted(limiter: Limiter, *instants: float) -> list[bool]:
    return [limiter.admits(round(instant * SECOND)) for instant in instants]


@pytest.mark.parametrize(
    "limiter",
    [FixedWindow(4), SlidingWindow(4), DebtBucket(4)],
    ids=["fixed", "sliding", "debt"],
)
def test_an_even_pace_is_admitted_by_all(limiter: Limiter) -> None:
    """Four a second, a quarter of a second apart."""
    assert all(_admitted(limiter, *(number / 4 for number in range(40))))


def test_a_fixed_window_counts_by_the_clocks_seconds() -> None:
    """So twice the rate passes across an edge."""
    assert _admitted(FixedWindow(2), 0.8, 0.9, 0.95, 1.0, 1.1, 1.2) == [
        True,
        True,
        False,
        True,
        True,
        False,
    ]


def test_a_sliding_window_counts_back_from_now() -> None:
    """The edge of a second means nothing."""
    assert _admitted(SlidingWindow(2), 0.8, 0.9, 1.0, 1.79, 1.8) == [True, True, False, False, True]


def test_a_debt_has_to_be_paid() -> None:
    """Five at once at 1/s pass, and the next five seconds are refused."""
    limiter = DebtBucket(1)
    assert _admitted(limiter, *[0.0] * 6) == [True] * 5 + [False]
    assert _admitted(limiter, 1, 2, 3, 4.9, 5) == [False, False, False, False, True]


def test_a_provider_logs_what_it_accepts_and_counts_what_it_refuses() -> None:
    """With the instant; the daily quota rolls over 24 hours."""
    clock = VirtualClock()
    provider = InMemoryProvider(clock, limiter=SlidingWindow(1), max_24h=2)
    message_id = provider.send(MAIL)
    for reason in (DeferReason.THROTTLED, None, DeferReason.DAILY_QUOTA):
        if reason is None:
            clock.advance(1)
            provider.send(MAIL)
            continue
        with pytest.raises(SendRefused) as caught:
            provider.send(MAIL)
        assert caught.value.reason is reason
    assert provider.accepted[0].message_id == message_id
    assert provider.accepted[1].accepted_at - provider.accepted[0].accepted_at == SECOND
    assert provider.refused == {DeferReason.THROTTLED: 1, DeferReason.DAILY_QUOTA: 1}
    assert (provider.quota().sent_24h, provider.quota().max_24h) == (2, 2)
    clock.advance(24 * 3600 - 1)
    assert provider.quota().sent_24h == 1


def test_a_stopped_provider_refuses_and_says_so() -> None:
    """Paused, in the quota too."""
    provider = InMemoryProvider(VirtualClock())
    provider.sending_enabled = False
    with pytest.raises(SendRefused) as caught:
        provider.send(MAIL)
    assert caught.value.reason is DeferReason.STOPPED
    assert provider.quota().sending_enabled is False


def test_what_is_never_deleted_goes_to_the_dead_letters() -> None:
    """After as many receives as are allowed, at the next look."""
    clock = VirtualClock()
    dead_letters = InMemoryQueue(clock)
    queue = InMemoryQueue(clock, visibility_s=5, max_receives=2, dead_letters=dead_letters)
    queue.send(["poison"])
    counts = [message.receive_count for _ in range(3) for message in queue.receive(5)]
    assert counts == [1, 2]
    clock.advance(5)
    assert list(queue.receive(0)) == []
    assert dead_letters.bodies() == ["poison"]


def test_a_sleeping_clock_lets_its_scheduler_wait() -> None:
    """A simulation decides who runs meanwhile."""
    waited: list[int] = []
    clock = VirtualClock(now=0, wait=waited.append)
    clock.sleep(1.5)
    assert (waited, clock.now()) == ([1_500_000], 0)
