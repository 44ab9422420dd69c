"""Every call to AWS passes here, and may meet a crash before, a crash after, or a lost reply."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mailtumble.ports.store import Check
from mailtumble.ports.world import OutcomeUnknown, SendRefused
from schemas.errors import RetryableError
from schemas.values import DeferReason
from tests.simulation.scheduler import ProcessDied

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from mailtumble.ports.store import Action
    from mailtumble.ports.stream import OutgoingRecord
    from tests.fakes.stream import InMemoryStream
    from tests.simulation.scheduler import Process, Scheduler

T = TypeVar("T")

KINDS: Final = ("crash before", "crash after", "reply lost")
SITES: Final = (
    "kinesis append",
    "kinesis read",
    "kinesis reader",
    "kinesis shards",
    "dynamodb transact commit",
    "dynamodb transact claim",
    "dynamodb write cursors",
    "dynamodb write slices",
    "dynamodb write fleet",
    "dynamodb get cursors",
    "dynamodb get_all subjects",
    "dynamodb query timers",
    "dynamodb query queue",
    "s3 get",
    "s3 put",
    "s3 size",
    "sqs receive",
    "sqs delete",
    "ses send",
    "ses quota",
    "aliases find",
)
"""Every place at which the workers call AWS, by what they call and what for."""


@dataclass
class Faults:
    """Draws what befalls a call. ``until``: no more of it after that time."""

    draw: random.Random
    scheduler: Scheduler
    until: int
    common: float
    focus: str
    met: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    def call(
        self,
        process: Process,
        site: str,
        apply: Callable[[], T],
        lost: type[Exception] = RetryableError,
    ) -> T:
        """Make a call, as the process sees it."""
        self.calls[site] += 1
        self._wait()
        kind = self._drawn(site)
        if kind == "crash before":
            self._die(process)
        result = apply()
        if kind == "crash after":
            self._die(process)
        self._wait()
        if kind == "reply lost":
            message = f"{site}: no reply"
            raise lost(message)
        return result

    def _drawn(self, site: str) -> str | None:
        if self.scheduler.clock.now() > self.until:
            return None
        chance = 0.15 if site == self.focus else self.common
        if self.draw.random() >= chance:
            return None
        kind = self.draw.choice(KINDS)
        self.met[site, kind] += 1
        return kind

    def _wait(self) -> None:
        """Latency; seldom a long one. Most calls answer at once, which keeps a seed quick."""
        chance = self.draw.random()
        if chance < 0.25:
            longest = 40_000 if chance > 0.004 else 4_000_000
            now = self.scheduler.clock.now()
            self.scheduler.sleep_until(now + int(self.draw.random() * longest))

    def _die(self, process: Process) -> None:
        process.die()
        raise ProcessDied


class Guarded:
    """A port as one process sees it: the fake behind it, every call through the faults."""

    def __init__(self, faults: Faults, process: Process, fake: Any, prefix: str) -> None:  # noqa: ANN401
        """``prefix`` names the service in the call sites."""
        self._faults = faults
        self._process = process
        self._fake = fake
        self._prefix = prefix

    def _call(self, name: str, apply: Callable[[], T], lost: type[Exception] = RetryableError) -> T:
        return self._faults.call(self._process, f"{self._prefix} {name}", apply, lost)


class GuardedStore(Guarded):
    """DynamoDB."""

    def transact(self, actions: Sequence[Action]) -> None:
        """Two kinds of transaction: commits move the cursor, claims only check it."""
        name = "claim" if isinstance(actions[0], Check) else "commit"
        self._call(f"transact {name}", lambda: self._fake.transact(actions))

    def write(self, action: Any) -> Any:  # noqa: ANN401
        """One item."""
        return self._call(f"write {action.table}", lambda: self._fake.write(action))

    def get(self, table: str, key: Any) -> Any:  # noqa: ANN401
        """One item."""
        return self._call(f"get {table}", lambda: self._fake.get(table, key))

    def get_all(self, table: str, keys: Any) -> Any:  # noqa: ANN401
        """Many items."""
        return self._call(f"get_all {table}", lambda: self._fake.get_all(table, keys))

    def query(self, table: str, partition: str, **options: Any) -> Any:  # noqa: ANN401
        """A range of items."""
        return self._call(
            f"query {table}", lambda: self._fake.query(table, partition, **options)
        )


class GuardedReader(Guarded):
    """A position in a shard; records come again now and then, and reads lag."""

    shard_id: str
    after: str | None

    def read(self, limit: int) -> Any:  # noqa: ANN401
        """GetRecords, of fewer records than asked for at times; a failed one moves nothing."""
        draw = self._faults.draw
        some = limit if draw.random() < 0.7 else draw.randint(1, 4)
        batch = self._call(
            "read", lambda: self._fake.reader(self.shard_id, after=self.after).read(some)
        )
        if batch.records:
            self.after = batch.records[-1].sequence_number
        return batch


class GuardedStream(Guarded):
    """Kinesis, whose PutRecords fails in part now and then."""

    _fake: InMemoryStream

    def append(self, records: Sequence[OutgoingRecord]) -> Any:  # noqa: ANN401
        """Append, perhaps in part and then again, as the producer does it."""
        return self._call("append", lambda: self._partly(records))

    def shards(self) -> Any:  # noqa: ANN401
        """ListShards."""
        return self._call("shards", self._fake.shards)

    def reader(self, shard_id: str, *, after: str | None) -> Any:  # noqa: ANN401
        """GetShardIterator."""
        self._call("reader", lambda: self._fake.reader(shard_id, after=after))
        reader = GuardedReader(self._faults, self._process, self._fake, self._prefix)
        reader.shard_id, reader.after = shard_id, after
        return reader

    def _partly(self, records: Sequence[OutgoingRecord]) -> Any:  # noqa: ANN401
        draw = self._faults.draw
        calm = self._faults.scheduler.clock.now() > self._faults.until
        if calm or draw.random() > 0.05:
            return self._fake.append(records)
        failed = [draw.random() < 0.4 for _ in records]
        self._fake.append([each for each, no in zip(records, failed, strict=True) if not no])
        if draw.random() < 0.3:
            message = "PutRecords failed in part for too long"
            raise RetryableError(message)
        first: dict[str, int] = {}
        for index, (each, no) in enumerate(zip(records, failed, strict=True)):
            if no:
                first.setdefault(each.subject, index)
        self._fake.append(
            [each for index, each in enumerate(records) if index >= first.get(each.subject, len(records))]
        )
        return ()


class GuardedObjects(Guarded):
    """S3."""

    def get(self, bucket: str, key: str) -> Any:  # noqa: ANN401
        """Read."""
        return self._call("get", lambda: self._fake.get(bucket, key))

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Write."""
        self._call("put", lambda: self._fake.put(bucket, key, data))

    def size(self, bucket: str, key: str) -> Any:  # noqa: ANN401
        """Ask for the length."""
        return self._call("size", lambda: self._fake.size(bucket, key))


