"""MiniStack's SQS sees the head of a queue alone, and answers as it did."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import sqs

from mailtumble.local import ministack_queues

WAITING = 30
PATCHED = ("_collect_msgs", "_dlq_sweep")


@pytest.fixture(autouse=True)
def _hastened(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in PATCHED:
        monkeypatch.setattr(sqs, name, getattr(sqs, name))
    monkeypatch.setattr(sqs, "_HANDLERS", dict(sqs._HANDLERS))
    ministack_queues.hasten(sqs)
    sqs.reset()
    yield
    sqs.reset()


def _call(action: str, **data: Any) -> dict[str, Any]:  # noqa: ANN401 - what an action takes
    answer: dict[str, Any] = asyncio.run(sqs._dispatch(action, data, data.get("QueueUrl", "")))
    return answer


def _queue(name: str, **attributes: str) -> str:
    url: str = _call("CreateQueue", QueueName=name, Attributes=attributes)["QueueUrl"]
    return url


def _fill(url: str) -> None:
    for number in range(WAITING):
        _call("SendMessage", QueueUrl=url, MessageBody=str(number))


def _receive(url: str, most: int = 10) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _call("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=most)[
        "Messages"
    ]
    return found


def test_messages_are_received_in_order_and_hidden() -> None:
    """Each once, ten at a time, whatever was deleted in between."""
    url = _queue("plain")
    _fill(url)
    bodies = []
    for _ in range(WAITING // 10):
        found = _receive(url)
        bodies += [each["Body"] for each in found]
        entries = [
            {"Id": str(place), "ReceiptHandle": each["ReceiptHandle"]}
            for place, each in enumerate(found[::2])
        ]
        answer = _call("DeleteMessageBatch", QueueUrl=url, Entries=entries)
        assert len(answer["Successful"]) == len(entries)
    assert bodies == [str(number) for number in range(WAITING)]
    assert len(sqs._get_q(url)["messages"]) == WAITING // 2


def test_a_void_receipt_is_refused_and_deletes_nothing() -> None:
    """Alone, and among good ones."""
    url = _queue("void")
    _fill(url)
    good = _receive(url, 1)[0]["ReceiptHandle"]
    entries = [{"Id": "0", "ReceiptHandle": "never"}, {"Id": "1", "ReceiptHandle": good}]
    answer = _call("DeleteMessageBatch", QueueUrl=url, Entries=entries)
    assert [each["Id"] for each in answer["Failed"]] == ["0"]
    assert [each["Id"] for each in answer["Successful"]] == ["1"]
    with pytest.raises(sqs._Err):
        _call("DeleteMessage", QueueUrl=url, ReceiptHandle="never")
    assert len(sqs._get_q(url)["messages"]) == WAITING - 1


def test_what_came_too_often_goes_to_the_dead_letters() -> None:
    """Before it would be received once more; the rest of the queue stays."""
    dead = _queue("dead")
    arn = sqs._get_q(dead)["attributes"]["QueueArn"]
    policy = f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": 2}}'
    url = _queue("live", RedrivePolicy=policy, VisibilityTimeout="0")
    _fill(url)
    assert [_receive(url, 1)[0]["Body"] for _ in range(3)] == ["0", "0", "1"]
    assert [each["body"] for each in sqs._get_q(dead)["messages"]] == ["0"]
    assert len(sqs._get_q(url)["messages"]) == WAITING - 1


def test_only_the_head_of_a_queue_is_walked() -> None:
    """What costs MiniStack its time: how many messages its own functions get to see."""
    url = _queue("long")
    _fill(url)
    queue = sqs._get_q(url)
    assert ministack_queues.behind_visible(queue, 10) == 10
    found = _receive(url)
    assert ministack_queues.behind_visible(queue, 10) == 20
    receipts = {each["ReceiptHandle"] for each in found}
    assert ministack_queues.behind_receipts(queue, receipts) == 10
    assert ministack_queues.behind_receipts(queue, {"never"}) == WAITING
