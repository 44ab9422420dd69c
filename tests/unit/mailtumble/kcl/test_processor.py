"""The record processor: kclpy's traps are shut, and the checkpoint follows the commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from mailtumble.kcl.processor import CHECKPOINT_EVERY_S, LaneProcessor
from mailtumble.ports.stream import StoredRecord
from schemas.errors import InvariantBroken
from schemas.ids import padded


class Died(BaseException):
    """The process would have ended."""


@dataclass
class Host:
    """Answers as told, and remembers."""

    cursor: str | None = None
    answers: dict[str, Any] = field(default_factory=dict)
    batches: list[list[StoredRecord]] = field(default_factory=list)
    is_silent: bool = False
    calls: list[str] = field(default_factory=list)
    last: str | None = None

    async def start(self, shard_id: str) -> str | None:
        """Where the cursor stands."""
        return self._answer(f"start {shard_id}", self.cursor)

    async def catch_up(self, until: str) -> bool:
        """Not allowed, unless told otherwise."""
        return bool(self._answer(f"catch up {until}", False))  # noqa: FBT003

    async def process(self, records: list[StoredRecord], lag_ms: int) -> str | None:
        """Committed whole, unless told otherwise."""
        assert lag_ms >= 0
        self.batches.append(records)
        if records:
            self.last = records[-1].sequence_number
        committed: str | None = self._answer("process", self.last)
        return committed

    async def close_shard(self) -> bool:
        """Done, unless told otherwise."""
        return bool(self._answer("close", True))  # noqa: FBT003

    async def release(self) -> str | None:
        """Committed whole, unless told otherwise."""
        committed: str | None = self._answer("release", self.last)
        return committed

    async def lease_lost(self) -> None:
        """Noted."""
        self._answer("lost", None)

    def _answer(self, call: str, usual: Any) -> Any:  # noqa: ANN401
        self.calls.append(call)
        answer = self.answers.get(call, usual)
        if isinstance(answer, BaseException):
            raise answer
        return answer


@dataclass
class Checkpointer:
    """amazon_kclpy's, without a daemon."""

    told: list[str | None] = field(default_factory=list)
    error: Exception | None = None

    def checkpoint(self, sequence_number: str | None = None) -> None:
        """Remember, or fail."""
        if self.error:
            raise self.error
        self.told.append(sequence_number)


class Scene:
    """A processor between a host and a checkpointer, and a clock."""

    def __init__(self, **host: Any) -> None:  # noqa: ANN401
        """Nothing has happened yet."""
        self.host = Host(**host)
        self.checkpointer = Checkpointer()
        self.at = 0.0
        self.processor = LaneProcessor(self.host, asyncio.run, self._die, monotonic=lambda: self.at)

    def initialize(self, sequence: str | None = None) -> None:
        """The daemon names the shard, and where it reads on after."""
        self.processor.initialize(SimpleNamespace(shard_id="s-0", sequence_number=sequence))

    def records(self, *numbers: str) -> None:
        """The daemon brings records."""
        told = [
            SimpleNamespace(
                sequence_number=number,
                partition_key="mail:1",
                binary_data=b"x",
                approximate_arrival_timestamp=datetime(2026, 1, 1, tzinfo=UTC),
            )
            for number in numbers
        ]
        self.processor.process_records(
            SimpleNamespace(records=told, millis_behind_latest=7, checkpointer=self.checkpointer)
        )

    def ask(self, callback: Callable[[Any], None]) -> None:
        """A callback with a checkpointer and no more."""
        callback(SimpleNamespace(checkpointer=self.checkpointer))

    def later(self) -> None:
        """A checkpoint is due."""
        self.at += CHECKPOINT_EVERY_S

    def _die(self) -> None:
        raise Died


def test_records_reach_the_lane_as_the_stream_stores_them() -> None:
    """Padded numbers, microseconds."""
    scene = Scene()
    scene.initialize()
    scene.records("12")
    ((record,),) = scene.host.batches
    assert record == StoredRecord(padded("12"), "mail:1", b"x", 1_767_225_600_000_000)


def test_the_checkpoint_follows_the_commit_now_and_then() -> None:
    """Not after each batch, and none twice; an empty read is an occasion too."""
    scene = Scene()
    scene.initialize()
    scene.records("1", "2")
    assert scene.checkpointer.told == []
    scene.later()
    scene.records("3")
    assert scene.checkpointer.told == ["3"]
    scene.records("4")
    scene.later()
    scene.records()
    scene.later()
    scene.records()
    assert scene.checkpointer.told == ["3", "4"]


