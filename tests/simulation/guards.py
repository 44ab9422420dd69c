"""The ports as one process sees them: each call to a fake may meet a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from botocore.exceptions import ReadTimeoutError

from mailtumble.aws.kinesis import KinesisStream
from mailtumble.aws.patience import Patience
from mailtumble.ports.store import Check, ConditionFailed, Put
from mailtumble.ports.stream import Batch
from mailtumble.ports.world import OutcomeUnknown, SendRefused
from mailtumble.worker.assembly import Ports
from schemas.errors import RetryableError
from schemas.values import DeferReason
from tests.fakes.dynamodb import InMemoryDynamo, TransactingItems, conflict
from tests.fakes.items import InMemoryItems
from tests.fakes.kinesis import InMemoryKinesis
from tests.fakes.objects import InMemoryObjects
from tests.fakes.provider import InMemoryProvider
from tests.fakes.queues import InMemoryQueue
from tests.fakes.stream import InMemoryStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mailtumble.ports.store import Action, Delete, Item, Key, Page, Update
    from mailtumble.ports.stream import OutgoingRecord, Shard
    from mailtumble.ports.world import AliasEntry, OutgoingMail, QueueMessage, Quota, StoredObject
    from tests.simulation.clocks import ProcessClock
    from tests.simulation.faults import Faults
    from tests.simulation.scheduler import Process
    from tests.simulation.world import World

F = TypeVar("F")
T = TypeVar("T")

REFUSALS: Final = (
    *(DeferReason.TRANSIENT,) * 6,
    *(DeferReason.THROTTLED,) * 6,
    DeferReason.STOPPED,
)
"""The errors of SES, with their weights (a stop makes a message wait for a minute)."""

PATIENCE: Final = Patience(tries=3, first_s=0.1, longest_s=0.5)
"""How long the adapters retry here: shorter than in the product, so that some give up."""

PARTLY: Final = 0.05
"""The share of PutRecords calls that fail in part; ``PARTLY_AGAIN`` applies right after one."""
PARTLY_AGAIN: Final = 0.5
FAILS: Final = 0.4
"""The share of records that fail in such a call."""
CONFLICTS: Final = 0.02
"""The share of transactions that conflict with another one on the same item."""

BY_BUCKET: Final = frozenset({"timers", "queue"})
"""Tables in which a takeover queries every bucket."""


class Guarded(Generic[F]):
    """The common part of all guards. ``service`` is the first word of their call sites."""

    service: str

    def __init__(self, faults: Faults, process: Process, clock: ProcessClock, fake: F) -> None:
        """Guard ``fake`` for one process, whose clock learns from every reply."""
        self._faults = faults
        self._process = process
        self._clock = clock
        self._fake = fake

    def _call(
        self, name: str, apply: Callable[[], T], lost: Callable[[str], Exception] = RetryableError
    ) -> T:
        sent_at = self._clock.machine()
        result = self._faults.call(self._process, f"{self.service} {name}", apply, lost)
        self._clock.answered(sent_at)
        return result


class GuardedStore(Guarded[InMemoryItems]):
    """DynamoDB, as far as the workers use it."""

    service = "dynamodb"

    def __init__(
        self,
        faults: Faults,
        process: Process,
        clock: ProcessClock,
        fake: InMemoryItems,
        dynamo: InMemoryDynamo,
    ) -> None:
        """Stand before ``fake`` for one process; ``dynamo`` knows the tokens of transactions."""
        super().__init__(faults, process, clock, fake)
        self._dynamo = dynamo
        self._transacting = TransactingItems(
            self,  # type: ignore[arg-type] - the one call of a client that it makes
            "",
            patience=PATIENCE,
            sleep=clock.sleep,
        )

    def transact(self, actions: Sequence[Action]) -> None:
        """Commits move the cursor; claims, and the dropping of queue entries, only check it."""
        name = "commit"
        if isinstance(actions[0], Check):
            claims = any(isinstance(each, Put) and each.table == "claims" for each in actions)
            name = "claim" if claims else "drop"
        try:
            self._call(f"transact {name}", lambda: self._transacting.transact(actions))
        except ConditionFailed:
            self._faults.note(f"{name} refused")
            raise

    def transact_write_items(self, **request: Any) -> None:  # noqa: ANN401 - boto3's call
        """Make one TransactWriteItems call for the product's adapter."""
        faults = self._faults
        if not faults.calm and faults.draw.random() < CONFLICTS:
            faults.note("transaction conflict")
            raise conflict(request["TransactItems"])
        self._call(
            "transact_write_items",
            lambda: self._dynamo.transact_write_items(**request),
            _no_answer,
        )

    def write(self, action: Put | Delete | Update) -> Item | None:
        """One item."""
        return self._call(f"write {action.table}", lambda: self._fake.write(action))

    def write_all(self, actions: Sequence[Put | Delete]) -> None:
        """Many items, unconditionally."""
        self._call(f"write_all {actions[0].table}", lambda: self._fake.write_all(actions))

    def get(self, table: str, key: Key) -> Item | None:
        """One item."""
        return self._call(f"get {table}", lambda: self._fake.get(table, key))

    def get_all(self, table: str, keys: Sequence[Key]) -> Sequence[Item | None]:
        """Many items."""
        return self._call(f"get_all {table}", lambda: self._fake.get_all(table, keys))

    def query(
        self,
        table: str,
        partition: str,
        *,
        after: str | int | None = None,
        until: str | int | None = None,
        limit: int | None = None,
        descending: bool = False,
        index: str | None = None,
    ) -> Page:
        """A range of items."""

        def found() -> Page:
            return self._fake.query(
                table,
                partition,
                after=after,
                until=until,
                limit=limit,
                descending=descending,
                index=index,
            )

        name = f"query {table}"
        by_bucket = table in BY_BUCKET
        if by_bucket and self._faults.overlooks(f"dynamodb {name}"):
            return found()
        return self._call(name, found)

    def scan(self, table: str) -> Sequence[Item]:
        """All items."""
        return self._call(f"scan {table}", lambda: self._fake.scan(table))


