"""The whole system on one machine: an embedded AWS, the local SES, and the workers."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mailtumble.aws.clients import Clients
from mailtumble.cli.state import STATE_FILE, LocalState, read_state, write_state
from mailtumble.local.bootstrap import Resources, create_resources
from mailtumble.local.ministack import MiniStack
from mailtumble.local.processes import Child, Family
from mailtumble.settings import Settings, load_settings
from schemas.errors import MailtumbleError

WORKERS: Final = ("core", "sender", "intake")
READY_WITHIN_S: Final = 30.0
WATCH_S: Final = 0.25
NICENESS: Final = {"core": 19, "sender": 5}
"""On a machine that is busy, what comes in is taken in first, as AWS does for all; what is due
leaves at its instant, save for some of it; decisions may be late."""
DEATHS_MAX: Final = 3
"""A worker that has died so often before it was at work won't get there."""
LOCAL_SETTINGS: Final = {
    "MAILTUMBLE_CALL_TIMEOUT_S": "6",
    "MAILTUMBLE_UNKNOWN_WAIT_S": "8",
    "MAILTUMBLE_QUOTA_POLL_S": "2",
    "MAILTUMBLE_POLL_INTERVAL_S": "0.25",
    "MAILTUMBLE_VERIFY_SNS": "off",
}
"""On one machine a lost outcome is noticed sooner than would be wise on AWS, and SNS can't sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOptions:
    """What ``mailtumble local`` was asked for; all but the first two are the local SES's."""

    state_dir: Path
    smtp_port: int
    rate: float
    daily_quota: int
    limiter: str
    latency_ms: int = 0
    error_rate: float = 0.0
    lost_reply_rate: float = 0.0
    refuses: str = ""


