"""What others send from the same account, by what GetAccount counts."""

from __future__ import annotations

from itertools import pairwise

import pytest

from processors.sending.others import (
    LEAST_US,
    SAMPLED_US,
    SETTLED_US,
    WINDOW_US,
    Own,
    Sample,
    compared,
    others_milli,
    ours_milli,
    sampled,
)
from schemas.values import DAY_US, MINUTE_US, SECOND_US

NOW = 1_760_000_000 * SECOND_US


def _pair(grown: int, day: int = 0) -> tuple[Sample, Sample]:
    return Sample(NOW - WINDOW_US, day - grown), Sample(NOW, day)


def test_who_sends_alone_sees_nobody() -> None:
    """All of the growth is our own; so is what left the window."""
    sent = 80 * 300
    assert others_milli(*_pair(sent, sent), Own(sent=sent, left=0, day=sent)) == 0
    day = 80 * 86_400
    assert others_milli(*_pair(0, day), Own(sent=sent, left=sent, day=day)) == 0


@pytest.mark.parametrize("sent", [0, 24_000])
def test_somebody_who_begins_is_seen_whole(sent: int) -> None:
    """30 a second, whether we send or not."""
    grown = sent + 30 * 300
    first, last = _pair(grown, grown)
    assert others_milli(first, last, Own(sent=sent, left=0, day=sent)) == pytest.approx(
        30_000, rel=0.01
    )


def test_somebody_who_sends_evenly_is_seen_whole() -> None:
    """Though the count does not grow: as much leaves the window as comes."""
    day = 30 * 86_400
    assert others_milli(*_pair(0, day), Own(sent=0, left=0, day=0)) == 30_000


def test_nobody_sends_less_than_nothing() -> None:
    """When what they sent a day before leaves, or SES counts late."""
    assert others_milli(*_pair(-5_000, 100), Own(sent=80, left=0, day=80)) == 0


def test_the_share_of_others_is_theirs() -> None:
    """Little of it is noise; and however much it is, something stays ours."""
    assert ours_milli(80_000, 0) == 80_000
    assert ours_milli(80_000, 2_000) == 80_000
    assert ours_milli(80_000, 30_000) == 50_000
    assert ours_milli(80_000, 90_000) == 8_000


def test_samples_are_few() -> None:
    """One each half minute, for as long as they are compared."""
    samples: list[Sample] = []
    for second in range(0, 3600, 2):
        samples = list(sampled(samples, Sample(NOW + second * SECOND_US, second)))
    assert len(samples) <= 13
    gaps = [after.at - before.at for before, after in pairwise(samples)]
    assert min(gaps) >= SAMPLED_US
    pair = compared(samples, samples[-1].at + SETTLED_US)
    assert pair is not None
    assert pair[1].at - pair[0].at >= WINDOW_US - SAMPLED_US


def test_samples_that_are_too_near_or_too_new_are_not_compared() -> None:
    """Neither tells anything yet."""
    samples = [Sample(NOW + each * SAMPLED_US, 0) for each in range(5)]
    assert compared(samples, NOW + 4 * SAMPLED_US) is None  # the last one is not settled
    pair = compared(samples, NOW + 4 * SAMPLED_US + SETTLED_US)
    assert pair == (samples[0], samples[4])
    assert pair[1].at - pair[0].at >= LEAST_US
    assert compared([], NOW) is None


def test_a_window_is_no_longer_than_a_day() -> None:
    """What is compared never reaches what left it."""
    assert WINDOW_US + SETTLED_US + 2 * SAMPLED_US < 10 * MINUTE_US < DAY_US