class GuardedReader(Guarded[InMemoryStream]):
    """A reader of a shard, which sometimes returns short batches or lags."""

    service = "kinesis"

    def __init__(
        self,
        faults: Faults,
        process: Process,
        clock: ProcessClock,
        fake: InMemoryStream,
        shard_id: str,
        after: str | None,
        at: str | None,
    ) -> None:
        """Read ``shard_id`` on behind ``after``, or from ``at`` on."""
        super().__init__(faults, process, clock, fake)
        self._shard_id = shard_id
        self._after = after
        self._at = at

    def read(self, limit: int) -> Batch:
        """Call GetRecords, sometimes for fewer records; a failed call leaves the position."""
        faults = self._faults
        if faults.scheduler.clock.now() < faults.lag_until.get(self._process.kind, 0):
            return Batch((), ended=False, lag_ms=1_000)
        some = limit if faults.draw.random() < 0.7 else faults.draw.randint(1, 4)
        batch = self._call(
            "read",
            lambda: self._fake.reader(self._shard_id, after=self._after, at=self._at).read(some),
        )
        if batch.records:
            self._after, self._at = batch.records[-1].sequence_number, None
        return batch


class GuardedStream(Guarded[InMemoryStream]):
    """Kinesis: the product's own producer, with a PutRecords that sometimes fails in part."""

    service = "kinesis"

    def __init__(
        self, faults: Faults, process: Process, clock: ProcessClock, fake: InMemoryStream
    ) -> None:
        """Stand before ``fake`` for one process."""
        super().__init__(faults, process, clock, fake)
        self._kinesis = InMemoryKinesis(fake, self._fails)
        self._producer = KinesisStream(
            self,  # type: ignore[arg-type] - the one call of a client that it makes
            "events",
            patience=PATIENCE,
            sleep=clock.sleep,
        )
        self._in_trouble = False

    def append(self, records: Sequence[OutgoingRecord]) -> Sequence[str]:
        """Append as the producer does, which gives up after some tries."""
        return self._call("append", lambda: self._producer.append(records))

    def put_records(self, **request: Any) -> Any:  # noqa: ANN401 - boto3's call
        """Make one PutRecords call for the producer."""
        draw = self._faults.draw
        chance = PARTLY_AGAIN if self._in_trouble else PARTLY
        self._in_trouble = not self._faults.calm and draw.random() < chance
        answer = self._call("put_records", lambda: self._kinesis.put_records(**request), _no_answer)
        if answer["FailedRecordCount"]:
            self._faults.note("PutRecords failed in part")
        return answer

    def _fails(self) -> bool:
        return self._in_trouble and self._faults.draw.random() < FAILS

    def shards(self) -> Sequence[Shard]:
        """ListShards."""
        return self._call("shards", self._fake.shards)

    def reader(self, shard_id: str, *, after: str | None, at: str | None = None) -> GuardedReader:
        """GetShardIterator."""
        self._call("reader", lambda: self._fake.reader(shard_id, after=after, at=at))
        return GuardedReader(
            self._faults, self._process, self._clock, self._fake, shard_id, after, at
        )


