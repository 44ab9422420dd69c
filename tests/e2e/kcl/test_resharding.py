"""Shards are split and merged while mail flows: under the KCL, and by the embedded host.

Kinesis is kinesis-mock's, which closes parents, lists children and refuses as Kinesis does; the
rest of AWS is MiniStack's, and what is sent goes to the local SES.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from mailtumble.ports.stream import Shard
from schemas.envelope import EventEnvelope
from schemas.events import (
    Event,
    MailReceived,
    SendAccepted,
    SendScheduled,
    SendStarted,
    SendUnknown,
    TimerFired,
)
from schemas.values import TimerKind
from tests.e2e.kcl.fleet import ALIAS, PREFIX, RAW, Fleet, _name
from tests.e2e.kinesis_mock import KinesisMock
from tests.e2e.local_ses import LocalSes

pytestmark = pytest.mark.external

STREAM = f"{PREFIX}-events"
MAILS = 2000
PORTION, EVERY_S = 40, 1.0
"""Mails come in so many at a time, all the while."""
LATER, HELD = "later@house.example", "held@house.example"
WAITING = 60
"""Of each: mails that wait from before the split until after it."""
WAITS_S = 60
RATE = 50
"""Mails a second: more than a busy machine carries out in time would be put off again and again."""
BEGINS_WITHIN_S = 600
RESHARDED_WITHIN_S = 600
ENDED_WITHIN_S = 900

LIFE: tuple[type[Event], ...] = (MailReceived, SendScheduled, SendStarted, SendAccepted)

RULES = f"""
[[rule]]
name = "held for a while"
action = "hold"
reason = "a moderator may look"
recipient = "{HELD}"
expires_after_h = {WAITS_S / 3600:.6f}
on_expiry = "approve"
"""


class Reshaped:
    """A fleet whose stream can be split and merged."""

    def __init__(self, fleet: Fleet, ses: LocalSes) -> None:
        """The stream has two shards, and no worker yet."""
        self.fleet = fleet
        self.ses = ses
        self._fed = threading.Thread(target=self._feed)
        self._failure: BaseException | None = None

    def open(self) -> list[Shard]:
        """The shards that take records, by their ranges."""
        shards = [each for each in self.fleet.stream.shards() if not each.closed]
        return sorted(shards, key=lambda each: each.first_hash_key)

    def split(self, shard: Shard, at: int) -> None:
        """Split a shard in two, the second of which begins ``at`` this hash key."""
        self.fleet.clients.kinesis.split_shard(
            StreamName=STREAM, ShardToSplit=shard.id, NewStartingHashKey=str(at)
        )
        self._settle()

    def merge(self, one: Shard, two: Shard) -> Shard:
        """Make one shard of two neighbours."""
        self.fleet.clients.kinesis.merge_shards(
            StreamName=STREAM, ShardToMerge=one.id, AdjacentShardToMerge=two.id
        )
        self._settle()
        (made,) = [each for each in self.open() if set(each.parents) == {one.id, two.id}]
        return made

    def begin_feeding(self) -> None:
        """Mails come in from here on, until there are :data:`MAILS`."""
        self._fed.start()

    def end_feeding(self) -> None:
        """All of them are in."""
        self._fed.join()
        assert self._failure is None, self._failure

    def begun(self, shards: Sequence[Shard]) -> bool:
        """Whether both applications have taken these shards over."""
        cursors = {str(item["cursor"]) for item in self.fleet.items.scan("cursors")}
        names = (
            f"{application}#{each.id}" for each in shards for application in ("core#g1", "sender#0")
        )
        return all(name in cursors for name in names)

    def closed(self) -> set[str]:
        """The cursors of shards that are read to their ends."""
        return {
            str(item["cursor"]) for item in self.fleet.items.scan("cursors") if item.get("closed")
        }

    def _feed(self) -> None:
        try:
            while self.fleet.told < MAILS:
                self.fleet.tell(min(PORTION, MAILS - self.fleet.told))
                time.sleep(EVERY_S)
        except BaseException as error:  # noqa: BLE001 - told by end_feeding
            self._failure = error

    def _settle(self) -> None:
        kinesis = self.fleet.clients.kinesis

        def is_active() -> bool:
            told = kinesis.describe_stream_summary(StreamName=STREAM)["StreamDescriptionSummary"]
            return told["StreamStatus"] == "ACTIVE"

        self.fleet.until(is_active, BEGINS_WITHIN_S)


@pytest.fixture
def reshaped(tmp_path: Path) -> Iterator[Reshaped]:
    """A stream of two shards, three aliases, and the bytes of all mails that will come."""
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES, encoding="utf-8")
    with KinesisMock(tmp_path / "kinesis.log") as kinesis:
        fleet = Fleet(tmp_path, shards=2, endpoints={"AWS_ENDPOINT_URL_KINESIS": kinesis.endpoint})
        try:
            with LocalSes(tmp_path, fleet.resources, fleet.environment, rate=RATE) as ses:
                fleet.environment |= {
                    "AWS_ENDPOINT_URL_SESV2": ses.endpoint,
                    "MAILTUMBLE_MODERATION_RULES": str(rules),
                    "MAILTUMBLE_QUOTA_POLL_S": "2",
                    # Nobody dies here: a lease lost to the machine's load would be noise.
                    "MAILTUMBLE_KCL_FAILOVER_MS": "10000",
                }
                add = ("aliases", "add")
                for command in (
                    (*add, ALIAS, "ann@far.example"),
                    (*add, LATER, "ben@far.example", "--delay", str(WAITS_S)),
                    (*add, HELD, "cid@far.example"),
                ):
                    done = fleet.call(*command)
                    assert done.returncode == 0, done.stderr
                with ThreadPoolExecutor(8) as threads:
                    list(threads.map(lambda number: _store(fleet, number), range(MAILS)))
                yield Reshaped(fleet, ses)
        finally:
            fleet.close()


def _store(fleet: Fleet, number: int) -> None:
    fleet.clients.s3.put_object(
        Bucket=fleet.resources.buckets["mail"], Key=f"inbound/{_name(number)}", Body=RAW
    )


@pytest.mark.parametrize("host", ["embedded", "kcl"])
def test_mail_flows_through_split_and_merge(reshaped: Reshaped, host: str) -> None:
    """From 2 shards to 4, one of them split unevenly, and back to 2, while 2,000 mails flow.

    Each mail's records stay in order, what was due was found by its new owners, all mails end,
    and each was sent once.
    """
    fleet = reshaped.fleet
    for name in ("a", "b") if host == "kcl" else ("a",):
        fleet.start(name, "core", host)
    fleet.start("s", "sender", host)
    fleet.until(lambda: reshaped.begun(reshaped.open()), BEGINS_WITHIN_S)
    fleet.tell(WAITING, LATER)
    fleet.tell(WAITING, HELD)
    reshaped.begin_feeding()
    fleet.until(lambda: fleet.shown() > 4 * WAITING, BEGINS_WITHIN_S)

    roots = reshaped.open()
    one, two = roots
    reshaped.split(one, (one.first_hash_key + one.last_hash_key + 1) // 2)
    # Not where a bucket of timers begins: the children share one.
    reshaped.split(two, two.first_hash_key + (two.last_hash_key - two.first_hash_key) // 7)
    quarters = reshaped.open()
    assert len(quarters) == 4
    fleet.until(lambda: reshaped.begun(quarters), RESHARDED_WITHIN_S)
    assert fleet.told < MAILS

    # Neighbours of two workers first, where there are such: their child waits for both.
    owners = fleet.owners()
    first, second = next(
        (pair for pair in pairwise(quarters) if owners.get(pair[0].id) != owners.get(pair[1].id)),
        (quarters[0], quarters[1]),
    )
    halves = [reshaped.merge(first, second)]
    rest = reshaped.open()
    pair = next(pair for pair in pairwise(rest) if set(pair) & set(halves) or first != quarters[1])
    fleet.until(lambda: reshaped.begun(halves), RESHARDED_WITHIN_S)
    reshaped.merge(*pair)
    ends = reshaped.open()
    assert len(ends) == 2
    reshaped.end_feeding()
    fleet.until(lambda: reshaped.begun(ends), RESHARDED_WITHIN_S)

    fleet.until(lambda: fleet.shown() == MAILS, ENDED_WITHIN_S)
    fleet.until(lambda: fleet.statuses() == {"completed"}, ENDED_WITHIN_S)
    fleet.settled()
    _all_were_sent_once(reshaped)
    _order_was_kept(fleet.records())
    _waiting_work_moved(fleet.by_shard(), {each.id for each in roots})
    read = {each.id for each in fleet.stream.shards() if each.closed}
    assert reshaped.closed() == {
        f"{name}#{each}" for each in read for name in ("core#g1", "sender#0")
    }
    assert all(worker.process.poll() is None for worker in fleet.workers)


def _all_were_sent_once(reshaped: Reshaped) -> None:
    """Save recorded unknowns, which a machine may have that is slow."""
    records = {record.id: record for record in reshaped.fleet.records()}.values()
    kinds = Counter(type(event) for record in records for event in record.events)
    assert kinds[SendAccepted] >= MAILS
    assert len(reshaped.ses.sent()) <= MAILS + kinds[SendUnknown]


def _order_was_kept(records: Sequence[EventEnvelope]) -> None:
    """Parents before children, a mail's life is in its order; a record that repeats is one.

    On a machine that is slow an attempt may be put off and begun again.
    """
    lives: dict[str, list[Event]] = {}
    for record in {each.id: each for each in records}.values():
        if record.subject.startswith("mail:"):
            lives.setdefault(record.subject, []).extend(record.events)
    assert len(lives) == MAILS
    for subject, events in lives.items():
        kinds = list(dict.fromkeys(type(each) for each in events))
        assert [each for each in kinds if each in LIFE] == list(LIFE), (subject, kinds)
        begun: dict[type[Event], list[str]] = {kind: [] for kind in LIFE}
        for event in events:
            match event:
                case SendScheduled() | SendStarted() | SendAccepted():
                    before = LIFE[LIFE.index(type(event)) - 1]
                    assert before is MailReceived or event.attempt_id in begun[before], subject
                    begun[type(event)].append(event.attempt_id)
                case _:
                    pass
        unknown = sum(isinstance(event, SendUnknown) for event in events)
        assert 1 <= len(begun[SendAccepted]) <= 1 + unknown, subject


def _waiting_work_moved(by_shard: dict[str, list[EventEnvelope]], roots: set[str]) -> None:
    """What was put off on a shard that ended meanwhile was done on another one."""
    at: dict[str, dict[type, str]] = {}
    timers: dict[str, str] = {}
    for shard_id, records in by_shard.items():
        for record in records:
            for event in record.events:
                at.setdefault(record.subject, {}).setdefault(type(event), shard_id)
                if isinstance(event, TimerFired) and event.kind is TimerKind.MODERATION:
                    timers[record.subject] = shard_id
    held = [subject for subject in timers if at[subject][MailReceived] in roots]
    assert len(held) == WAITING
    assert not {timers[subject] for subject in held} & roots
    later = [
        subject
        for subject, where in at.items()
        if SendScheduled in where
        and where[SendScheduled] in roots
        and where.get(SendStarted) not in roots
    ]
    assert len(later) >= WAITING
