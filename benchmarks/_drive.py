"""Three ways to drive core's lanes over a gate: bare on one thread, on a thread a shard, hosted."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from _world import Gate, Passage, World

from mailtumble.local.ministack import free_port
from mailtumble.ports.stream import OutgoingRecord, ShardReader
from mailtumble.worker.assembly import core_lane
from mailtumble.worker.core_host import CoreWork
from mailtumble.worker.host import READ_LIMIT, EmbeddedHost
from mailtumble.worker.lane_host import TICK_S
from mailtumble.worker.shard import ShardProcessor

READY_WITHIN_S: Final = 30.0
DONE_WITHIN_S: Final = 300.0

BARE: Final = "bare, one thread"
THREADS: Final = "bare, a thread a shard"
FAUST: Final = "hosted by Faust"


class Stuck(Exception):  # noqa: N818 - what was found
    """The lanes did not do what was measured; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One shard's processor and its place in the stream."""

    processor: ShardProcessor
    reader: ShardReader

    def step(self) -> bool:
        """Read once and work that off; whether there was anything."""
        batch = self.reader.read(READ_LIMIT)
        if batch.records:
            self.processor.process(batch.records)
        self.processor.tick()
        return bool(batch.records)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One driving of some mails from the stream to scheduled.

    Attributes:
        mode: how the lanes were driven.
        length: records on the stream before these mails came.
        mails: how many they were.
        passage: what it took.
        takeover_cpu_s: CPU-seconds until all lanes were ready, the start of the host included.
        takeover_calls: AWS calls until then.
        idle_ms: CPU-milliseconds a second of waiting for more, at the end.
        sample: one of the mails, as it was received.
    """

    mode: str
    length: int
    mails: int
    passage: Passage
    takeover_cpu_s: float
    takeover_calls: int
    idle_ms: float
    sample: OutgoingRecord

    def cpu_us(self) -> float:
        """CPU-microseconds a mail, without full garbage collections."""
        return self.passage.cpu_s * 1e6 / self.mails

    def collections_us(self) -> float:
        """CPU-microseconds a mail of those: nothing in most rounds, so only a mean tells."""
        return self.passage.collections_cpu_s * 1e6 / self.mails


@dataclass(slots=True)
class _Clock:
    """CPU time and AWS calls since it was made."""

    world: World
    cpu_s: float
    calls: Counter[str]

    @classmethod
    def start(cls, world: World) -> _Clock:
        return cls(world, time.process_time(), world.calls.snapshot()[0])

    def read(self) -> tuple[float, int]:
        calls = self.world.calls.snapshot()[0] - self.calls
        return time.process_time() - self.cpu_s, calls.total()


def drive(mode: str, world: World, mails: int, idle_s: float) -> Round:
    """Put new mails on the stream and drive them until every one of them is scheduled.

    Raises:
        Stuck: not all of them were, or there was more to it (void records, repeats).
    """
    length = world.length
    records = world.put_mails(mails)
    gate = world.gate(mails)
    if mode == FAUST:
        taken_over, idle_ms, processors = asyncio.run(_hosted(world, gate, idle_s))
    else:
        taken_over, idle_ms, processors = _bare(world, gate, idle_s, a_thread_each=mode == THREADS)
    world.length += gate.passage.records_put
    _check(processors, mails, world.statuses(records))
    return Round(
        mode=mode,
        length=length,
        mails=mails,
        passage=gate.passage,
        takeover_cpu_s=taken_over[0],
        takeover_calls=taken_over[1],
        idle_ms=idle_ms,
        sample=records[0],
    )


def _check(processors: Sequence[ShardProcessor], mails: int, statuses: Counter[str]) -> None:
    tallies = [processor.tally for processor in processors]
    decided = sum(tally.decided for tally in tallies)
    accepted = sum(tally.accepted for tally in tallies)
    if decided != mails or accepted != 2 * mails or statuses != {"scheduled": mails}:
        message = f"{mails} mails: {decided} decided, {accepted} accepted, {dict(statuses)}"
        raise Stuck(message)


Outcome = tuple[tuple[float, int], float, list[ShardProcessor]]


def _bare(world: World, gate: Gate, idle_s: float, *, a_thread_each: bool) -> Outcome:
    clock = _Clock.start(world)
    ports = world.behind(gate)
    lanes: list[Lane] = []
    for shard in gate.shards():
        processor = core_lane(shard, ports, world.plan, lambda: False)
        after = processor.take_over()
        lanes.append(Lane(processor, gate.reader(shard.id, after=after)))
    taken_over = clock.read()
    groups = [[lane] for lane in lanes] if a_thread_each else [lanes]
    with ThreadPoolExecutor(len(groups)) as threads:
        working = [threads.submit(_loop, group, gate, world.poll_interval_s) for group in groups]
        gate.open()
        for work in working:
            work.result()
    idle_ms = _idle(lanes, world.poll_interval_s, idle_s)
    for lane in lanes:
        lane.processor.release()
    return taken_over, idle_ms, [lane.processor for lane in lanes]


def _loop(lanes: Sequence[Lane], gate: Gate, poll_interval_s: float) -> None:
    """Read shard after shard; wait, as the host does, where there was nothing."""
    try:
        while not gate.finished.is_set():
            busy = [lane.step() for lane in lanes]
            if not any(busy):
                gate.finished.wait(poll_interval_s)
    finally:
        # An error in one thread is not to leave the others waiting for its records.
        gate.end()


def _idle(lanes: Sequence[Lane], poll_interval_s: float, idle_s: float) -> float:
    """CPU-milliseconds a second of looking for more, with the host's intervals."""
    cpu, start = time.process_time(), time.monotonic()
    read_at = start
    while (now := time.monotonic()) < start + idle_s:
        if now >= read_at:
            read_at = now + poll_interval_s
            for lane in lanes:
                lane.step()
        else:
            for lane in lanes:
                lane.processor.tick()
        time.sleep(TICK_S)
    return _idle_ms(cpu, start)


