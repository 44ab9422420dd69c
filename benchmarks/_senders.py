"""One process of benchmarks/pacing.py: ``_senders.py KIND PLACE OF SKEW_MS``.

- whole: all that ``mailtumble worker sender`` is, on its share of the shards (a fleet of embedded
  hosts, which the product leaves to the KCL): queue, claims, events, S3, and the calls.
- parts: the product's pacing and transport, of which a whole sender makes its calls, without queue
  and claims.
- adaptive: botocore's adaptive retry mode, as many attempts as it takes.
- bucket: a token bucket of this process, with its share of the rate.
- core: no sender, but all that ``mailtumble worker core`` is, beside them.

Parts, adaptive and bucket are never out of mails. Nothing ends by itself but with the parent.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

import boto3
from botocore.config import Config

from mailtumble.aws import clock as aws_clock
from mailtumble.local.ministack import free_port
from mailtumble.logs import log_to_stderr
from mailtumble.parent import die_with
from mailtumble.ports.stream import EventStream, OutgoingRecord, Shard, ShardReader
from mailtumble.ports.world import OutgoingMail, SendRefused
from mailtumble.sender.entry import Entry
from mailtumble.sender.quota import ITEM
from mailtumble.sender.transmission import Job
from mailtumble.settings import load_settings
from mailtumble.wiring import Wiring
from mailtumble.worker.assembly import SenderParts
from mailtumble.worker.core_host import CoreWork
from mailtumble.worker.host import EmbeddedHost
from mailtumble.worker.lease import FLEET, HostLease
from mailtumble.worker.sender_host import CALLS_MAX, FLEET_S, PACE_S, SenderWork
from processors.sending.pacing import Appetite
from schemas.errors import RetryableError
from schemas.events import SendAccepted
from schemas.values import SECOND_US, DeferReason

OBJECT_KEY: Final = "inbound/mail"
"""All mails of a run are the same bytes."""
THREADS: Final = 16
ATTEMPTS_MAX: Final = 1_000
LEARNS_BY: Final = 60
"""Calls to AWS before the first send: a whole sender makes more when it takes its shards over."""
SENDER: Final = "orders@shop.example.com"
RECIPIENT: Final = "fulfilment.desk@warehouse.example.org"


class Share:
    """The event stream with every ``of``-th of its shards."""

    def __init__(self, stream: EventStream, place: int, of: int) -> None:
        """``place`` counts from 0."""
        self._stream = stream
        self._place = place
        self._of = of

    def append(self, records: Sequence[OutgoingRecord]) -> Sequence[str]:
        """As the stream does."""
        return self._stream.append(records)

    def shards(self) -> Sequence[Shard]:
        """Those of this share."""
        shards = sorted(self._stream.shards(), key=lambda each: each.id)
        return shards[self._place :: self._of]

    def reader(self, shard_id: str, *, after: str | None, at: str | None = None) -> ShardReader:
        """As the stream does."""
        return self._stream.reader(shard_id, after=after, at=at)


def whole(wired: Wiring, place: int, of: int) -> None:
    """Host the product's sender on a share of the shards."""
    ports = wired.ports("sender")
    ports = replace(ports, stream=Share(ports.stream, place, of))
    host = EmbeddedHost(
        SenderWork,
        ports,
        wired.plan(),
        web_port=free_port(),
        poll_interval_s=wired.settings.poll_interval_s,
    )
    # A single embedded host would keep the others out; the KCL's workers hold the place together.
    host._lease = HostLease(ports.store, host.application, FLEET)  # noqa: SLF001
    _freeze()
    asyncio.run(host.run(asyncio.Event()))


def core(wired: Wiring) -> None:
    """Host the product's core on all shards."""
    host = EmbeddedHost(
        CoreWork,
        wired.ports("core"),
        wired.plan(),
        web_port=free_port(),
        poll_interval_s=wired.settings.poll_interval_s,
    )
    _freeze()
    asyncio.run(host.run(asyncio.Event()))


