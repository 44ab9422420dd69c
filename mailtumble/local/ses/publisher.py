"""Publishes the events about sent mails, on threads of its own."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from mailtumble.local.ses.notification import SNS_MESSAGE_BYTES_MAX

logger = logging.getLogger(__name__)

BATCH_ENTRIES_MAX = 10
"""SNS takes so many messages in a PublishBatch, and 256 KB of them together."""

QUEUE_MAILS_MAX = 1_000_000
"""A mail that waits is one number, so this is some 40 MB."""

_BACKOFF_S_MAX = 5.0
_IDLE_S = 0.2
_GATHERED_S = 0.1
"""So long the first mail of a batch waits for others: one call for ten costs as much as for one."""


class BatchTopic(Protocol):
    """What is needed of a boto3 SNS client."""

    def publish_batch(
        self,
        *,
        TopicArn: str,  # noqa: N803
        PublishBatchRequestEntries: Sequence[Any],  # noqa: N803
    ) -> Mapping[str, Any]:
        """Publish up to 10 messages; the reply tells which failed."""


class EventPublisher:
    """A bounded queue of accepted mails and the threads that publish their events.

    A mail's events are published in their order: the first events of a few
    mails in one batch, until all of them have succeeded, then their second ones,
    and so on. What SNS refuses is tried again until it succeeds; events are
    lost only when the process is stopped meanwhile, and that is logged.
    """

    def __init__(
        self,
        sns: BatchTopic,
        topic_arn: str,
        events_of: Callable[[int], Sequence[str]],
        threads: int = 3,
    ) -> None:
        """Publish to a topic what ``events_of`` makes of a number that was submitted."""
        self._sns = sns
        self._topic_arn = topic_arn
        self._events_of = events_of
        self._queue: queue.Queue[int] = queue.Queue(QUEUE_MAILS_MAX)
        self._stopping = threading.Event()
        self._abandoned = threading.Event()
        self._lock = threading.Lock()
        self._gathering = threading.Lock()
        self._submitted = 0
        self._finished = 0
        self._threads = [
            threading.Thread(target=self._work, name=f"ses-events-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Begin to publish."""
        for thread in self._threads:
            thread.start()

    @property
    def full(self) -> bool:
        """Whether no further mail can be submitted at present."""
        return self._queue.full()

    @property
    def pending(self) -> int:
        """How many mails have events that are not published yet."""
        return self._submitted - self._finished

    def submit(self, number: int) -> None:
        """Publish the events of this mail soon. Raises queue.Full; never waits."""
        self._queue.put_nowait(number)
        with self._lock:
            self._submitted += 1

    def drain(self, timeout_s: float) -> int:
        """Publish what is queued and stop; return how many mails had to be left.

        Those are logged. Takes at most ``timeout_s``.
        """
        deadline = time.monotonic() + timeout_s
        self._stopping.set()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._abandoned.set()
        left = self.pending
        if left:
            logger.error("stopped with the events of %d mails unpublished", left)
        return left

    def _work(self) -> None:
        while not self._abandoned.is_set():
            mails = self._take()
            if mails:
                self._publish_all([self._events(mail) for mail in mails])
            elif self._stopping.is_set():
                return

    def _take(self) -> list[int]:
        """Take a few mails from the queue, waiting a moment for the first, and for some more."""
        mails: list[int] = []
        with self._gathering, contextlib.suppress(queue.Empty):
            mails.append(self._queue.get(timeout=_IDLE_S))
            until = time.monotonic() + (0 if self._stopping.is_set() else _GATHERED_S)
            while len(mails) < BATCH_ENTRIES_MAX:
                wait_s = until - time.monotonic()
                mails.append(self._queue.get(block=wait_s > 0, timeout=max(wait_s, 0)))
        return mails

    def _events(self, mail: int) -> Sequence[str]:
        try:
            return self._events_of(mail)
        except Exception:
            # A thread that died here would take every later event with it.
            logger.exception("the events of the mail at %d can't be made: lost", mail)
            return ()

    def _publish_all(self, mails: Sequence[Sequence[str]]) -> None:
        for step in range(max(map(len, mails))):
            for batch in _batches(events[step] for events in mails if step < len(events)):
                if not self._publish_until_done(batch):
                    return
        with self._lock:
            self._finished += len(mails)

    def _publish_until_done(self, batch: Sequence[str]) -> bool:
        """Publish a batch, again and again; return False when it was abandoned."""
        left = {str(number): event for number, event in enumerate(batch)}
        backoff_s = 0.1
        while not self._abandoned.is_set():
            left = self._publish_once(left)
            if not left:
                return True
            self._abandoned.wait(backoff_s)
            backoff_s = min(backoff_s * 2, _BACKOFF_S_MAX)
        return False

    def _publish_once(self, events: Mapping[str, str]) -> dict[str, str]:
        """Publish events by their ids; return those that failed."""
        entries = [{"Id": number, "Message": event} for number, event in events.items()]
        try:
            reply = self._sns.publish_batch(
                TopicArn=self._topic_arn, PublishBatchRequestEntries=entries
            )
        except (BotoCoreError, ClientError) as error:
            logger.warning("publishing %d events failed, trying again: %s", len(entries), error)
            return dict(events)
        failed = {entry["Id"] for entry in reply.get("Failed", ())}
        if failed:
            logger.warning("SNS refused %d of %d events, trying again", len(failed), len(entries))
        return {number: event for number, event in events.items() if number in failed}


def _batches(events: Iterable[str]) -> Iterator[list[str]]:
    """Cut events into batches within SNS's limits. An event is ASCII: a character a byte."""
    batch: list[str] = []
    size_bytes = 0
    for event in events:
        size_bytes += len(event)
        if batch and (len(batch) == BATCH_ENTRIES_MAX or size_bytes > SNS_MESSAGE_BYTES_MAX):
            yield batch
            batch, size_bytes = [], len(event)
        batch.append(event)
    if batch:
        yield batch