def _idle_ms(cpu: float, start: float) -> float:
    return (time.process_time() - cpu) * 1e3 / (time.monotonic() - start)


async def _hosted(world: World, gate: Gate, idle_s: float) -> Outcome:
    clock = _Clock.start(world)
    host = EmbeddedHost(
        CoreWork,
        world.behind(gate),
        world.plan,
        web_port=free_port(),
        poll_interval_s=world.poll_interval_s,
    )
    shards = len(await asyncio.to_thread(gate.shards))
    stop = asyncio.Event()
    running = asyncio.create_task(host.run(stop))
    try:
        await _until(running, lambda: len(host.lanes) == shards)
        taken_over = clock.read()
        gate.open()
        await _finished(running, gate)
        cpu, start = time.process_time(), time.monotonic()
        await asyncio.sleep(idle_s)
        idle_ms = _idle_ms(cpu, start)
    finally:
        # After an error no thread is to wait at the gate: the process could not end.
        gate.end()
    stop.set()
    await running
    return taken_over, idle_ms, _processors(host)


async def _until(running: asyncio.Task[None], ready: Callable[[], bool]) -> None:
    """Wait until the host's lanes are there; its error, if it ends before."""
    deadline = time.monotonic() + READY_WITHIN_S
    while not ready():
        if running.done():
            await running
        if time.monotonic() > deadline:
            message = f"the host has not taken all shards over within {READY_WITHIN_S:.0f} s"
            raise Stuck(message)
        await asyncio.sleep(0.02)


async def _finished(running: asyncio.Task[None], gate: Gate) -> None:
    """Wait on a thread, so that the event loop has nothing to do for it."""
    waiting = asyncio.ensure_future(asyncio.to_thread(gate.finished.wait, DONE_WITHIN_S))
    either: set[asyncio.Future[object]] = {running, waiting}  # type: ignore[arg-type]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        gate.end()
        await running
    if not await waiting:
        message = f"the host has not worked the mails off within {DONE_WITHIN_S:.0f} s"
        raise Stuck(message)


def _processors(host: EmbeddedHost) -> list[ShardProcessor]:
    lanes = [hosted.lane for hosted in host.lanes.values()]
    return [lane for lane in lanes if isinstance(lane, ShardProcessor)]
