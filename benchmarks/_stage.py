"""What the rows of benchmarks/pacing.py with real processes play on.

Senders, a local SES, a MiniStack, and core where it is wanted: each run has all of them to itself,
started and stopped by it. Accepted and throttled are the local SES's own counts; the CPU is read
from ``/proc``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from _burst_evidence import OnStream, Sent, read_stream
from _mails import ALIASES, TENANT, received, scheduled
from _outcome import LEAST
from _processes import cpu_s, machine_cpu_s
from _senders import OBJECT_KEY, RECIPIENT
from _world import forget_callers_aws

from mailtumble.aws.clients import Clients
from mailtumble.cli.aliases import editor
from mailtumble.definition import physical_name
from mailtumble.local.bootstrap import Resources, create_resources
from mailtumble.local.ministack import REGION, MiniStack, free_port
from mailtumble.local.processes import stand_back
from mailtumble.local.stack import NICENESS
from mailtumble.ports.stream import OutgoingRecord
from mailtumble.settings import PREFIX, Settings
from mailtumble.wiring import Wiring
from schemas.ids import mail_of
from schemas.values import ENDED

QUEUED_WITHIN_S: Final = 120.0
STARTS_WITHIN_S: Final = 30.0
MAIL: Final = (
    b"From: Anna <anna@newsletter.example.net>\r\nTo: orders@shop.example.com\r\n"
    b"Subject: Your order\r\nMessage-ID: <1@newsletter.example.net>\r\n"
    b"Content-Type: text/plain\r\n\r\n" + b"It has left our warehouse this morning.\r\n" * 100
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Who sends how fast under what, and what is asked of it (see :class:`Outcome`).

    In the middle the rate changes, or senders are killed. Every other sender's clock is off by
    ``skew_ms`` to one side, the rest to the other. SES answers after ``latency_ms``: 40 are about
    what it takes within a region. ``settings``: environment variables of senders and core.
    """

    kind: str
    limiter: str
    senders: int
    rate: float = 80.0
    fraction: float = 0.952
    changed_to: float = 0.0
    killed: int = 0
    skew_ms: int = 0
    latency_ms: int = 40
    seconds: float = 30.0
    least: float | None = LEAST
    refusable_us: int | None = 0
    settings: Mapping[str, str] = field(default_factory=dict)

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
        self.core: subprocess.Popen[bytes] | None = None
        self.senders: list[subprocess.Popen[bytes]] = []
        self._killed: list[subprocess.Popen[bytes]] = []

    def fill(self, mails: int) -> None:
        """Put the records of so many mails on the stream, with what core decides about them."""
        now = self._wired.clock.now()
        self._append(mails, lambda name: scheduled(name, OBJECT_KEY, now=now))

    def receive(self, mails: int) -> frozenset[str]:
        """Let so many mails have come in, of which core has yet to decide; their ids."""
        now = self._wired.clock.now()
        aliases = editor(self._wired)
        for alias in ALIASES:
            aliases.put(alias, [RECIPIENT], TENANT)
        return self._append(mails, lambda name: [received(name, OBJECT_KEY, now=now)])

    def _append(
        self, mails: int, records: Callable[[str], Sequence[OutgoingRecord]]
    ) -> frozenset[str]:
        stream = self._wired.stream()
        ids: set[str] = set()
        for start in range(0, mails, 250):
            names = map(str, range(start, min(start + 250, mails)))
            portion = [each for name in names for each in records(name)]
            stream.append(portion)
            ids.update(mail_of(each.subject) or "" for each in portion)
        return frozenset(ids)

    def start_core(self) -> None:
        """Let the product's core read the stream; it stands back, as on any single machine."""
        self.core = self._start_script("core", 0, 1, 0)
        stand_back(self.core.pid, NICENESS["core"])

    def start_senders(self) -> None:
        """Start them; they wait for SES to be there."""
        self.senders = [self._start_sender(place) for place in range(self._run.senders)]

    def replace_killed(self) -> None:
        """Start another process for each that was killed, with the same shards."""
        for place in range(len(self._killed)):
            self.senders[place] = self._start_sender(place)

    def _start_sender(self, place: int) -> subprocess.Popen[bytes]:
        run = self._run
        skew_ms = run.skew_ms * (1 if place % 2 else -1)
        return self._start_script(run.kind, place, run.senders, skew_ms)

    def _start_script(self, kind: str, *arguments: int) -> subprocess.Popen[bytes]:
        script = Path(__file__).with_name("_senders.py")
        return self._start(
            [str(script), kind, *map(str, arguments)],
            f"{kind}-{arguments[0]}",
            {
                "AWS_ENDPOINT_URL_SESV2": f"http://127.0.0.1:{self._ses_port}",
                # Its events would be read by nobody here.
                f"{PREFIX}CONFIGURATION_SET": "",
                f"{PREFIX}RATE_FRACTION": str(self._run.fraction),
                f"{PREFIX}POLL_INTERVAL_S": "0.25",
                **self._run.settings,
            },
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
            "--latency-ms": run.latency_ms,
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
        self._killed = self.senders[:count]
        for each in self._killed:
            each.kill()

    def sent(self) -> Sent:
        """What SES has accepted, by mail."""
        return Sent.of(self._local("sent"))

    def on_stream(self) -> OnStream:
        """All that the log says."""
        return read_stream(self._wired.stream())

    def ended(self) -> frozenset[str]:
        """The mails that have ended, by core's view of them."""
        mails = self._wired.store().scan("mails")
        return frozenset(str(each["mail_id"]) for each in mails if each["status"] in ENDED)

    def cpu_s(self) -> tuple[float, float, float]:
        """CPU-seconds of the senders, of servers and core, and of the whole machine until now."""
        # One that was killed is in /proc until it is waited for.
        senders = {each.pid for each in (*self.senders, *self._killed)}
        servers = [each.pid for each in (self.ses, self.core) if each]
        return (
            sum(map(cpu_s, senders)),
            sum(map(cpu_s, [self._aws.pid or 0, *servers])),
            machine_cpu_s(),
        )

    def until(self, holds: Callable[[], bool], within_s: float, what: str) -> None:
        """Wait for a condition.

        Raises:
            Late: it did not come true, or a process has ended.
        """
        deadline = time.monotonic() + within_s
        while not holds():
            running = [*self.senders, *filter(None, [self.core])]
            ended = [each for each in running if each.poll() is not None]
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


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-1500:]
