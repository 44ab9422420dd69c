"""From settings to ports: the one place where the adapters to AWS are chosen."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from mailtumble.aws.clients import CONNECT_TIMEOUT_S, Clients
from mailtumble.aws.clock import AwsClock
from mailtumble.aws.dynamodb import DynamoItems
from mailtumble.aws.errors import Calling
from mailtumble.aws.kinesis import KinesisStream
from mailtumble.aws.s3 import S3Objects
from mailtumble.aws.ses import SesTransport
from mailtumble.aws.ses_v1 import SesV1Transport
from mailtumble.aws.sqs import SqsQueue
from mailtumble.definition import load_definition, physical_name
from mailtumble.intake.notification import NO_VERIFICATION
from mailtumble.intake.sns import SnsVerifier, Verifier
from mailtumble.lookup import open_repository
from mailtumble.moderation_rules import RulesFile, read_rules_file
from mailtumble.ports.world import Account, AliasRepository, MessageQueue, ObjectStore, Transport
from mailtumble.sender.claims import ClaimTimes
from mailtumble.setting_kinds import read_names, read_numbers
from mailtumble.settings import Settings
from mailtumble.worker.assembly import Plan, Ports
from mailtumble.worker.core import CoreRules
from processors.bounces.decider import SuppressionRules
from processors.mail import Rules
from processors.moderation.breaker import Breaker
from schemas.values import HOUR_US, SECOND_US


class _Later:
    """An adapter that is made when it is first used."""

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make

    @cached_property
    def _made(self) -> object:
        return self._make()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the adapter's own
        """The adapter's attribute."""
        return getattr(self._made, name)


