"""The whole system on one machine: an embedded AWS, the local SES, and the workers."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mailtumble.aws.clients import Clients
from mailtumble.cli.state import STATE_FILE, LocalState, read_state, write_state
from mailtumble.local.bootstrap import Resources, create_resources
from mailtumble.local.ministack import NAME as AWS
from mailtumble.local.ministack import MiniStack
from mailtumble.local.processes import Child, Family
from mailtumble.local.startup import Starting, Startup, log_size
from mailtumble.settings import Settings, load_settings
from schemas.errors import MailtumbleError

WORKERS: Final = ("core", "sender", "intake")
SES: Final = "the local SES"
WATCH_S: Final = 0.25
NICENESS: Final = {"core": 10, "sender": 5}
"""How far workers stand back once they are ready (ADR 16). While a burst comes in, intake runs
first and the sender keeps its pace. Decisions may be late, but core keeps a share of a busy
machine."""
LOCAL_SETTINGS: Final = {
    "MAILTUMBLE_CALL_TIMEOUT_S": "6",
    "MAILTUMBLE_UNKNOWN_WAIT_S": "8",
    "MAILTUMBLE_QUOTA_POLL_S": "2",
    "MAILTUMBLE_POLL_INTERVAL_S": "0.25",
    "MAILTUMBLE_VERIFY_SNS": "off",
}
"""Lost outcomes are noticed sooner than would be wise on AWS, and the emulated SNS can't sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOptions:
    """The options of ``mailtumble local``; those from ``rate`` to ``refuses`` are the local SES's.

    Attributes:
        same_priority: no worker stands back, see :data:`NICENESS`.
    """

    state_dir: Path
    smtp_port: int
    rate: float
    daily_quota: int
    limiter: str
    latency_ms: int = 0
    error_rate: float = 0.0
    lost_reply_rate: float = 0.0
    refuses: str = ""
    same_priority: bool = False


