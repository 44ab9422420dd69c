"""A MiniStack of the benchmark's own, the real adapters on it, and what is seen pass by.

Nothing of the caller's AWS settings is used: a benchmark that writes must not find a real account.
"""

from __future__ import annotations

import contextlib
import gc
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from _mails import ALIASES, TENANT, received

from mailtumble.cli.aliases import editor
from mailtumble.local.bootstrap import create_resources
from mailtumble.local.ministack import REGION, MiniStack
from mailtumble.ports.stream import Batch, EventStream, OutgoingRecord, Shard, ShardReader
from mailtumble.settings import Settings
from mailtumble.wiring import Wiring
from mailtumble.worker.assembly import Plan, Ports
from mailtumble.worker.views import mail_key
from schemas.ids import mail_of

FULL: Final = 2
"""The oldest generation of the garbage collector."""

_ITEMS: Final = {
    "TransactWriteItems": lambda sent: len(sent["TransactItems"]),
    "PutRecords": lambda sent: len(sent["Records"]),
    "BatchGetItem": lambda sent: sum(len(each["Keys"]) for each in sent["RequestItems"].values()),
}
"""How many things a batch call carries; any other call carries one."""


class Calls:
    """Counts the calls that leave this process, by operation, and what they carry."""

    def __init__(self) -> None:
        """Nothing is watched yet."""
        self.sent: Counter[str] = Counter()
        self.carried: Counter[str] = Counter()
        self._lock = threading.Lock()

    def watch(self, client: Any, label: str = "") -> None:  # noqa: ANN401 - any boto3 client
        """Count a client's calls from now on; ``label`` tells two clients' operations apart."""

        def on_parameters(params: Mapping[str, Any], model: Any, **_: Any) -> None:  # noqa: ANN401
            count = _ITEMS.get(model.name)
            with self._lock:
                self.carried[label + model.name] += count(params) if count else 1

        def on_request(event_name: str, **_: Any) -> None:  # noqa: ANN401
            # before-send is emitted for every request, those that repeat one included.
            with self._lock:
                self.sent[label + event_name.rpartition(".")[2]] += 1

        client.meta.events.register("provide-client-params", on_parameters)
        client.meta.events.register("before-send", on_request)

    def snapshot(self) -> tuple[Counter[str], Counter[str]]:
        """Calls, and what they carried, up to now."""
        with self._lock:
            return self.sent.copy(), self.carried.copy()


class FullCollections:
    """Measures the full garbage collections of this process.

    One takes a fifth of a second and falls into every third round or so: it has to be told apart
    from the work that it interrupts, or it is all that one sees.
    """

    def __init__(self) -> None:
        """Listen from now on."""
        self.cpu_s = 0.0
        self._started_s = 0.0
        gc.callbacks.append(self._on_collection)

    def close(self) -> None:
        """Listen no more."""
        gc.callbacks.remove(self._on_collection)

    def _on_collection(self, phase: str, told: Mapping[str, int]) -> None:
        if told["generation"] < FULL:
            return
        if phase == "start":
            self._started_s = time.process_time()
        else:
            self.cpu_s += time.process_time() - self._started_s


@dataclass(slots=True)
class Passage:
    """What passed through a :class:`Gate` from its opening until all of it was worked off.

    ``cpu_s`` is without ``collections_cpu_s``, which full garbage collections took.
    """

    records_read: int = 0
    bytes_read: int = 0
    records_put: int = 0
    bytes_put: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    collections_cpu_s: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    carried: Counter[str] = field(default_factory=Counter)


