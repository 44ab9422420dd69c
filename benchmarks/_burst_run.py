"""One burst through a local stack of its own: everything `mailtumble local` starts, real mails."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from _burst_evidence import LocalSes, OnStream, Sent, read_stream
from _burst_mails import Notice, Place, offer, put_aliases, store
from _burst_watch import Taken, Watch

from mailtumble.cli.aliases import editor
from mailtumble.cli.output import progress_bar
from mailtumble.definition import physical_name
from mailtumble.local.stack import LocalStack, StackOptions, read_processes
from mailtumble.settings import load_settings
from mailtumble.wiring import Wiring

POLL_S: Final = 1.0
STUCK_S: Final = 60.0
"""Nothing moves any more: what is missing then is lost."""
QUIET_MS: Final = 1_000
LIMITER: Final = "debt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to send through. ``rate``: what SES allows a second; ``size``: bytes of a mail.

    ``lost``: the share of replies that SES loses; so many seconds ``unknown_s`` are waited for what
    comes of them. ``look`` is called each second or so while mail leaves.
    """

    mails: int
    rate: float
    size: int
    lost: float = 0.0
    unknown_s: float = 0.0
    look: Callable[[Wiring], None] = lambda wired: None  # noqa: ARG005 - nobody looks


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was seen. ``began`` and ``offered``: seconds since 1970; ``watched_s``: how long."""

    load: Load
    began: float
    offered: float
    wanted: frozenset[str]
    on_stream: OnStream
    sent: Sent
    stats: dict[str, int]
    taken: dict[str, Taken]
    watched_s: float


def burst(load: Load) -> Outcome:
    """Store the mails, offer their notifications, wait until all has come to rest."""
    with (
        tempfile.TemporaryDirectory(prefix="mailtumble-bench-") as folder,
        _stack(Path(folder), load) as stack,
    ):
        wired = Wiring(load_settings())
        try:
            put_aliases(editor(wired))
            return _through(stack, wired, load)
        finally:
            wired.clients.close()


class Stack:
    """A running local stack, seen from outside."""

    def __init__(self, folder: Path, ses_url: str, place: Place) -> None:
        """It lies in ``folder``."""
        self.place = place
        self.ses = LocalSes(ses_url)
        self._folder = folder

    def pids(self) -> dict[str, int]:
        """Every process, this one (which plays SNS's part) among them."""
        rows = read_processes(self._folder)
        return {**{str(each["name"]): int(each["pid"]) for each in rows}, "feeder": os.getpid()}

    def appended(self) -> int:
        """How many records intake has put onto the stream, by its own count."""
        for line in self._page("intake", "metrics").splitlines():
            if line.startswith("mailtumble_intake_appended_total"):
                return int(float(line.rpartition(" ")[2]))
        return 0

    def lag_ms(self) -> int:
        """How far core and sender are behind."""
        health = [json.loads(self._page(name, "health")) for name in ("core", "sender")]
        return max(int(each["lag_ms"]) for told in health for each in told["shards"].values())

    def _page(self, worker: str, page: str) -> str:
        status = json.loads((self._folder / f"worker-{worker}.json").read_text(encoding="utf-8"))
        url = f"http://127.0.0.1:{status['web_port']}/{page}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return str(answer.read(), "utf-8")


@contextlib.contextmanager
def _stack(folder: Path, load: Load) -> Iterator[Stack]:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    options = StackOptions(
        state_dir=folder,
        smtp_port=0,
        rate=load.rate,
        daily_quota=-1,
        limiter=LIMITER,
        lost_reply_rate=load.lost,
    )
    local = LocalStack(options)
    try:
        state = local.start()
        place = Place(state.resources["bucket"], state.resources["inbound_topic_arn"])
        yield Stack(folder, state.ses_url, place)
    finally:
        local.stop()


def _through(stack: Stack, wired: Wiring, load: Load) -> Outcome:
    with progress_bar(load.mails, "mails stored in S3 ") as told:
        notices = store(load.mails, load.size, stack.place, wired.objects(), told)
    before_s = time.monotonic()
    with Watch(stack.pids()) as watch:
        with progress_bar(load.mails, "offered in SQS     ") as told:
            began, offered = offer(notices, wired.queue(), told)
        with progress_bar(load.mails, "on the stream      ") as told:
            _await(stack.appended, load.mails, told)
        with progress_bar(load.mails, "accepted by SES    ") as told:
            _await(lambda: _accepted(stack, wired, load), load.mails, told)
        time.sleep(load.unknown_s)
        _await_rest(stack, wired)
    watched_s = time.monotonic() - before_s
    return _evidence(stack, wired, load, notices, (began, offered), watch, watched_s)


def _evidence(
    stack: Stack,
    wired: Wiring,
    load: Load,
    notices: Sequence[Notice],
    span: tuple[float, float],
    watch: Watch,
    watched_s: float,
) -> Outcome:
    return Outcome(
        load=load,
        began=span[0],
        offered=span[1],
        wanted=frozenset(each.mail_id for each in notices),
        on_stream=read_stream(wired.stream()),
        sent=stack.ses.sent(),
        stats=stack.ses.stats(),
        taken=watch.taken,
        watched_s=watched_s,
    )


def _accepted(stack: Stack, wired: Wiring, load: Load) -> int:
    load.look(wired)
    return stack.ses.stats()["accepted"]


def _await(count: Callable[[], int], wanted: int, told: Callable[[int], None]) -> None:
    """Until so many are there, or no more come."""
    before, moved_at = -1, time.monotonic()
    while True:
        now = count()
        told(min(now, wanted))
        if now >= wanted:
            return
        if now > before:
            before, moved_at = now, time.monotonic()
        elif time.monotonic() > moved_at + STUCK_S:
            return
        time.sleep(POLL_S)


def _await_rest(stack: Stack, wired: Wiring) -> None:
    """Until SES's own events about all mails are read, too."""
    sqs = wired.clients.sqs
    url = sqs.get_queue_url(QueueName=physical_name(wired.settings.prefix, "intake"))["QueueUrl"]
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    deadline = time.monotonic() + 2 * STUCK_S
    while time.monotonic() < deadline:
        waiting = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        pending = stack.ses.stats()["events_pending"] + sum(map(int, waiting.values()))
        if not pending and stack.lag_ms() < QUIET_MS:
            return
        time.sleep(POLL_S)
