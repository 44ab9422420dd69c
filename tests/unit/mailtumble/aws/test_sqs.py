"""The queue where SQS does a part of a batch."""

from __future__ import annotations

from typing import Any

import pytest

from mailtumble.aws.patience import Patience
from mailtumble.aws.sqs import SqsQueue
from mailtumble.ports.world import QueueMessage
from schemas.errors import PermanentError, RetryableError


class ScriptedSqs:
    """Fails the entries each call is told to fail, by place: {id: whether it is our fault}."""

    def __init__(self, *failures: dict[str, bool]) -> None:
        """The last one holds for every later call."""
        self._failures = list(failures)
        self.calls: list[list[str]] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803
        """As SQS answers."""
        assert QueueUrl == "url"
        failing = self._failures.pop(0) if len(self._failures) > 1 else self._failures[0]
        ids = [entry["Id"] for entry in Entries]
        self.calls.append(ids)
        failed = [
            {"Id": each, "Code": f"code-{each}", "SenderFault": failing[each]}
            for each in ids
            if each in failing
        ]
        return {"Failed": failed} if failed else {}

    delete_message_batch = send_message_batch


def _queue(client: Any, pauses: list[float]) -> SqsQueue:  # noqa: ANN401 - scripted
    patience = Patience(tries=3, first_s=1, longest_s=9)
    return SqsQueue(client, "url", patience=patience, sleep=pauses.append)


def _messages(count: int) -> list[QueueMessage]:
    return [QueueMessage(str(number), "body", f"receipt {number}", 1) for number in range(count)]


def test_what_failed_by_sqss_fault_goes_again_alone(pauses: list[float]) -> None:
    """What was taken is not sent twice."""
    client = ScriptedSqs({"1": False}, {})
    _queue(client, pauses).send(["a", "b", "c"])
    assert (client.calls, pauses) == ([["0", "1", "2"], ["1"]], [1])


def test_what_keeps_failing_is_retryable(pauses: list[float]) -> None:
    """With SQS's code."""
    client = ScriptedSqs({"0": False})
    with pytest.raises(RetryableError, match="code-0"):
        _queue(client, pauses).send(["a"])
    assert pauses == [1, 2]


def test_a_body_sqs_cannot_take_is_told_after_the_others_went(pauses: list[float]) -> None:
    """Repeating it would not help."""
    client = ScriptedSqs({"0": True, "1": False}, {})
    with pytest.raises(PermanentError, match="code-0"):
        _queue(client, pauses).send(["a", "b"])
    assert client.calls == [["0", "1"], ["1"]]


def test_deletes_are_repeated_but_void_receipts_are_not(pauses: list[float]) -> None:
    """A message whose receipt is void comes again, and is known by its id."""
    client = ScriptedSqs({"0": True, "2": False}, {})
    _queue(client, pauses).delete(_messages(12))
    assert client.calls == [[str(place) for place in range(10)], ["2"], ["0", "1"]]