class GuardedQueue(Guarded):
    """SQS."""

    def receive(self, wait_s: int) -> Any:  # noqa: ANN401
        """Take."""
        return self._call("receive", lambda: self._fake.receive(wait_s))

    def delete(self, messages: Any) -> None:  # noqa: ANN401
        """Remove."""
        self._call("delete", lambda: self._fake.delete(messages))


class GuardedProvider(Guarded):
    """SES: a lost reply of a send leaves its outcome unknown."""

    def send(self, mail: Any) -> Any:  # noqa: ANN401
        """SendEmail, at times answered with an error of SES's own."""
        return self._call("send", lambda: self._perhaps(mail), OutcomeUnknown)

    def quota(self) -> Any:  # noqa: ANN401
        """GetAccount."""
        return self._call("quota", self._fake.quota)

    def _perhaps(self, mail: Any) -> Any:  # noqa: ANN401
        faults = self._faults
        if faults.scheduler.clock.now() < faults.until and faults.draw.random() < 0.05:
            raise SendRefused(DeferReason.TRANSIENT, "Internal failure")
        return self._fake.send(mail)


class GuardedAliases(Guarded):
    """The look-up."""

    def find(self, names: Sequence[str]) -> Any:  # noqa: ANN401
        """Look names up."""
        return self._call("find", lambda: self._fake.find(names))


def guard_all(faults: Faults, process: Process, world: Any) -> dict[str, Any]:  # noqa: ANN401
    """Every port of the world for one process."""
    return {
        "stream": GuardedStream(faults, process, world.stream, "kinesis"),
        "store": GuardedStore(faults, process, world.store, "dynamodb"),
        "objects": GuardedObjects(faults, process, world.objects, "s3"),
        "queue": GuardedQueue(faults, process, world.queue, "sqs"),
        "provider": GuardedProvider(faults, process, world.provider, "ses"),
        "aliases": GuardedAliases(faults, process, world.aliases, "aliases"),
    }