def test_a_batch_that_is_not_done_is_not_checkpointed() -> None:
    """A silent lane lets records pass; they belong to whoever has the cursor."""
    scene = Scene()
    scene.initialize()
    scene.records("1")
    scene.host.answers.update(process=None, release=None)
    scene.later()
    scene.records("2")
    scene.ask(scene.processor.shutdown_requested)
    assert scene.checkpointer.told == ["1"]


def test_what_a_lane_has_gathered_is_checkpointed_when_it_is_committed() -> None:
    """At the end of a batch; the lane may commit in the middle of one, and between batches."""
    scene = Scene()
    scene.initialize()
    scene.host.answers["process"] = None
    for number in ("1", "2", "4"):
        scene.later()
        scene.records(number)
    assert scene.checkpointer.told == []
    scene.host.answers["process"] = padded("3")
    scene.later()
    scene.records()
    assert scene.checkpointer.told == ["2"]
    scene.host.answers["release"] = padded("4")
    scene.ask(scene.processor.shutdown_requested)
    assert scene.checkpointer.told == ["2", "4"]


@pytest.mark.parametrize("error", [ValueError("a bug"), SystemExit(0), KeyboardInterrupt()])
def test_an_error_ends_the_process(error: BaseException) -> None:
    """Kclpy would report success, and the batch would be skipped."""
    scene = Scene(answers={"process": error})
    scene.initialize()
    with pytest.raises(Died):
        scene.records("1")
    assert scene.checkpointer.told == []


def test_each_callbacks_error_ends_the_process() -> None:
    """Also at the start and at the end."""
    for call, callback in (
        ("start s-0", "initialize"),
        ("close", "shard_ended"),
        ("release", "shutdown_requested"),
        ("lost", "lease_lost"),
    ):
        scene = Scene(answers={call: InvariantBroken("no")})
        given = SimpleNamespace(
            shard_id="s-0", sequence_number=None, checkpointer=scene.checkpointer
        )
        with pytest.raises(Died):
            getattr(scene.processor, callback)(given)


def test_a_read_that_would_skip_records_is_refused() -> None:
    """The KCL's checkpoint may lag behind the cursor, and never lead it."""
    for cursor, sequence, good in (
        (None, "TRIM_HORIZON", True),
        (padded("5"), "5", True),
        (padded("5"), "4", True),
        (padded("5"), "10", False),
        (None, "1", False),
    ):
        scene = Scene(cursor=cursor)
        if good:
            scene.initialize(sequence)
            continue
        with pytest.raises(Died):
            scene.initialize(sequence)


def test_a_closed_shards_end_is_told_only_when_it_is_closed() -> None:
    """Then the KCL starts its children."""
    scene = Scene()
    scene.ask(scene.processor.shard_ended)
    assert scene.checkpointer.told == [None]
    scene = Scene(answers={"close": False})
    scene.ask(scene.processor.shard_ended)
    assert scene.checkpointer.told == []


@pytest.mark.parametrize(
    ("sequence", "cursor", "read"), [("7", None, True), ("7", "3", True), ("7", "7", False)]
)
def test_what_the_daemon_would_skip_is_read_where_that_is_allowed(
    sequence: str, cursor: str | None, *, read: bool
) -> None:
    """Up to the daemon's position, before its first batch."""
    call = f"catch up {padded(sequence)}"
    scene = Scene(cursor=cursor and padded(cursor), answers={call: True})
    scene.initialize(sequence)
    assert (call in scene.host.calls) == read
    assert scene.host.calls[0] == "start s-0"


def test_a_checkpoint_without_a_lease_is_no_error() -> None:
    """The lease is gone: no more is tried."""
    scene = Scene()
    scene.initialize()
    scene.records("1")
    scene.checkpointer.error = Exception("ShutdownException")
    scene.ask(scene.processor.shutdown_requested)
    scene.checkpointer.error = None
    scene.ask(scene.processor.shutdown_requested)
    assert scene.checkpointer.told == []


def test_a_checkpoint_that_is_throttled_comes_later() -> None:
    """With the next occasion."""
    scene = Scene()
    scene.initialize()
    scene.checkpointer.error = Exception("ThrottlingException")
    scene.later()
    scene.records("1")
    scene.checkpointer.error = None
    scene.later()
    scene.records()
    assert scene.checkpointer.told == ["1"]


def test_an_invalid_state_ends_the_process() -> None:
    """Kclpy's documentation: it can't be retried."""
    scene = Scene()
    scene.initialize()
    scene.checkpointer.error = Exception("InvalidStateException")
    scene.later()
    with pytest.raises(Died):
        scene.records("1")