class Gate:
    """The event stream, whose readers wait until it opens, and which knows when all is done.

    Lanes take over before it opens, so that neither that nor the start of a host is measured with
    the mails. A batch is done when its reader reads again: then it is committed.
    """

    def __init__(
        self, stream: EventStream, calls: Calls, collections: FullCollections, expected: int
    ) -> None:
        """``expected``: records to be worked off, those included that the work itself appends."""
        self.passage = Passage()
        self.finished = threading.Event()
        self._stream = stream
        self._calls = calls
        self._collections = collections
        self._expected = expected
        self._done = 0
        self._opened = threading.Event()
        self._lock = threading.Lock()
        self._calls_before: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        self._started = (0.0, 0.0, 0.0)

    def open(self) -> None:
        """Let the readers read, and start the clocks."""
        self._calls_before = self._calls.snapshot()
        self._started = self._clocks()
        self._opened.set()

    def end(self) -> None:
        """Keep nobody waiting any more, whatever is done."""
        self._opened.set()
        self.finished.set()

    def append(self, records: Sequence[OutgoingRecord]) -> Sequence[str]:
        """As the stream does."""
        numbers = self._stream.append(records)
        with self._lock:
            self.passage.records_put += len(records)
            self.passage.bytes_put += sum(len(record.data) for record in records)
        return numbers

    def shards(self) -> Sequence[Shard]:
        """As the stream does."""
        return self._stream.shards()

    def reader(self, shard_id: str, *, after: str | None, at: str | None = None) -> ShardReader:
        """A reader that waits for the gate to open."""
        return _GateReader(self, self._stream.reader(shard_id, after=after, at=at))

    def wait_open(self) -> None:
        """Wait on this thread."""
        self._opened.wait()

    def count(self, batch: Batch) -> None:
        """A batch was read."""
        with self._lock:
            self.passage.records_read += len(batch.records)
            self.passage.bytes_read += sum(len(record.data) for record in batch.records)

    def done(self, records: int) -> None:
        """A batch was worked off and committed; the last one stops the clocks."""
        with self._lock:
            self._done += records
            if self._done < self._expected or self.finished.is_set():
                return
            before = self._started
            wall_s, cpu_s, collections_s = (
                now - then for now, then in zip(self._clocks(), before, strict=True)
            )
            self.passage.wall_s = wall_s
            self.passage.cpu_s = cpu_s - collections_s
            self.passage.collections_cpu_s = collections_s
            calls, carried = self._calls.snapshot()
            self.passage.calls = calls - self._calls_before[0]
            self.passage.carried = carried - self._calls_before[1]
            self.finished.set()

    def _clocks(self) -> tuple[float, float, float]:
        return time.perf_counter(), time.process_time(), self._collections.cpu_s


class _GateReader:
    """A reader behind the gate."""

    def __init__(self, gate: Gate, reader: ShardReader) -> None:
        self._gate = gate
        self._reader = reader
        self._read = 0

    def read(self, limit: int) -> Batch:
        self._gate.wait_open()
        if self._read:
            self._gate.done(self._read)
        batch = self._reader.read(limit)
        self._read = len(batch.records)
        self._gate.count(batch)
        return batch


class World:
    """The adapters of one process on a running MiniStack, and mails to put on its stream."""

    def __init__(self, settings: Settings, collections: FullCollections) -> None:
        """Connect, create what is needed, make the aliases known."""
        self.wiring = Wiring(settings)
        clients = self.wiring.clients
        create_resources(clients, settings.prefix)
        self.stream = self.wiring.stream()
        self.ports: Ports = self.wiring.ports("core")
        self.plan: Plan = self.wiring.plan()
        self.poll_interval_s = settings.poll_interval_s
        self.collections = collections
        self.calls = Calls()
        self.calls.watch(clients.kinesis)
        self.calls.watch(clients.dynamodb)
        self.calls.watch(clients.lookup, "alias ")
        self.length = 0
        self._mails = 0
        aliases = editor(self.wiring)
        for number, alias in enumerate(ALIASES):
            aliases.put(alias, [f"fulfilment.desk{number:02d}@warehouse.example.org"], TENANT)

    def put_mails(self, count: int) -> Sequence[OutgoingRecord]:
        """Append ``MailReceived`` of so many new mails."""
        now = self.wiring.clock.now()
        names = range(self._mails, self._mails + count)
        records = [received(f"mail-{number}", now=now) for number in names]
        self.stream.append(records)
        self._mails += count
        self.length += count
        return records

    def gate(self, mails: int) -> Gate:
        """A gate for mails of which each is received, decided about, and read back."""
        return Gate(self.stream, self.calls, self.collections, 2 * mails)

    def behind(self, gate: Gate) -> Ports:
        """The ports with the gate in the stream's place."""
        return replace(self.ports, stream=gate)

    def statuses(self, records: Sequence[OutgoingRecord]) -> Counter[str]:
        """How the view ``mails`` shows these mails."""
        names = [mail_of(record.subject) or "" for record in records]
        keys = [{"mail_key": mail_key(self.plan.generation, name)} for name in names]
        items = self.ports.store.get_all("mails", keys)
        return Counter("missing" if item is None else str(item["status"]) for item in items)


def forget_callers_aws() -> None:
    """Leave nothing in the environment by which boto could find a real account."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


@contextlib.contextmanager
def worlds(*prefixes: str) -> Iterator[list[World]]:
    """Worlds on one MiniStack that know nothing of each other, as long as the block lasts."""
    forget_callers_aws()
    with (
        tempfile.TemporaryDirectory(prefix="mailtumble-bench-") as folder,
        MiniStack(Path(folder) / "ministack.log") as aws,
    ):
        os.environ |= aws.environment()
        collections = FullCollections()
        made = [World(Settings(region=REGION, prefix=prefix), collections) for prefix in prefixes]
        try:
            yield made
        finally:
            collections.close()
            for each in made:
                each.wiring.clients.close()
