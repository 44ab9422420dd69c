"""MiniStack's SQS, at a cost that does not grow with the queue.

MiniStack walks the whole queue some four times at each ReceiveMessage, and once for every receipt
that is deleted: with 50,000 messages waiting, to receive and delete ten costs it half a second.
What is received or deleted stands at the head of a queue: here its own functions get to see no
more of it than they need.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

Queue = dict[str, Any]
Message = dict[str, Any]

RECEIVED_MAX: Final = 10


def hasten(sqs: Any) -> None:  # noqa: ANN401 - the module ministack.services.sqs
    """Put functions that look at the head alone around the module's own."""
    collect, sweep, handlers = sqs._collect_msgs, sqs._dlq_sweep, sqs._HANDLERS  # noqa: SLF001

    def collected(queue: Queue, most: int, hidden_s: int) -> list[Message]:
        with head_alone(queue, behind_visible(queue, most)):
            found: list[Message] = collect(queue, most, hidden_s)
            return found

    def swept(queue: Queue) -> None:
        with head_alone(queue, behind_visible(queue, RECEIVED_MAX)):
            sweep(queue)

    def deleting(delete: Callable[[dict[str, Any], str], Any]) -> Callable[..., Any]:
        def deleted(data: dict[str, Any], url: str) -> Any:  # noqa: ANN401 - MiniStack's answer
            queue = sqs._get_q(data.get("QueueUrl", url))  # noqa: SLF001
            entries = data.get("Entries") or [data]
            receipts = {str(each.get("ReceiptHandle")) for each in entries}
            with head_alone(queue, behind_receipts(queue, receipts)):
                return delete(data, url)

        return deleted

    sqs._collect_msgs, sqs._dlq_sweep = collected, swept  # noqa: SLF001
    for action in ("DeleteMessage", "DeleteMessageBatch"):
        handlers[action] = deleting(handlers[action])


@contextmanager
def head_alone(queue: Queue, count: int) -> Iterator[None]:
    """Within the block the queue seems to hold its first ``count`` messages alone."""
    messages: list[Message] = queue["messages"]
    queue["messages"] = messages[:count]
    try:
        yield
    finally:
        messages[:count] = queue["messages"]
        queue["messages"] = messages


def behind_visible(queue: Queue, wanted: int) -> int:
    """How many messages from the head on hold ``wanted`` that may be received now.

    All of a FIFO queue: there it takes more to tell.
    """
    messages: Sequence[Message] = queue["messages"]
    if queue["is_fifo"]:
        return len(messages)
    now, found = time.time(), 0
    for place, each in enumerate(messages):
        found += each["visible_at"] <= now
        if found == wanted:
            return place + 1
    return len(messages)


def behind_receipts(queue: Queue, receipts: set[str]) -> int:
    """How many messages from the head on hold all of these receipts."""
    messages: Sequence[Message] = queue["messages"]
    missing = len(receipts)
    for place, each in enumerate(messages):
        missing -= each["receipt_handle"] in receipts
        if not missing:
            return place + 1
    return len(messages)