class LocalStack:
    """Starts everything, keeps it running, and stops it. All state is lost when it stops."""

    def __init__(self, options: StackOptions, startup: Startup | None = None) -> None:
        """Create without starting anything.

        Args:
            options: what was asked for.
            startup: hears what the start waits for, and may interrupt it (default: silent).
        """
        self._options = options
        self._startup = startup or Startup()
        self._dir = options.state_dir
        self._logs = self._dir / "logs"
        self._ministack = MiniStack(self._logs / "ministack.log")
        self._family = Family()

    def start(self) -> LocalState:
        """Start all processes, and return when mail can be sent in.

        Must be called on a thread that lives as long as the stack should: the processes end
        with it. After an error, ``stop()`` ends what was started.

        Raises:
            StartInterrupted: the start was given up on request.
            MailtumbleError: another local stack uses the folder, or a process does not start.
        """
        running = read_state(self._dir)
        if running is not None:
            raise MailtumbleError(
                f"a local stack (process {running.pid}) already runs in {self._dir}: "
                "stop it, or choose another --state-dir"
            )
        shutil.rmtree(self._dir / "sent", ignore_errors=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        self._ministack.start(self._startup)
        environment = self._environment()
        os.environ.update(environment)
        resources = self._create_resources()
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
            self._start_worker(name, environment)
        self.write_processes(starting=WORKERS)
        self._wait_until_ready("to start")
        self.write_processes()
        return state

    def watch(self, stop: threading.Event) -> None:
        """Keep everything running until ``stop`` is set.

        Raises:
            MailtumbleError: the AWS emulator ended, and with it all state.
        """
        while not stop.wait(WATCH_S):
            if self._family.watch():
                self.write_processes()
            if not self._ministack.is_running():
                raise MailtumbleError(
                    f"{AWS} ended, and all state is lost: see {self._ministack.log}"
                )

    def stop(self) -> None:
        """Stop every process."""
        self._family.stop()
        self._ministack.stop()
        state = read_state(self._dir)
        if state is not None and state.pid == os.getpid():
            for name in (STATE_FILE, "processes.json"):
                (self._dir / name).unlink(missing_ok=True)

    def write_processes(self, starting: Collection[str] = ()) -> None:
        """Write the list of processes for ``local status``; some may not be ready yet."""
        rows = [{"name": "aws", "pid": self._ministack.pid, "state": "running"}]
        rows += [
            {
                "name": child.name,
                "pid": child.process.pid,
                "state": "starting" if child.name in starting else child.state,
            }
            for child in self._family.children
            if child.process is not None
        ]
        draft = self._dir / "processes.draft"
        draft.write_text(json.dumps(rows), encoding="utf-8")
        draft.replace(self._dir / "processes.json")

    def _environment(self) -> dict[str, str]:
        """Return the variables that lead to the emulator, except where the caller set others."""
        environment = {**self._ministack.environment(), **LOCAL_SETTINGS}
        own = ("AWS_ENDPOINT_URL_", "MAILTUMBLE_")
        given = {name: value for name, value in os.environ.items() if name.startswith(own)}
        # If this were true, boto3 would ignore the emulator's endpoint and call the real AWS.
        return environment | given | {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}

    def _start_ses(self, resources: Resources, environment: Mapping[str, str]) -> Mapping[str, int]:
        port_file = self._dir / "ses.json"
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
        child = self._start_child("ses", ["mailtumble.local.ses", *flat], environment, port_file)
        self._wait_until_ready("to listen")
        ports: Mapping[str, int] = json.loads(port_file.read_text(encoding="utf-8"))
        # After a restart it has to listen at the same address.
        place = child.arguments.index("--api-port") + 1
        child.arguments = [
            *child.arguments[:place],
            str(ports["api_port"]),
            *child.arguments[place + 1 :],
        ]
        return ports

    def _start_worker(self, name: str, environment: Mapping[str, str]) -> None:
        status = self._dir / f"worker-{name}.json"
        options = ["--state-dir", str(self._dir), "--status-file", str(status)]
        self._start_child(name, ["mailtumble.cli", "worker", name, *options], environment, status)

    def _start_child(
        self, name: str, arguments: list[str], environment: Mapping[str, str], status: Path
    ) -> Child:
        status.unlink(missing_ok=True)
        child = Child(
            name,
            arguments,
            self._logs / f"{name}.log",
            dict(environment),
            status,
            0 if self._options.same_priority else NICENESS.get(name, 0),
        )
        self._family.children.append(child)
        log_from = log_size(child.log)
        self._startup.add(Starting(_described(name), child.start(), child.log, log_from))
        return child

    def _create_resources(self) -> Resources:
        """Create the AWS resources on a thread, so that the wait for them can be interrupted."""
        failed = threading.Event()
        with ThreadPoolExecutor(1, thread_name_prefix="resources") as thread:
            created = thread.submit(
                _bootstrap,
                load_settings(),
                lambda: failed.is_set() or self._startup.interrupted(),
            )
            try:
                self._startup.wait_until(
                    created.done, "to create the stream, tables and queues", lambda: [AWS]
                )
            except BaseException:  # Ctrl-C too
                failed.set()
                raise
            return created.result()

    def _wait_until_ready(self, what: str) -> None:
        """Wait until every child is ready, and lower the priority of those that stand back."""

        def waited_for() -> list[str]:
            return [_described(each.name) for each in self._family.children if not each.is_ready()]

        self._startup.wait_until(lambda: not waited_for(), what, waited_for)
        for child in self._family.children:
            child.settle()


def _described(name: str) -> str:
    """Return the name of a process as messages have it."""
    return SES if name == "ses" else name


def read_processes(directory: Path) -> list[dict[str, Any]]:
    """Return the processes of a running local stack: ``{name, pid, state}`` each.

    The state is ``starting`` until the stack is ready, then ``running``, or ``restarting``.
    """
    path = directory / "processes.json"
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []  # The stack has only begun to start.
    for row in rows:
        if not _alive(row["pid"]):
            row["state"] = "restarting"
        elif row["state"] == "restarting":
            row["state"] = "running"
    return rows


def _alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended but is not waited for does not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        return not Path("/proc/self/stat").exists()
    return text.rpartition(")")[2].split()[0] != "Z"


def _bootstrap(settings: Settings, interrupted: Callable[[], bool]) -> Resources:
    clients = Clients(settings.region)
    try:
        return create_resources(clients, settings.prefix, interrupted=interrupted)
    finally:
        clients.close()
