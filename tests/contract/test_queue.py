"""The contract of MessageQueue."""

from __future__ import annotations

import time
from collections.abc import Callable

from mailtumble.ports.world import MessageQueue, QueueDepth, QueueMessage

Open = Callable[[int], MessageQueue]
LONG_S = 600
LAGS_S = 120


def _drain(queue: MessageQueue, wanted: int) -> list[QueueMessage]:
    found: list[QueueMessage] = []
    for _ in range(50):
        found += queue.receive(1)
        if len(found) >= wanted:
            break
    return found


def test_what_is_sent_is_received(open_queue: Open) -> None:
    """Bodies come as they were, for the first time."""
    queue = open_queue(LONG_S)
    queue.send(['{"Type": "Notification"}', "grüße"])
    found = _drain(queue, 2)
    assert sorted(message.body for message in found) == ["grüße", '{"Type": "Notification"}']
    assert [message.receive_count for message in found] == [1, 1]
    assert len({message.id for message in found}) == 2


def test_more_than_ten_go_and_come_in_several_calls(open_queue: Open) -> None:
    """No call carries more than ten messages; nobody has to know that."""
    queue = open_queue(LONG_S)
    queue.send([f"body {number}" for number in range(23)])
    assert len(queue.receive(1)) <= 10
    found = _drain(queue, 13)
    assert len(found) >= 13


def test_large_bodies_are_spread_over_calls(open_queue: Open) -> None:
    """Four bodies of 100 KB are more than the 256 KB a call takes."""
    queue = open_queue(LONG_S)
    queue.send([str(number) * 100_000 for number in range(4)])
    assert sorted(message.body[0] for message in _drain(queue, 4)) == ["0", "1", "2", "3"]


def test_a_received_message_is_hidden(open_queue: Open) -> None:
    """Nobody else gets it while its visibility time-out runs."""
    queue = open_queue(LONG_S)
    queue.send(["once"])
    assert len(_drain(queue, 1)) == 1
    assert list(queue.receive(0)) == []


def test_a_message_that_is_not_deleted_comes_again(open_queue: Open) -> None:
    """The same id, another receipt, and a count that tells."""
    queue = open_queue(0)
    queue.send(["again"])
    (first,) = _drain(queue, 1)
    (second,) = _drain(queue, 1)
    assert (second.id, second.body) == (first.id, "again")
    assert (first.receive_count, second.receive_count) == (1, 2)


def test_a_deleted_message_does_not_come_again(open_queue: Open) -> None:
    """Deleting works by the receipt, for more than ten at once too."""
    queue = open_queue(1)
    queue.send([f"body {number}" for number in range(12)])
    remaining = {f"body {number}" for number in range(12)}
    while remaining:  # whatever comes a second time in between is deleted by its new receipt
        found = queue.receive(1)
        queue.delete(found)
        remaining -= {message.body for message in found}
    assert list(queue.receive(2)) == []


def test_the_depth_tells_visible_messages_from_received_ones(open_queue: Open) -> None:
    """SQS's own numbers may lag by a minute."""
    queue = open_queue(LONG_S)
    queue.send([f"body {number}" for number in range(5)])
    received = len(queue.receive(1))
    deadline = time.monotonic() + LAGS_S
    while queue.depth() != QueueDepth(visible=5 - received, in_flight=received):
        assert time.monotonic() < deadline, queue.depth()
        time.sleep(0.5)


def test_deleting_twice_is_no_error(open_queue: Open) -> None:
    """A repeated delete finds nothing to do."""
    queue = open_queue(LONG_S)
    queue.send(["x"])
    found = _drain(queue, 1)
    queue.delete(found)
    queue.delete(found)
    assert list(queue.receive(0)) == []


def test_nothing_to_send_or_delete_is_fine(open_queue: Open) -> None:
    """Empty batches make no call that AWS would refuse."""
    queue = open_queue(LONG_S)
    queue.send([])
    queue.delete([])
    assert list(queue.receive(0)) == []
