"""What boto3 alone costs for the calls that core makes: ready-made arguments in, parsed answer out.

The same kind of clients and the same MiniStack, in the same run; no adapter around them. Records
and items are copies of real ones, and lie in a world that no worker looks at any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from _mails import ALIASES, life
from _world import World
from fold import fold_ours

from mailtumble.definition import physical_name
from mailtumble.ports.stream import OutgoingRecord
from mailtumble.worker.views import mail_key
from schemas.ids import mail_of

RECORDS: Final = 500
ITEMS: Final = 100
READ_LIMIT: Final = 1000
CALLS: Final = 4
"""Of each kind, in a probe."""

READ: Final = "GetRecords"
PUT: Final = "PutRecords"
GET: Final = "BatchGetItem"
LOOK_UP: Final = "alias BatchGetItem"
TRANSACT: Final = "TransactWriteItems"
COMPUTE: Final = "computing alone"


@dataclass(slots=True)
class Cost:
    """Something that is timed: how much a call of it carries, and each probe's seconds a call."""

    carries: int
    cpu_s: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)

    def cpu_us(self) -> float:
        """CPU-microseconds for each thing carried: the median of the probes."""
        return median(self.cpu_s) * 1e6 / self.carries

    def wall_us(self) -> float:
        """Microseconds by the wall clock, MiniStack's share included, one call at a time."""
        return median(self.wall_s) * 1e6 / self.carries


class Limits:
    """Probes, to be repeated between the rounds of what they are compared with."""

    def __init__(self, world: World, mail: OutgoingRecord) -> None:
        """Make copies of the records and items of a mail that is scheduled in this world."""
        clients, prefix = world.wiring.clients, world.wiring.settings.prefix
        self._collections = world.collections
        self._kinesis: Any = clients.kinesis
        self._dynamodb: Any = clients.dynamodb
        self._aliases: Any = clients.lookup
        self._stream = physical_name(prefix, "events")
        self._tables = {
            name: physical_name(prefix, name) for name in ("subjects", "mails", "aliases")
        }
        self._data = mail.data
        self._iterators = self._latest()
        self._entries = self._copies(world.plan.generation, mail)
        self._history = life("limit")[:2]
        self._probes = 0
        probed: Mapping[str, tuple[int, Callable[[], None]]] = {
            PUT: (RECORDS, self._put),
            # What was put is read back: from all shards together the same number of records.
            READ: (RECORDS, self._read),
            GET: (ITEMS, self._get),
            LOOK_UP: (len(ALIASES), self._look_up),
            TRANSACT: (ITEMS, self._transact),
            COMPUTE: (RECORDS, self._compute),
        }
        self._calls = {name: call for name, (_, call) in probed.items()}
        self.costs = {name: Cost(carries) for name, (carries, _) in probed.items()}

    def probe(self) -> None:
        """Make each call a few times, and write down the mean of each."""
        self._probes += 1
        for name, calls in self._calls.items():
            wall, cpu = time.perf_counter(), self._cpu_s()
            calls()
            self.costs[name].cpu_s.append((self._cpu_s() - cpu) / CALLS)
            self.costs[name].wall_s.append((time.perf_counter() - wall) / CALLS)

    def _cpu_s(self) -> float:
        return time.process_time() - self._collections.cpu_s

    def _put(self) -> None:
        for call in range(CALLS):
            keys = (f"mail:{self._probes}-{call}-{number}" for number in range(RECORDS))
            records = [{"Data": self._data, "PartitionKey": key} for key in keys]
            self._kinesis.put_records(StreamName=self._stream, Records=records)

    def _read(self) -> None:
        for shard, iterator in self._iterators.items():
            answer = self._kinesis.get_records(ShardIterator=iterator, Limit=READ_LIMIT)
            self._iterators[shard] = answer["NextShardIterator"]

    def _get(self) -> None:
        """Subjects that are not there yet, as those of new mails."""
        for call in range(CALLS):
            names = (f"core#{self._probes}-{call}-{number}" for number in range(ITEMS))
            keys = [{"subject_key": {"S": name}} for name in names]
            wanted = {self._tables["subjects"]: {"Keys": keys, "ConsistentRead": True}}
            self._dynamodb.batch_get_item(RequestItems=wanted)

    def _look_up(self) -> None:
        keys = [{"alias": {"S": name}} for name in ALIASES]
        wanted = {self._tables["aliases"]: {"Keys": keys, "ConsistentRead": True}}
        for _ in range(CALLS):
            self._aliases.batch_get_item(RequestItems=wanted)

    def _transact(self) -> None:
        for _ in range(CALLS):
            self._dynamodb.transact_write_items(TransactItems=self._entries)

    def _compute(self) -> None:
        """What is computed for a mail up to here: its two records, its one decision."""
        for _ in range(CALLS * RECORDS):
            fold_ours(self._history)

    def _latest(self) -> dict[str, str]:
        shards = self._kinesis.list_shards(StreamName=self._stream)["Shards"]
        return {
            shard["ShardId"]: self._kinesis.get_shard_iterator(
                StreamName=self._stream, ShardId=shard["ShardId"], ShardIteratorType="LATEST"
            )["ShardIterator"]
            for shard in shards
        }

    def _copies(self, generation: str, mail: OutgoingRecord) -> Sequence[Mapping[str, Any]]:
        """Puts of the two items that each record of a mail writes, for many mails."""
        keys = {
            "subjects": ("subject_key", f"core#{generation}#{mail.subject}"),
            "mails": ("mail_key", mail_key(generation, mail_of(mail.subject) or "")),
        }
        entries: list[Mapping[str, Any]] = []
        for name, (key, value) in keys.items():
            table = self._tables[name]
            answer = self._dynamodb.get_item(
                TableName=table, Key={key: {"S": value}}, ConsistentRead=True
            )
            for number in range(ITEMS // len(keys)):
                item = {**answer["Item"], key: {"S": f"{value}{number:03d}"}}
                entries.append({"Put": {"TableName": table, "Item": item}})
        return entries