class GuardedObjects(Guarded[InMemoryObjects]):
    """S3."""

    service = "s3"

    def get(self, bucket: str, key: str) -> bytes:
        """Read."""
        return self._call("get", lambda: self._fake.get(bucket, key))

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Write."""
        self._call("put", lambda: self._fake.put(bucket, key, data))

    def head(self, bucket: str, key: str, size_bytes: int) -> bytes:
        """Read the beginning."""
        return self._call("head", lambda: self._fake.head(bucket, key, size_bytes))

    def listed(self, bucket: str, prefix: str) -> Iterator[StoredObject]:
        """List."""
        return self._fake.listed(bucket, prefix)

    def size(self, bucket: str, key: str) -> int:
        """Ask for the length."""
        return self._call("size", lambda: self._fake.size(bucket, key))


class GuardedQueue(Guarded[InMemoryQueue]):
    """SQS."""

    service = "sqs"

    def receive(self, wait_s: int) -> Sequence[QueueMessage]:
        """Take."""
        return self._call("receive", lambda: self._fake.receive(wait_s))

    def delete(self, messages: Sequence[QueueMessage]) -> None:
        """Remove."""
        self._call("delete", lambda: self._fake.delete(messages))

    def send(self, bodies: Sequence[str]) -> None:
        """Add."""
        self._call("send", lambda: self._fake.send(bodies))


class GuardedProvider(Guarded[InMemoryProvider]):
    """SES; if the reply to a send is lost, its outcome is unknown."""

    service = "ses"

    def send(self, mail: OutgoingMail) -> str:
        """Call SendEmail, which SES sometimes answers with a refusal or an error."""
        return self._call("send", lambda: self._perhaps(mail), OutcomeUnknown)

    def quota(self) -> Quota:
        """GetAccount."""
        return self._call("quota", self._fake.quota)

    def _perhaps(self, mail: OutgoingMail) -> str:
        faults = self._faults
        if not faults.calm and faults.draw.random() < 0.08:
            raise SendRefused(faults.draw.choice(REFUSALS), "not now")
        return self._fake.send(mail)


class GuardedAliases(Guarded["InMemoryAliases"]):
    """The look-up."""

    service = "aliases"

    def find(self, names: Sequence[str]) -> Mapping[str, AliasEntry]:
        """Look names up."""
        return self._call("find", lambda: self._fake.find(names))

    def list(self) -> Sequence[AliasEntry]:
        """Everything; the workers never ask for it."""
        return self._fake.list()


def guarded_ports(world: World, process: Process, clock: ProcessClock) -> Ports:
    """Every port of the world, for one process."""
    around = world.faults, process, clock
    provider = GuardedProvider(*around, world.provider)
    return Ports(
        clock=clock,
        stream=GuardedStream(*around, world.stream),
        store=GuardedStore(*around, world.store, world.dynamo),
        objects=GuardedObjects(*around, world.objects),
        queue=GuardedQueue(*around, world.queue),
        aliases=GuardedAliases(*around, world.aliases),
        transport=provider,
        account=provider,
    )


def _no_answer(site: str) -> Exception:
    """Return the error that botocore raises if the reply is lost."""
    return ReadTimeoutError(endpoint_url=site)