class Wiring:
    """The adapters of a process, each made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        """Keep the settings; nothing is connected yet."""
        self.settings = settings
        self.clock = AwsClock()
        self.clients = Clients(
            settings.region,
            lookup_endpoint=settings.lookup_endpoint_url or None,
            lookup_timeout_s=settings.lookup_timeout_s,
            send_timeout_s=settings.call_timeout_s,
            connections=64,
            on_made=self.clock.listen,
        )

    @property
    def bucket(self) -> str:
        """The bucket of mails, notifications and quarantined bytes."""
        return physical_name(self.settings.prefix, "mail")

    @property
    def archive_bucket(self) -> str:
        """The bucket of the archive's segments."""
        return physical_name(self.settings.prefix, "archive")

    def stream(self) -> KinesisStream:
        """The event stream."""
        return KinesisStream(self.clients.kinesis, physical_name(self.settings.prefix, "events"))

    def store(self) -> DynamoItems:
        """The tables."""
        return DynamoItems(self.clients.dynamodb, self.settings.prefix)

    def objects(self) -> S3Objects:
        """The buckets."""
        return S3Objects(self.clients.s3)

    def aliases(self) -> AliasRepository:
        """The alias repository."""
        return open_repository(self.settings, self.clients)

    def provider(self) -> SesTransport | SesV1Transport:
        """SES: the way out, and the account's quota."""
        configuration_set = self.settings.configuration_set or None
        if self.settings.transport == "sesv1":
            return SesV1Transport(self.clients.ses_v1, configuration_set)
        return SesTransport(self.clients.ses, configuration_set)

    def queue(self, name: str = "intake") -> SqsQueue:
        """A queue by its short name; intake's may be given by its URL."""
        url = self.settings.intake_queue_url if name == "intake" else ""
        if not url:
            physical = physical_name(self.settings.prefix, name)
            with Calling(f"queue {physical}"):
                url = self.clients.sqs.get_queue_url(QueueName=physical)["QueueUrl"]
        return SqsQueue(self.clients.sqs, url)

    def ports(self, worker: str) -> Ports:
        """Everything, for a worker; what it does not use is not connected.

        A client costs up to 0.1 s of CPU, and a worker asks AWS for nothing that it has no use for.
        """
        queue = self.queue() if worker == "intake" else _Later(self.queue)
        provider = self.provider() if worker == "sender" else _Later(self.provider)
        return Ports(
            clock=self.clock,
            stream=self.stream(),
            store=self.store(),
            objects=cast("ObjectStore", _Later(self.objects)),
            queue=cast("MessageQueue", queue),
            aliases=self.aliases(),
            transport=cast("Transport", provider),
            account=cast("Account", provider),
        )

    def verifier(self) -> Verifier:
        """Who vouches for what comes from SNS.

        Raises:
            BadInput: a topic in the settings is none.
        """
        settings = self.settings
        if settings.verify_sns == "off":
            return NO_VERIFICATION
        topics = read_names(settings.sns_topics)
        if not topics:
            # The topics are of the queue's account and region.
            _, partition, _, region, account, _ = self.queue().arn().split(":")
            place = f"arn:{partition}:sns:{region}:{account}"
            topics = [
                f"{place}:{physical_name(settings.prefix, each)}"
                for each in load_definition().topics
            ]
        return SnsVerifier(topics, now=self.clock.now)

    def rules_file(self) -> RulesFile:
        """Read the moderation rules; none without a file.

        Raises:
            BadInput: the file can't be used.
        """
        path = self.settings.moderation_rules
        return read_rules_file(Path(path)) if path else RulesFile((), "")

    def rules(self) -> CoreRules:
        """What core decides by.

        Raises:
            BadInput: the file with the moderation rules can't be used.
        """
        settings = self.settings
        file = self.rules_file()
        return CoreRules(
            mail=Rules(
                lifetime_us=round(settings.lifetime_h * HOUR_US),
                on_unknown=settings.policy(),
                moderation=file.rules,
                rules_digest=file.digest,
                breaker=self._breaker(),
            ),
            suppression=SuppressionRules(
                permanent_for_us=round(settings.suppress_permanent_h * HOUR_US),
                complaint_for_us=round(settings.suppress_complaint_h * HOUR_US),
                transient_for_us=round(settings.suppress_transient_h * HOUR_US),
                transient_bounces=settings.transient_bounces,
                transient_window_us=round(settings.transient_window_h * HOUR_US),
            ),
            address_key=settings.address_key,
        )

    def _breaker(self) -> Breaker | None:
        settings = self.settings
        if settings.breaker == "off":
            return None
        return Breaker(
            window_us=round(settings.breaker_window_h * HOUR_US),
            answered_min=settings.breaker_attempts,
            percent_max=settings.breaker_percent,
        )

    def plan(self) -> Plan:
        """What the settings say, as the workers need it."""
        settings = self.settings
        return Plan(
            owner=owner_name(),
            bucket=self.bucket,
            archive_bucket=self.archive_bucket,
            archive_every_us=round(settings.archive_every_s * SECOND_US),
            generation=settings.generation,
            account=settings.region,
            rules=self.rules(),
            times=ClaimTimes(
                send_us=round(settings.send_window_s * SECOND_US),
                # Connecting, sending and reading the reply are timed apart.
                call_us=round((CONNECT_TIMEOUT_S + settings.call_timeout_s * 1.25 + 1) * SECOND_US),
            ),
            unknown_wait_us=round(settings.unknown_wait_s * SECOND_US),
            upgrade_wait_us=round(settings.upgrade_wait_s * SECOND_US),
            quota_every_us=round(settings.quota_poll_s * SECOND_US),
            outage_probe_us=round(settings.outage_probe_s * SECOND_US),
            rate_fraction=settings.rate_fraction,
            daily_reserve=settings.daily_reserve,
            weights=read_numbers(settings.tenant_weights),
            urgent_tenants=frozenset(read_names(settings.urgent_tenants)),
            domain_limits={
                name.lower().removeprefix("@"): limit
                for name, limit in read_numbers(settings.domain_limits).items()
            },
            domain_slowdown=settings.domain_slowdown == "on",
        )


def owner_name(environment: Mapping[str, str] = os.environ) -> str:
    """Who this process is, in claims and in the log: host and process id."""
    host = environment.get("HOSTNAME") or socket.gethostname()
    return f"{host}-{os.getpid()}"
