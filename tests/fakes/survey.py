"""A set-up that is as it should be; a test breaks what it is about."""

from __future__ import annotations

from collections.abc import Mapping

from mailtumble.definition import Definition, physical_name
from mailtumble.ports.survey import (
    Caller,
    Destination,
    Identity,
    ReceiptRule,
    RuleSet,
    SendingAccount,
    StandingQueue,
    StandingStream,
    StandingTable,
)


class InMemorySurvey:
    """A :class:`mailtumble.ports.survey.Survey` of what its attributes say; None: not there."""

    def __init__(self, definition: Definition, prefix: str) -> None:
        """Everything that the definition has, and SES in order."""

        def named(name: str) -> str:
            return physical_name(prefix, name)

        topic = "arn:aws:sns:eu-west-1:1:" + prefix
        rule = ReceiptRule("store", True, named("mail"), f"{topic}-inbound", ("house.example",))  # noqa: FBT003
        events = frozenset({"SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "REJECT"})
        self.emulated: frozenset[str] = frozenset()
        self.regions = {"eu-west-1"}
        self.skew_us = 0
        self.streams: dict[str, StandingStream] = {
            named(definition.stream.name): StandingStream(
                "ACTIVE", 4, definition.stream.retention_hours
            )
        }
        self.tables: dict[str, StandingTable] = {
            named(each.name): StandingTable("ACTIVE", each) for each in definition.tables
        }
        self.buckets = set(map(named, definition.buckets))
        self.queues: dict[str, StandingQueue] = {
            named(each.name): StandingQueue(
                named(each.redrive.queue) if each.redrive else None,
                each.redrive.receives_max if each.redrive else 0,
                0,
            )
            for each in definition.queues
        }
        self.rule_set: RuleSet | None = RuleSet(definition.ses.rule_set, (rule,))
        self.sets: dict[str, tuple[Destination, ...]] = {
            definition.ses.configuration_set: (
                Destination("feedback", True, f"{topic}-feedback", events),  # noqa: FBT003
            )
        }
        self.domains: dict[str, Identity] = {"house.example": Identity(True, "SUCCESS")}  # noqa: FBT003
        self.sending = SendingAccount(True, True, 14, 50_000, 10)  # noqa: FBT003

    def is_emulated(self, service: str) -> bool:
        """By the attribute."""
        return service in self.emulated

    def knows_region(self, region: str) -> bool:
        """By the attribute."""
        return region in self.regions

    def caller(self) -> Caller:
        """Somebody."""
        return Caller("123456789012", "arn:aws:iam::123456789012:user/somebody")

    def clock_skew_us(self) -> int:
        """By the attribute."""
        return self.skew_us

    def stream(self, name: str) -> StandingStream | None:
        """By the attribute, as all that follow."""
        return self.streams.get(name)

    def table(self, name: str) -> StandingTable | None:
        """A table."""
        return self.tables.get(name)

    def bucket(self, name: str) -> bool:
        """A bucket."""
        return name in self.buckets

    def queue(self, name: str) -> StandingQueue | None:
        """A queue."""
        return self.queues.get(name)

    def active_rule_set(self) -> RuleSet | None:
        """The rule set."""
        return self.rule_set

    def destinations(self, configuration_set: str) -> tuple[Destination, ...] | None:
        """A configuration set's."""
        return self.sets.get(configuration_set)

    def identity(self, domain: str) -> Identity | None:
        """A domain."""
        domains: Mapping[str, Identity] = self.domains
        return domains.get(domain)

    def account(self) -> SendingAccount:
        """The account."""
        return self.sending
