"""The rows of benchmarks/pacing.py with real processes: senders, a local SES, a MiniStack.

Each run has all of them to itself, started and stopped by it. Accepted and throttled are the local
SES's own counts; the CPU is read from ``/proc``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from _mails import scheduled
from _outcome import Cpu, Outcome
from _processes import cpu_s, machine_cpu_s
from _senders import OBJECT_KEY
from _world import forget_callers_aws

from mailtumble.aws.clients import Clients
from mailtumble.definition import physical_name
from mailtumble.local.bootstrap import Resources, create_resources
from mailtumble.local.ministack import REGION, MiniStack, free_port
from mailtumble.local.ses.limiters import LIMITERS
from mailtumble.settings import PREFIX, Settings
from mailtumble.wiring import Wiring
from processors.sending.control import EPOCH_US
from schemas.values import SECOND_US

LATENCY_MS: Final = 40
"""Of a call to SES: about what it takes within a region."""
SETTLES_S: Final = 5.0
LOOKS_EVERY_S: Final = 0.5
QUEUED_WITHIN_S: Final = 120.0
STARTS_WITHIN_S: Final = 30.0
SPARE_S: Final = 10
"""Mails for so many seconds more: the queue must not run empty."""
SHORT_LEAST: Final = 0.6
"""Where others use the cores calls miss their instants, and those are lost."""
MAIL: Final = (
    b"From: Anna <anna@newsletter.example.net>\r\nTo: orders@shop.example.com\r\n"
    b"Subject: Your order\r\nMessage-ID: <1@newsletter.example.net>\r\n"
    b"Content-Type: text/plain\r\n\r\n" + b"It has left our warehouse this morning.\r\n" * 100
)


NAMES: Final = {
    "whole": "whole sender",
    "parts": "its pacing and transport",
    "adaptive": "botocore adaptive",
    "bucket": "token bucket each",
}
"""The kinds of sender (see benchmarks/_senders.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Who sends how fast under what, and what is asked of it (see :class:`Outcome`).

    In the middle the rate changes, or senders are killed. Every other sender's clock is off by
    ``skew_ms`` to one side, the rest to the other.
    """

    kind: str
    limiter: str
    senders: int
    rate: float = 80.0
    fraction: float = 0.952
    changed_to: float = 0.0
    killed: int = 0
    skew_ms: int = 0
    seconds: float = 30.0
    least: float | None = 0.95
    refusable_us: int | None = 0

    @property
    def shards(self) -> int:
        """Each sender has some, and each the same number of them."""
        return self.senders * max(1, 4 // self.senders)


@dataclass(frozen=True, slots=True)
class Look:
    """What the local SES had counted at a time (seconds, monotonic)."""

    at: float
    accepted: int
    throttled: int


@dataclass(slots=True)
class Seen:
    """What was seen of a run: looks from its begin on, CPU-seconds of all that ran meanwhile."""

    looks: list[Look] = field(default_factory=list)
    senders_cpu_s: float = 0.0
    servers_cpu_s: float = 0.0
    machine_cpu_s: float = 0.0
    duplicates: int = 0


class Late(Exception):  # noqa: N818 - what was found
    """Something did not come in time; the text says what."""


class Stage:
    """A MiniStack with all its resources, a local SES that is started later, and senders."""

    def __init__(self, run: Run, folder: Path, stack: contextlib.ExitStack) -> None:
        """Start MiniStack, and put the mails where a whole sender finds them."""
        self._run = run
        self._folder = folder
        self._stack = stack
        self._aws = stack.enter_context(MiniStack(folder / "ministack.log"))
        forget_callers_aws()
        os.environ |= self._aws.environment()
        self.settings = Settings(region=REGION)
        self._ses_port = free_port()
        self._wired = Wiring(self.settings)
        stack.callback(self._wired.clients.close)
        clients: Clients = self._wired.clients
        self._resources: Resources = create_resources(
            clients, self.settings.prefix, shards=run.shards
        )
        self._wired.objects().put(self._wired.bucket, OBJECT_KEY, MAIL)
        self.ses: subprocess.Popen[bytes] | None = None
        self.senders: list[subprocess.Popen[bytes]] = []

    def fill(self, mails: int) -> None:
        """Put the records of so many mails on the stream."""
        stream, now = self._wired.stream(), self._wired.clock.now()
        for start in range(0, mails, 250):
            names = range(start, min(start + 250, mails))
            stream.append(
                [each for name in names for each in scheduled(str(name), OBJECT_KEY, now=now)]
            )

    def start_senders(self) -> None:
        """Start them; they wait for SES to be there."""
        run = self._run
        for place in range(run.senders):
            skew_ms = run.skew_ms * (1 if place % 2 else -1)
            script = Path(__file__).with_name("_senders.py")
            arguments = [run.kind, *map(str, (place, run.senders, skew_ms))]
            self.senders.append(
                self._start(
                    [str(script), *arguments],
                    f"sender-{place}",
                    {
                        "AWS_ENDPOINT_URL_SESV2": f"http://127.0.0.1:{self._ses_port}",
                        # Its events would be read by nobody here.
                        f"{PREFIX}CONFIGURATION_SET": "",
                        f"{PREFIX}RATE_FRACTION": str(run.fraction),
                        f"{PREFIX}POLL_INTERVAL_S": "0.25",
                    },
                )
            )

    def start_ses(self) -> None:
        """Let SES be there."""
        run, resources = self._run, self._resources
        arguments = {
            "--smtp-port": 0,
            "--api-port": self._ses_port,
            "--rate": run.rate,
            "--daily-quota": -1,
            "--limiter": run.limiter,
            "--latency-ms": LATENCY_MS,
            "--bucket": resources.buckets["mail"],
            "--inbound-topic-arn": resources.topic_arns["inbound"],
            "--feedback-topic-arn": resources.topic_arns["feedback"],
        }
        flat = [str(part) for pair in arguments.items() for part in pair]
        self.ses = self._start(["-m", "mailtumble.local.ses", *flat], "ses", {})
        self.until(self._is_there, STARTS_WITHIN_S, "local SES")

    def queued(self) -> int:
        """How many mails the senders have in their queue."""
        table = physical_name(self.settings.prefix, "queue")
        described = self._wired.clients.dynamodb.describe_table(TableName=table)
        return described["Table"]["ItemCount"]

    def look(self) -> Look:
        """Ask the local SES what it has counted."""
        stats = self._local("stats")
        return Look(time.monotonic(), stats["accepted"], stats["throttled"])

    def change_rate(self, rate: float) -> None:
        """SES allows more, or less."""
        self._local("settings", {"rate": rate})

    def kill(self, count: int) -> None:
        """Kill -9 of the first so many senders."""
        for each in self.senders[:count]:
            each.kill()

    def duplicates(self) -> int:
        """How many mails of a whole sender have been accepted more often than once."""
        sent = [each["tags"]["mailtumble-attempt"] for each in self._local("sent")]
        return len(sent) - len(set(sent))

    def cpu_s(self) -> tuple[float, float, float]:
        """CPU-seconds of the senders, of the servers and of the whole machine until now."""
        servers = [self._aws.pid, self.ses.pid if self.ses else None]
        return (
            sum(cpu_s(each.pid) for each in self.senders),
            sum(cpu_s(each) for each in servers if each),
            machine_cpu_s(),
        )

    def until(self, holds: Callable[[], bool], within_s: float, what: str) -> None:
        """Wait for a condition.

        Raises:
            Late: it did not come true, or a process has ended.
        """
        deadline = time.monotonic() + within_s
        while not holds():
            ended = [each for each in self.senders if each.poll() is not None]
            if time.monotonic() > deadline or ended:
                logs = sorted(self._folder.glob("*.log"))
                tails = "\n".join(f"{each.name}: {_tail(each)}" for each in logs)
                raise Late(f"no {what} within {within_s:.0f} s\n{tails}")
            time.sleep(0.1)

    def _is_there(self) -> bool:
        try:
            self._local("health")
        except OSError:
            return False
        return True

    def _local(self, what: str, given: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        url = f"http://127.0.0.1:{self._ses_port}/_local/{what}"
        data = None if given is None else json.dumps(given).encode()
        with urllib.request.urlopen(url, data, timeout=30) as answer:
            return json.loads(answer.read())

    def _start(
        self, arguments: Sequence[str], name: str, more: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own programs
                [sys.executable, *arguments],
                env={**os.environ, **more},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._stack.callback(_end, process)
        return process


def processes(seconds: float) -> Iterator[Outcome]:
    """The product's own senders: all of it, or its pacing and transport."""
    for limiter in LIMITERS:
        for senders in (1, 4):
            yield play(Run(kind="whole", limiter=limiter, senders=senders, seconds=seconds))
    fast = Run(kind="parts", limiter="debt", senders=4, rate=200.0, seconds=seconds)
    yield play(fast)
    yield play(replace(fast, kind="whole"))
    yield play(Run(kind="parts", limiter="sliding", senders=4, skew_ms=500, seconds=seconds))
    changing = Run(kind="whole", limiter="sliding", senders=4, seconds=seconds, least=None)
    yield play(replace(changing, senders=3, killed=1))
    yield play(replace(changing, rate=40.0, changed_to=80.0))
    yield play(replace(changing, changed_to=40.0, refusable_us=EPOCH_US))


def short() -> Iterator[Outcome]:
    """What the tests run, on a machine that is busy with others: less than 95 % may be used."""
    for kind in ("whole", "parts"):
        run = Run(kind=kind, limiter="debt", senders=4, seconds=10.0, least=SHORT_LEAST)
        yield play(run)


def baselines(seconds: float) -> Iterator[Outcome]:
    """What else paces: of these nothing is asked."""
    for kind in ("adaptive", "bucket"):
        for limiter in LIMITERS:
            yield play(
                Run(
                    kind=kind,
                    limiter=limiter,
                    senders=4,
                    seconds=seconds,
                    least=None,
                    refusable_us=None,
                )
            )


def play(run: Run) -> Outcome:
    """Start everything, let it run, stop it, and say what came of it.

    Raises:
        Late: something does not start.
    """
    with (
        tempfile.TemporaryDirectory(prefix="mailtumble-bench-") as folder,
        contextlib.ExitStack() as stack,
    ):
        stage = Stage(run, Path(folder), stack)
        if run.kind == "whole":
            fastest = max(run.rate, run.changed_to)
            mails = round(fastest * (run.seconds + SETTLES_S + SPARE_S))
            stage.fill(mails)
            stage.start_senders()
            stage.until(lambda: stage.queued() == mails, QUEUED_WITHIN_S, "full queue")
            stage.start_ses()
        else:
            stage.start_ses()
            stage.start_senders()
        seen = _watch(stage, run)
    return _outcome(run, seen)


def _watch(stage: Stage, run: Run) -> Seen:
    stage.until(lambda: stage.look().accepted > 0, STARTS_WITHIN_S, "mail accepted")
    time.sleep(SETTLES_S)
    seen = Seen()
    before = stage.cpu_s()
    begin = time.monotonic()
    seen.looks.append(stage.look())
    changes = bool(run.changed_to or run.killed)
    while (elapsed := time.monotonic() - begin) < run.seconds:
        if changes and elapsed >= run.seconds / 2:
            changes = False
            if run.changed_to:
                stage.change_rate(run.changed_to)
            stage.kill(run.killed)
        time.sleep(min(LOOKS_EVERY_S, run.seconds - elapsed))
        seen.looks.append(stage.look())
    after = stage.cpu_s()
    seen.senders_cpu_s, seen.servers_cpu_s, seen.machine_cpu_s = (
        now - then for now, then in zip(after, before, strict=True)
    )
    if run.kind == "whole":
        seen.duplicates = stage.duplicates()
    return seen


def _outcome(run: Run, seen: Seen) -> Outcome:
    first, last = seen.looks[0], seen.looks[-1]
    took_s = last.at - first.at
    allowed = run.rate * took_s
    changed = ""
    if run.changed_to:
        allowed = (run.rate + run.changed_to) * took_s / 2
        changed = f" to {run.changed_to:g}"
    refused = [
        after.at for before, after in pairwise(seen.looks) if after.throttled > before.throttled
    ]
    return Outcome(
        sender=NAMES[run.kind],
        limiter=run.limiter,
        senders=run.senders,
        per_s=f"{run.rate:g}{changed}",
        fraction=None if run.kind == "adaptive" else run.fraction,
        accepted=last.accepted,
        throttled=last.throttled,
        used=(last.accepted - first.accepted) / allowed,
        least=run.least,
        refusable_us=run.refusable_us,
        refused_for_us=round((refused[-1] - refused[0]) * SECOND_US) if refused else 0,
        cpu=Cpu(
            seen.senders_cpu_s / took_s,
            seen.servers_cpu_s / took_s,
            max(0.0, seen.machine_cpu_s - seen.senders_cpu_s - seen.servers_cpu_s) / took_s,
        ),
        remark=_remark(run, seen),
    )


def _remark(run: Run, seen: Seen) -> str:
    remarks = (
        f"clocks off by +-{run.skew_ms} ms" if run.skew_ms else "",
        f"kill -9 of {run.killed} in the middle" if run.killed else "",
        f"{seen.duplicates} sent twice" if seen.duplicates else "",
    )
    return ", ".join(filter(None, remarks))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-1500:]
