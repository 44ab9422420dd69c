"""amazon_kclpy's record processor: hands each callback to the host, checkpoints what it committed.

kclpy swallows an error of a callback and reports success, which skips the batch: here no error
leaves a callback, the process ends instead (``die``), and the records come again.

The cursor is the truth, the KCL's checkpoint follows: only after a commit, and not after each.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from mailtumble.ports.stream import StoredRecord
from schemas.errors import InvariantBroken
from schemas.ids import padded

CHECKPOINT_EVERY_S: Final = 5.0
"""A checkpoint is a write to DynamoDB for each shard; what it lags is read again and skipped."""
LEASE_IS_GONE: Final = "ShutdownException"
RETRIED: Final = frozenset({"ThrottlingException", "KinesisClientLibDependencyException"})
US_PER_MS: Final = 1000

Step = Coroutine[Any, Any, Any]

logger = logging.getLogger(__name__)


class Checkpointer(Protocol):
    """amazon_kclpy's."""

    def checkpoint(self, sequence_number: str | None = None) -> None:
        """Checkpoint at a record; with None at the end of what was delivered."""


class Driven(Protocol):
    """The host, as :class:`mailtumble.kcl.host.ChildHost` is one."""

    @property
    def is_silent(self) -> bool:
        """Whether another owner has the cursor."""

    def start(self, shard_id: str) -> Coroutine[Any, Any, str | None]:
        """Take the shard over; where its cursor stands."""

    def catch_up(self, until: str) -> Coroutine[Any, Any, bool]:
        """Work off what the KCL would skip, up to this record; False where nobody may do that."""

    def process(self, records: list[StoredRecord], lag_ms: int) -> Coroutine[Any, Any, str | None]:
        """Work a batch off; the last record that is committed (padded), None when silent."""

    def close_shard(self) -> Coroutine[Any, Any, bool]:
        """The shard is read to its end; whether that may be checkpointed."""

    def release(self) -> Coroutine[Any, Any, str | None]:
        """Say good-bye; the last record that is committed (padded), None when silent."""

    def lease_lost(self) -> Coroutine[Any, Any, None]:
        """Stay silent."""


class LaneProcessor:
    """A ``RecordProcessorBase`` of version 3, by its methods: kclpy asks for no more."""

    version: Final = 3

    def __init__(
        self,
        host: Driven,
        wait: Callable[[Step], Any],
        die: Callable[[], object],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``wait`` has a step done on the host's event loop; ``die`` ends the process at once."""
        self._host = host
        self._wait = wait
        self._die = die
        self._monotonic = monotonic
        self._batches: deque[str] = deque()
        """The last sequence number of each batch that was not committed whole when last looked."""
        self._done: str | None = None
        self._told: str | None = None
        self._told_at = monotonic()
        self._gone = False

    def initialize(self, given: Any) -> None:  # noqa: ANN401 - amazon_kclpy has no types
        """Take the shard over."""
        self._deadly(lambda: self._initialize(given))

    def process_records(self, given: Any) -> None:  # noqa: ANN401
        """Work the batch off, and checkpoint what is committed."""
        self._deadly(lambda: self._process(given))

    def shard_ended(self, given: Any) -> None:  # noqa: ANN401
        """Close the cursor, so that the children may begin; then the KCL may start them."""
        self._deadly(lambda: self._ended(given.checkpointer))

    def shutdown_requested(self, given: Any) -> None:  # noqa: ANN401
        """Say good-bye."""
        self._deadly(lambda: self._release(given.checkpointer))

    def lease_lost(self, given: Any) -> None:  # noqa: ANN401, ARG002
        """Stay silent; only the outcomes of calls under way are told."""
        self._deadly(lambda: self._wait(self._host.lease_lost()))

    def _deadly(self, callback: Callable[[], object]) -> None:
        try:
            callback()
        except BaseException:
            logger.exception("the child ends: what it had not committed comes again")
            self._die()

    def _initialize(self, given: Any) -> None:  # noqa: ANN401
        cursor = self._wait(self._host.start(given.shard_id))
        start = given.sequence_number or ""
        if not start.isdigit() or padded(start) <= (cursor or "") or self._host.is_silent:
            return
        if not self._wait(self._host.catch_up(padded(start))):
            raise InvariantBroken(
                f"the KCL would read {given.shard_id} after {start}, the cursor stands at "
                f"{cursor}: records between them would be skipped. Remove the lease's row"
            )

    def _process(self, given: Any) -> None:  # noqa: ANN401
        records = [_stored(each) for each in given.records]
        if records:
            self._batches.append(given.records[-1].sequence_number)
        self._note(self._wait(self._host.process(records, int(given.millis_behind_latest or 0))))
        if self._monotonic() - self._told_at >= CHECKPOINT_EVERY_S:
            self._checkpoint(given.checkpointer)

    def _ended(self, checkpointer: Checkpointer) -> None:
        if self._wait(self._host.close_shard()):
            self._tell(checkpointer, None)

    def _release(self, checkpointer: Checkpointer) -> None:
        self._note(self._wait(self._host.release()))
        self._checkpoint(checkpointer)

    def _note(self, committed: str | None) -> None:
        """A lane may gather batches before it commits them; only what it has may be told."""
        while self._batches and padded(self._batches[0]) <= (committed or ""):
            self._done = self._batches.popleft()

    def _checkpoint(self, checkpointer: Checkpointer) -> None:
        done = self._done
        if done is not None and done != self._told and not self._gone:
            self._told = done if self._tell(checkpointer, done) else self._told
        self._told_at = self._monotonic()

    def _tell(self, checkpointer: Checkpointer, sequence: str | None) -> bool:
        try:
            checkpointer.checkpoint(sequence)
        except Exception as error:
            # CheckpointError's first argument is the name of the Java exception.
            name = str(error.args[0]) if error.args else type(error).__name__
            if name == LEASE_IS_GONE:
                self._gone = True
                logger.info("no checkpoint: the lease is gone")
            elif name in RETRIED:
                logger.warning("no checkpoint this time: %s", name)
            else:
                raise
            return False
        return True


def _stored(record: Any) -> StoredRecord:  # noqa: ANN401
    return StoredRecord(
        sequence_number=padded(record.sequence_number),
        subject=record.partition_key,
        data=record.binary_data,
        arrived_at=round(record.approximate_arrival_timestamp.timestamp() * 1000) * US_PER_MS,
    )
