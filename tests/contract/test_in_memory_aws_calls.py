"""The calls of AWS that the product's own retries are tried against, in memory."""

# ruff: noqa: D103 - the names of these tests are sentences

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mailtumble.aws.kinesis import KinesisStream
from mailtumble.aws.patience import Patience
from mailtumble.ports.store import Condition, ConditionFailed, Put
from mailtumble.ports.stream import OutgoingRecord
from schemas.errors import InvariantBroken, PermanentError
from tests.fakes.clock import VirtualClock
from tests.fakes.dynamodb import TOKEN_KEPT_US, InMemoryDynamo, TransactingItems
from tests.fakes.items import ITEM_BYTES_MAX, InMemoryItems
from tests.fakes.kinesis import InMemoryKinesis
from tests.fakes.stream import InMemoryStream

if TYPE_CHECKING:
    from collections.abc import Callable

NEW = (Condition(exists=False),)
CLAIM = Put("claims", {"attempt_id": "a", "round": 0}, NEW)
TOKEN = "token"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def items() -> InMemoryItems:
    return InMemoryItems()


@pytest.fixture
def dynamo(items: InMemoryItems, clock: VirtualClock) -> InMemoryDynamo:
    return InMemoryDynamo(items, clock)


def transacting(client: Any) -> TransactingItems:  # noqa: ANN401 - stands for boto3's
    return TransactingItems(client, "", patience=Patience(tries=2), sleep=lambda _: None)


def test_a_token_that_is_used_again_does_nothing(dynamo: InMemoryDynamo) -> None:
    for _ in range(2):
        dynamo.transact_write_items(TransactItems=[CLAIM], ClientRequestToken=TOKEN)
    assert dynamo.repeated == 1


def test_a_token_is_forgotten_after_ten_minutes(
    dynamo: InMemoryDynamo, clock: VirtualClock
) -> None:
    dynamo.transact_write_items(TransactItems=[CLAIM], ClientRequestToken=TOKEN)
    clock.advance(TOKEN_KEPT_US / 1_000_000)
    with pytest.raises(Exception, match="TransactionCanceledException"):
        dynamo.transact_write_items(TransactItems=[CLAIM], ClientRequestToken=TOKEN)


def test_a_token_that_is_used_for_something_else_ends_as_a_permanent_error(
    dynamo: InMemoryDynamo,
) -> None:
    class OneToken:
        def transact_write_items(self, **request: Any) -> None:  # noqa: ANN401
            dynamo.transact_write_items(**{**request, "ClientRequestToken": TOKEN})

    store = transacting(OneToken())
    store.transact([CLAIM])
    with pytest.raises(PermanentError, match="IdempotentParameterMismatch"):
        store.transact([Put("claims", {"attempt_id": "b", "round": 0}, NEW)])


def test_a_condition_that_does_not_hold_comes_with_the_stored_item(
    dynamo: InMemoryDynamo,
) -> None:
    store = transacting(dynamo)
    store.transact([CLAIM])
    with pytest.raises(ConditionFailed) as caught:
        store.transact([Put("timers", {"bucket": "0", "position": "0"}), CLAIM])
    assert caught.value.failed == (1,)
    assert caught.value.items == ({"attempt_id": "a", "round": 0},)


def test_a_lost_reply_is_repeated_with_the_same_token(dynamo: InMemoryDynamo) -> None:
    class Forgetful:
        lost = False

        def transact_write_items(self, **request: Any) -> None:  # noqa: ANN401
            dynamo.transact_write_items(**request)
            if not self.lost:
                self.lost = True
                raise_timeout()

    transacting(Forgetful()).transact([CLAIM])
    assert dynamo.repeated == 1


def raise_timeout() -> None:
    from botocore.exceptions import ReadTimeoutError  # noqa: PLC0415

    raise ReadTimeoutError(endpoint_url="dynamodb")


def fails_once(at: int) -> Callable[[], bool]:
    """Let only the record with this index fail, counted over all calls."""
    asked = iter(range(1_000))
    return lambda: next(asked) == at


def test_the_producer_repeats_a_failed_record_with_all_later_ones_of_its_subject(
    clock: VirtualClock,
) -> None:
    stream = InMemoryStream(clock, shards=1)
    client: Any = InMemoryKinesis(stream, fails_once(1))
    producer = KinesisStream(client, "events", sleep=lambda _: None)
    sent = [("a", b"1"), ("b", b"2"), ("a", b"3"), ("b", b"4")]
    numbers = producer.append([OutgoingRecord(subject, data) for subject, data in sent])
    records = stream.all_records()
    assert [record.data for record in records] == [b"1", b"3", b"4", b"2", b"4"]
    by_number = {record.sequence_number: record.data for record in records}
    assert [by_number[number] for number in numbers] == [b"1", b"2", b"3", b"4"]
    assert numbers[3] == records[-1].sequence_number


def test_an_expired_item_goes_when_it_is_drawn(items: InMemoryItems) -> None:
    for name, expires_at in (("old", 10), ("young", 11)):
        items.write(Put("claims", {"attempt_id": name, "expires_at": expires_at}))
    items.write(Put("claims", {"attempt_id": "for ever"}))
    assert items.expire("claims", 10, lambda: False) == 0
    assert items.expire("claims", 10, lambda: True) == 1
    assert {item["attempt_id"] for item in items.scan("claims")} == {"young", "for ever"}


def test_a_table_without_a_time_to_live_loses_nothing(items: InMemoryItems) -> None:
    with pytest.raises(InvariantBroken):
        items.expire("mails", 10, lambda: True)


def test_an_item_is_measured_in_bytes_of_utf_8(items: InMemoryItems) -> None:
    fits = ITEM_BYTES_MAX - len("mail_key") - len("k") - len("subject")
    items.write(Put("mails", {"mail_key": "k", "subject": "x" * fits}))
    with pytest.raises(PermanentError, match="may be"):
        items.write(Put("mails", {"mail_key": "k", "subject": "ö" * (fits // 2 + 1)}))


def test_what_has_left_the_stream_is_remembered_for_assertions(clock: VirtualClock) -> None:
    stream = InMemoryStream(clock, shards=1)
    stream.append([OutgoingRecord("a", bytes([number])) for number in range(3)])
    (shard,) = stream.shards()
    everything = stream.records(shard.id)
    stream.trim(shard.id, everything[1].sequence_number)
    assert stream.records(shard.id) == everything[2:]
    assert stream.history() == {shard.id: everything}
    assert stream.last(shard.id) == everything[2].sequence_number
    stream.split(shard.id)
    stream.unlist(shard.id)
    assert stream.all_records() == everything