class LocalStack:
    """Starts everything, keeps it running, and stops it. State lives as long as this does."""

    def __init__(self, options: StackOptions) -> None:
        """Nothing is started yet."""
        self._options = options
        self._dir = options.state_dir
        self._logs = self._dir / "logs"
        self._ministack = MiniStack(self._logs / "ministack.log")
        self._family = Family()

    def start(self) -> LocalState:
        """Start all processes; returns when mail can be sent in.

        Raises:
            MailtumbleError: another local stack uses the folder, or something does not start.
        """
        running = read_state(self._dir)
        if running is not None:
            raise MailtumbleError(
                f"a local stack (process {running.pid}) runs in {self._dir} already: "
                "stop it, or choose another --state-dir"
            )
        shutil.rmtree(self._dir / "sent", ignore_errors=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        self._ministack.start()
        environment = self._environment()
        os.environ.update(environment)
        resources = _bootstrap(load_settings())
        ports = self._start_ses(resources, environment)
        ses_url = f"http://127.0.0.1:{ports['api_port']}"
        environment.setdefault("AWS_ENDPOINT_URL_SESV2", ses_url)
        state = LocalState(
            pid=os.getpid(),
            environment=environment,
            ses_url=ses_url,
            smtp_port=ports["smtp_port"],
            resources={
                "bucket": resources.buckets["mail"],
                "inbound_topic_arn": resources.topic_arns["inbound"],
                "feedback_topic_arn": resources.topic_arns["feedback"],
            },
        )
        write_state(self._dir, state)
        for name in WORKERS:
            self._start_child(name, ["mailtumble.cli", *self._worker(name)], environment)
        self._wait_for_workers()
        self.write_processes()
        return state

    def watch(self, stop: threading.Event) -> None:
        """Keep everything running until ``stop``.

        Raises:
            MailtumbleError: the embedded AWS died, and with it all state.
        """
        while not stop.wait(WATCH_S):
            if self._family.watch():
                self.write_processes()
            if not self._ministack.is_running():
                raise MailtumbleError(
                    f"the embedded AWS ended, and all state with it: see {self._ministack.log}"
                )

    def stop(self) -> None:
        """Stop every process."""
        self._family.stop()
        self._ministack.stop()
        state = read_state(self._dir)
        if state is not None and state.pid == os.getpid():
            for name in (STATE_FILE, "processes.json"):
                (self._dir / name).unlink(missing_ok=True)

    def write_processes(self) -> None:
        """Write down which process is which, for ``local status``."""
        rows = [{"name": "aws", "pid": self._ministack.pid, "state": "running"}]
        rows += [
            {"name": child.name, "pid": child.process.pid, "state": child.state}
            for child in self._family.children
            if child.process is not None
        ]
        draft = self._dir / "processes.draft"
        draft.write_text(json.dumps(rows), encoding="utf-8")
        draft.replace(self._dir / "processes.json")

    def _environment(self) -> dict[str, str]:
        """The embedded AWS, save where the caller's own endpoints are set."""
        environment = {**self._ministack.environment(), **LOCAL_SETTINGS}
        own = ("AWS_ENDPOINT_URL_", "MAILTUMBLE_")
        given = {name: value for name, value in os.environ.items() if name.startswith(own)}
        # With it, boto3 would pass the embedded AWS by and call the real one.
        return environment | given | {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}

    def _start_ses(self, resources: Resources, environment: Mapping[str, str]) -> Mapping[str, int]:
        port_file = self._dir / "ses.json"
        port_file.unlink(missing_ok=True)
        options = self._options
        arguments = {
            "--smtp-port": options.smtp_port,
            "--api-port": 0,
            "--rate": options.rate,
            "--daily-quota": options.daily_quota,
            "--limiter": options.limiter,
            "--latency-ms": options.latency_ms,
            "--error-rate": options.error_rate,
            "--lost-reply-rate": options.lost_reply_rate,
            "--refuses": options.refuses,
            "--bucket": resources.buckets["mail"],
            "--inbound-topic-arn": resources.topic_arns["inbound"],
            "--feedback-topic-arn": resources.topic_arns["feedback"],
            "--spool-dir": self._dir / "sent",
            "--port-file": port_file,
        }
        flat = [str(part) for pair in arguments.items() for part in pair]
        child = self._start_child("ses", ["mailtumble.local.ses", *flat], environment)
        deadline = time.monotonic() + READY_WITHIN_S
        while not port_file.exists():
            if time.monotonic() > deadline or child.state != "running":
                raise MailtumbleError(
                    f"the local SES does not start (is port {options.smtp_port} taken? "
                    f"see {child.log}, or choose another --smtp-port)"
                )
            time.sleep(0.1)
        ports: Mapping[str, int] = json.loads(port_file.read_text(encoding="utf-8"))
        # Where it is started again, it has to be found at the same place.
        place = child.arguments.index("--api-port") + 1
        child.arguments = [
            *child.arguments[:place],
            str(ports["api_port"]),
            *child.arguments[place + 1 :],
        ]
        return ports

    def _worker(self, name: str) -> list[str]:
        status = self._dir / f"worker-{name}.json"
        status.unlink(missing_ok=True)
        return ["worker", name, "--state-dir", str(self._dir), "--status-file", str(status)]

    def _start_child(
        self, name: str, arguments: list[str], environment: Mapping[str, str]
    ) -> Child:
        log = self._logs / f"{name}.log"
        child = Child(name, arguments, log, dict(environment), NICENESS.get(name, 0))
        child.start()
        self._family.children.append(child)
        return child

    def _wait_for_workers(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not all((self._dir / f"worker-{name}.json").exists() for name in WORKERS):
            if time.monotonic() > deadline:
                raise MailtumbleError(f"a worker does not start: see {self._logs}")
            self._family.watch()
            for child in self._family.children:
                if child.deaths >= DEATHS_MAX:
                    raise MailtumbleError(f"{child.name} does not start: {child.last_words()}")
            time.sleep(0.1)


def read_processes(directory: Path) -> list[dict[str, Any]]:
    """The processes of a running local stack: ``{name, pid, state}`` each."""
    path = directory / "processes.json"
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    for row in rows:
        row["state"] = "running" if _alive(row["pid"]) else "restarting"
    return rows


def _alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for yet does not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        return not Path("/proc/self/stat").exists()
    return text.rpartition(")")[2].split()[0] != "Z"


def _bootstrap(settings: Settings) -> Resources:
    clients = Clients(settings.region)
    try:
        return create_resources(clients, settings.prefix)
    finally:
        clients.close()