class Parts:
    """Instants, quota, appetite, clock and transmission, driven as the sender's host does."""

    def __init__(self, wired: Wiring) -> None:
        """Nothing is known of the quota yet."""
        self._ports = wired.ports("sender")
        plan = wired.plan()
        self._send_us = plan.times.send_us
        self._parts = SenderParts(self._ports, plan, lambda: False)
        self._appetite = Appetite()
        self._calls = ThreadPoolExecutor(CALLS_MAX)
        self._under_way = 0
        self._lock = threading.Lock()
        self._entry = _entry(wired.bucket)

    def run(self) -> None:
        """Learn AWS's time, then pace for ever."""
        for _ in range(LEARNS_BY):
            self._ports.store.get("fleet", ITEM)
            time.sleep(2 / LEARNS_BY)
        _freeze()
        asked_at = 0.0
        while True:
            begun = time.monotonic()
            if begun >= asked_at + FLEET_S:
                asked_at = begun
                _unless_aws_is_away(self._parts.poll)
            if self._parts.quota.known is not None:
                _unless_aws_is_away(self._pace)
            time.sleep(max(0.0, begun + PACE_S - time.monotonic()))

    def _pace(self) -> None:
        with self._lock:
            now = self._ports.clock.now()
            room = min(CALLS_MAX - self._under_way, self._appetite.wanted(now))
        if room <= 0:
            return
        taken = self._parts.fleet.instants.take(room, now)
        self._appetite = self._appetite.after(room, taken, now, CALLS_MAX)
        with self._lock:
            self._under_way += len(taken)
        for instant_at in taken:
            self._calls.submit(self._carry_out, Job(self._entry, instant_at, now + self._send_us))

    def _carry_out(self, job: Job) -> None:
        outcome = self._parts.transmission.carry_out(job, self)
        if not isinstance(outcome, SendAccepted):
            _unless_aws_is_away(lambda: self._parts.heed(job, outcome))
        with self._lock:
            self._under_way -= 1

    def may_call(self, job: Job) -> bool:  # noqa: ARG002 - nobody else is there
        """Always."""
        return True

    def holds(self, job: Job) -> bool:
        """See :class:`Permission`."""
        return self._parts.fleet.instants.holds(job.instant_at)

    def another_instant(self, job: Job) -> int | None:
        """See :class:`Permission`."""
        return self._parts.fleet.instants.another(self._ports.clock, job.send_before)


def adaptive(wired: Wiring) -> None:
    """Send as fast as botocore lets us."""
    retries: Any = {"mode": "adaptive", "total_max_attempts": ATTEMPTS_MAX}
    config = Config(retries=retries, max_pool_connections=THREADS, parameter_validation=False)
    client = boto3.client("sesv2", region_name=wired.settings.region, config=config)
    content: Any = {"Raw": {"Data": wired.objects().get(wired.bucket, OBJECT_KEY)}}
    _on_threads(
        lambda: client.send_email(
            FromEmailAddress=SENDER,
            Destination={"ToAddresses": [RECIPIENT]},
            Content=content,
        )
    )


class TokenBucket:
    """Fills at a rate, holds a second's worth, and is full at the start."""

    def __init__(self, rate: float) -> None:
        """``rate``: tokens a second."""
        self._rate = rate
        self._tokens = rate
        self._filled_at = time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Take one, waiting for it on this thread."""
        with self._lock:
            now = time.monotonic()
            filled = self._tokens + (now - self._filled_at) * self._rate
            self._tokens = min(filled, max(1.0, self._rate)) - 1
            self._filled_at = now
            wait_s = max(0.0, -self._tokens / self._rate)
        time.sleep(wait_s)


def bucket(wired: Wiring, of: int) -> None:
    """Send by a bucket of our own; what is refused waits for another token."""
    provider = wired.provider()
    tokens = TokenBucket(provider.quota().max_send_rate * wired.settings.rate_fraction / of)
    mail = OutgoingMail(wired.objects().get(wired.bucket, OBJECT_KEY), SENDER, RECIPIENT, {})

    def send() -> None:
        tokens.take()
        try:
            provider.send(mail)
        except SendRefused as error:
            if error.reason != DeferReason.THROTTLED:
                raise

    _on_threads(send)


def _on_threads(send: Callable[[], object]) -> None:
    def again_and_again() -> None:
        while True:
            send()

    _freeze()
    with ThreadPoolExecutor(THREADS) as threads:
        for each in [threads.submit(again_and_again) for _ in range(THREADS)]:
            each.result()


def _entry(mail_bucket: str) -> Entry:
    return Entry(
        subject="mail:bench",
        mail_id="bench",
        target=0,
        attempt_id="bench",
        number=1,
        round=0,
        address=RECIPIENT,
        tenant="shop",
        source="newsletter.example.net",
        urgent=False,
        received_at=0,
        due_at=0,
        expires_at=2**62,
        cancelled=False,
        alias=SENDER,
        route=SENDER,
        wanted=False,
        tags=(),
        envelope_sender="bounces@newsletter.example.net",
        bucket=mail_bucket,
        object_key=OBJECT_KEY,
    )


def _unless_aws_is_away(step: Callable[[], object]) -> None:
    try:
        step()
    except RetryableError as error:
        print(error, file=sys.stderr, flush=True)


def _freeze() -> None:
    """As the worker does: half a million objects of botocore's are looked at no more."""
    gc.collect()
    gc.freeze()


def main() -> None:
    """Be one of them."""
    kind, place, of, skew_ms = sys.argv[1], *map(int, sys.argv[2:])
    die_with(os.getppid())
    log_to_stderr("warning", "text")
    by_the_machine = aws_clock.machine_time
    aws_clock.machine_time = lambda: by_the_machine() + skew_ms * SECOND_US // 1000
    wired = Wiring(load_settings())
    kinds: Mapping[str, Callable[[], object]] = {
        "whole": lambda: whole(wired, place, of),
        "parts": lambda: Parts(wired).run(),
        "adaptive": lambda: adaptive(wired),
        "bucket": lambda: bucket(wired, of),
        "core": lambda: core(wired),
    }
    kinds[kind]()


if __name__ == "__main__":
    main()
