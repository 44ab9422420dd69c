"""From settings to ports: the one place where the adapters to AWS are chosen."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

from mailtumble.aws.aliases import DynamoAliases
from mailtumble.aws.clients import CONNECT_TIMEOUT_S, Clients
from mailtumble.aws.dynamodb import DynamoItems
from mailtumble.aws.errors import Calling
from mailtumble.aws.kinesis import KinesisStream
from mailtumble.aws.s3 import S3Objects
from mailtumble.aws.ses import SesTransport
from mailtumble.aws.sqs import SqsQueue
from mailtumble.definition import physical_name
from mailtumble.sender.claims import ClaimTimes
from mailtumble.settings import Settings
from mailtumble.worker.assembly import Plan, Ports
from processors.mail import Rules
from schemas.values import HOUR_US, SECOND_US


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Microseconds since 1970, UTC."""
        return time.time_ns() // 1000

    def sleep(self, seconds: float) -> None:
        """Wait on this thread."""
        time.sleep(seconds)


class Wiring:
    """The adapters of a process, each made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        """Keep the settings; nothing is connected yet."""
        self.settings = settings
        self.clock = SystemClock()
        self.clients = Clients(
            settings.region,
            lookup_endpoint=settings.lookup_endpoint_url or None,
            lookup_timeout_s=settings.lookup_timeout_s,
            send_timeout_s=settings.call_timeout_s,
            connections=64,
        )

    @property
    def bucket(self) -> str:
        """The bucket of mails, notifications and quarantined bytes."""
        return physical_name(self.settings.prefix, "mail")

    def stream(self) -> KinesisStream:
        """The event stream."""
        return KinesisStream(self.clients.kinesis, physical_name(self.settings.prefix, "events"))

    def store(self) -> DynamoItems:
        """The tables."""
        return DynamoItems(self.clients.dynamodb, self.settings.prefix)

    def objects(self) -> S3Objects:
        """The buckets."""
        return S3Objects(self.clients.s3)

    def aliases(self) -> DynamoAliases:
        """The alias repository."""
        table = self.settings.lookup_table or physical_name(self.settings.prefix, "aliases")
        return DynamoAliases(self.clients.lookup, table, timeout_s=self.settings.lookup_timeout_s)

    def provider(self) -> SesTransport:
        """SES v2: the way out, and the account's quota."""
        return SesTransport(self.clients.ses, self.settings.configuration_set or None)

    def queue(self, name: str = "intake") -> SqsQueue:
        """A queue by its short name; intake's may be given by its URL."""
        url = self.settings.intake_queue_url if name == "intake" else ""
        if not url:
            physical = physical_name(self.settings.prefix, name)
            with Calling(f"queue {physical}"):
                url = self.clients.sqs.get_queue_url(QueueName=physical)["QueueUrl"]
        return SqsQueue(self.clients.sqs, url)

    def ports(self) -> Ports:
        """Everything, for a worker."""
        provider = self.provider()
        return Ports(
            clock=self.clock,
            stream=self.stream(),
            store=self.store(),
            objects=self.objects(),
            queue=self.queue(),
            aliases=self.aliases(),
            transport=provider,
            account=provider,
        )

    def plan(self) -> Plan:
        """What the settings say, as the workers need it."""
        settings = self.settings
        return Plan(
            owner=owner_name(),
            bucket=self.bucket,
            generation=settings.generation,
            account=settings.region,
            rules=Rules(
                lifetime_us=round(settings.lifetime_h * HOUR_US), on_unknown=settings.policy()
            ),
            times=ClaimTimes(
                send_us=round(settings.send_window_s * SECOND_US),
                # Connecting, sending and reading the reply are timed apart.
                call_us=round(
                    (CONNECT_TIMEOUT_S + settings.call_timeout_s * 1.25 + 1) * SECOND_US
                ),
            ),
            unknown_wait_us=round(settings.unknown_wait_s * SECOND_US),
            quota_every_us=round(settings.quota_poll_s * SECOND_US),
            rate_fraction=settings.rate_fraction,
        )


def owner_name(environment: Mapping[str, str] = os.environ) -> str:
    """Who this process is, in claims and in the log: host and process id."""
    host = environment.get("HOSTNAME") or socket.gethostname()
    return f"{host}-{os.getpid()}"
