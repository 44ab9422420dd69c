"""What became of the calls: collected from all lanes of a process, and appended together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from mailtumble.ports.stream import EventStream
from mailtumble.ports.world import Clock
from mailtumble.worker.application import Fact
from mailtumble.worker.records import outgoing
from schemas.errors import RetryableError

Logged = Callable[[Fact], None]
"""Hears of a fact that it stands on the stream."""


class Outcomes:
    """Facts that wait for the stream, in the order in which they came in. From any thread.

    They are not bound to a shard's owner: what was done in the world is told by whoever did it.
    """

    def __init__(self, stream: EventStream, clock: Clock) -> None:
        """Begin with none."""
        self._stream = stream
        self._clock = clock
        self._facts: deque[tuple[Fact, Logged | None]] = deque()

    def add(self, fact: Fact, logged: Logged | None = None) -> None:
        """Take one in, to be appended with the next :meth:`flush`; then ``logged`` hears of it."""
        self._facts.append((fact, logged))

    def flush(self) -> None:
        """Append what has come in; on failure it is kept for the next time. One at a time.

        Raises:
            RetryableError: the stream doesn't take it now, or who was to hear of it can't.
        """
        # Others come in from other threads meanwhile: each is taken by itself.
        taken = [self._facts.popleft() for _ in range(len(self._facts))]
        if not taken:
            return
        try:
            now = self._clock.now()
            self._stream.append([outgoing(fact, now) for fact, _ in taken])
        except Exception:
            # Whatever it is, what was done in the world has to be told some day.
            self._facts.extendleft(reversed(taken))
            raise
        problem: RetryableError | None = None
        for fact, logged in taken:
            try:
                if logged is not None:
                    logged(fact)
            except RetryableError as error:
                problem = error
        if problem is not None:
            raise problem
