"""Wait for an upgrade at a record with an event that this worker does not know (rule 5).

In a rolling deployment, workers of the new release write events that workers of the old release
can't read. The old worker leaves such a record where it is, raises an alarm, and tries again until
it is replaced. If nobody has upgraded it after :data:`UPGRADE_WAIT_US`, it quarantines the record
and continues with the shard. An upgraded worker can redrive the record later. Only if too many
records of a subject were passed over (:mod:`mailtumble.worker.passed_over`), the shard waits
without an end.

The beginning of the wait is stored with the cursor, so a restarted worker or another owner
continues the same wait. While a shard waits, nothing is written about the record itself, so the
wait never counts as a death. Timers fire, and queued mail is sent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from mailtumble.ports.world import Clock
from mailtumble.worker.cursor import Cursor
from mailtumble.worker.records import Read
from schemas.errors import RetryableError
from schemas.values import MINUTE_US, SECOND_US

UPGRADE_WAIT_US: Final = 15 * MINUTE_US
"""How long a shard waits for a worker that knows an event, before it quarantines the record."""
REMINDER_US: Final = MINUTE_US
"""How often a waiting shard says so in the log."""

logger = logging.getLogger(__name__)


class AwaitsUpgrade(RetryableError):  # noqa: N818 - what the shard does
    """The next record holds an event that this worker does not know; call again later.

    Attributes:
        since: when the shard began to wait, in microseconds UTC.
    """

    def __init__(self, message: str, since: int) -> None:
        """Keep the message, which says what the shard waits for, and the beginning of the wait."""
        super().__init__(message)
        self.since = since


class UpgradeWait:
    """Decides, for one shard, which records have to wait for an upgrade, and for how long."""

    def __init__(
        self,
        cursor: Cursor,
        clock: Clock,
        wait_us: int,
        patiently: Callable[[Callable[[], None]], None],
    ) -> None:
        """Create without I/O.

        Args:
            cursor: the shard's cursor, which stores the beginning of a wait.
            clock: returns the time, in microseconds UTC.
            wait_us: how long to wait, in microseconds.
            patiently: repeats a call while the store doesn't answer.
        """
        self._cursor = cursor
        self._clock = clock
        self._wait_us = wait_us
        self._patiently = patiently
        self._reminded: tuple[str, int] = ("", 0)

    def ready(self, batch: Sequence[Read]) -> Sequence[Read]:
        """Return the records before the first one that has to wait: usually all of them."""
        for place, read in enumerate(batch):
            if read.must_wait or (read.is_newer and not self._gives_up(read, self._clock.now())):
                return batch[:place]
        return batch

    def hold(self, read: Read) -> None:
        """Call :meth:`wait` if a record has to wait."""
        if not self.ready([read]):
            self.wait(read)

    def wait(self, read: Read) -> NoReturn:
        """Leave a record where it is. Everything before it must be committed.

        Raises:
            AwaitsUpgrade: always, unless the shard is lost.
            ShardLost: another owner has taken the shard meanwhile.
        """
        cursor, number, now = self._cursor, read.stored.sequence_number, self._clock.now()
        if cursor.awaited == number:
            self._patiently(cursor.verify)
        else:
            since = self._beginning(read, now)
            self._patiently(lambda: cursor.await_upgrade(number, since))
        until = cursor.awaited_since + self._wait_us
        end = f"which is quarantined in {max(0, until - now) // SECOND_US} s"
        if read.must_wait:
            end = "and does not go on without an upgrade: too many records of the subject wait"
        message = f"{read.problem}; {cursor.shard_id} waits at record {number.lstrip('0')}, {end}"
        reminded, at = self._reminded
        if reminded != number or now - at >= REMINDER_US:
            logger.error("%s", message)
            self._reminded = (number, now)
        raise AwaitsUpgrade(message, cursor.awaited_since)

    def _beginning(self, read: Read, now: int) -> int:
        """Return when the wait at a record begins: now, or when the record arrived.

        If the shard has just waited in vain, the wait counts from the arrival. Records behind the
        first one have then already waited, so many such records delay the shard by one wait in
        total and not by one wait each.
        """
        waited_in_vain = self._cursor.gave_up_at and now - self._cursor.gave_up_at < self._wait_us
        return min(now, read.stored.arrived_at) if waited_in_vain else now

    def _gives_up(self, read: Read, now: int) -> bool:
        """Return whether the wait at a record has ended, and store that it has."""
        is_awaited = self._cursor.awaited == read.stored.sequence_number
        since = self._cursor.awaited_since if is_awaited else self._beginning(read, now)
        if now - since < self._wait_us:
            return False
        self._patiently(lambda: self._cursor.give_up_waiting(now))
        return True
