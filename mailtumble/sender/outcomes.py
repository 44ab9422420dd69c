"""What became of the calls: collected from all lanes of a process, and appended together."""

from __future__ import annotations

from collections import deque

from mailtumble.ports.stream import EventStream
from mailtumble.ports.world import Clock
from mailtumble.worker.application import Fact
from mailtumble.worker.records import outgoing
from schemas.errors import RetryableError


class Outcomes:
    """Facts that wait for the stream, in the order in which they came in. From any thread.

    They are not bound to a shard's owner: what was done in the world is told by whoever did it.
    """

    def __init__(self, stream: EventStream, clock: Clock) -> None:
        """Begin with none."""
        self._stream = stream
        self._clock = clock
        self._facts: deque[Fact] = deque()

    def add(self, fact: Fact) -> None:
        """Take one in, to be appended with the next :meth:`flush`."""
        self._facts.append(fact)

    def flush(self) -> None:
        """Append what has come in; on failure it is kept for the next time. One at a time.

        Raises:
            RetryableError: the stream doesn't take it now.
        """
        # Others come in from other threads meanwhile: each is taken by itself.
        facts = [self._facts.popleft() for _ in range(len(self._facts))]
        if not facts:
            return
        try:
            now = self._clock.now()
            self._stream.append([outgoing(fact, now) for fact in facts])
        except RetryableError:
            self._facts.extendleft(reversed(facts))
            raise
