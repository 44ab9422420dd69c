"""Publishing events on threads."""

from __future__ import annotations

import time
from collections.abc import Sequence

from mailtumble.local.ses.notification import SNS_MESSAGE_BYTES_MAX
from mailtumble.local.ses.publisher import EventPublisher
from tests.unit.mailtumble.local.ses.fake_aws import InMemorySns

ARN = "arn:aws:sns:us-east-1:000000000000:feedback"


def _three_events(number: int) -> Sequence[str]:
    return [f"{number}.{step}" for step in range(number % 3 + 1)]


def _expected(numbers: range) -> set[str]:
    return {event for number in numbers for event in _three_events(number)}


def test_every_event_is_published_in_its_mails_order(sns: InMemorySns) -> None:
    """Over several threads and batches each mail's events keep their order; drain waits for all."""
    publisher = EventPublisher(sns, ARN, _three_events)
    for number in range(200):
        publisher.submit(number)
    assert publisher.pending == 200
    publisher.start()
    assert publisher.drain(20) == 0
    texts = [text for _, text in sns.messages]
    assert set(texts) == _expected(range(200))
    assert len(texts) == len(_expected(range(200)))
    for number in range(200):
        mine = [text for text in texts if text.startswith(f"{number}.")]
        assert mine == sorted(mine)
    assert max(sns.batch_sizes) == 10


def test_failed_publications_are_tried_until_they_succeed(sns: InMemorySns) -> None:
    """A call that fails and entries that are refused come again, once each in the end."""
    sns.failures, sns.refused_entries = 2, 1
    publisher = EventPublisher(sns, ARN, _three_events, threads=1)
    for number in range(5):
        publisher.submit(number)
    publisher.start()
    texts = sns.wait_for(len(_expected(range(5))))
    assert publisher.drain(60) == 0
    assert sorted(texts) == sorted(_expected(range(5)))


def test_a_mail_whose_events_cannot_be_made_stops_no_other(sns: InMemorySns) -> None:
    """The fault of one mail costs that mail's events alone."""

    def events_of(number: int) -> Sequence[str]:
        return [str(10 // number)]

    publisher = EventPublisher(sns, ARN, events_of, threads=1)
    for number in (0, 2, 5):
        publisher.submit(number)
    publisher.start()
    assert publisher.drain(60) == 0
    assert [text for _, text in sns.messages] == ["5", "2"]


def test_batches_stay_below_what_sns_takes(sns: InMemorySns) -> None:
    """Long events travel in smaller batches."""
    event = "x" * (SNS_MESSAGE_BYTES_MAX // 2 - 1)
    publisher = EventPublisher(sns, ARN, lambda _: [event], threads=1)
    for number in range(5):
        publisher.submit(number)
    publisher.start()
    assert publisher.drain(60) == 0
    assert sns.batch_sizes == [2, 2, 1]


def test_drain_gives_up_in_time_and_tells_how_much_is_lost(sns: InMemorySns) -> None:
    """While SNS is away for good, drain returns, and says how many mails are left."""
    sns.failures = 1_000_000
    publisher = EventPublisher(sns, ARN, _three_events, threads=2)
    publisher.start()
    for number in range(30):
        publisher.submit(number)
    started = time.monotonic()
    assert publisher.drain(0.3) == 30
    assert time.monotonic() - started < 60
    assert sns.messages == []
