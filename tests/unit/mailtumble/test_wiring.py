"""From settings to adapters and plans: each setting arrives where it belongs, in its unit."""

from __future__ import annotations

import os
import socket
import time
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mailtumble import lookup
from mailtumble.aws.clock import AwsClock
from mailtumble.aws.ses import SesTransport
from mailtumble.aws.ses_v1 import SesV1Transport
from mailtumble.intake.notification import NO_VERIFICATION
from mailtumble.intake.sns import SnsVerifier
from mailtumble.settings import Settings
from mailtumble.toml_aliases import TomlAliases
from mailtumble.wiring import Wiring, owner_name
from processors.bounces.decider import SuppressionRules
from processors.mail import Rules
from processors.moderation.rules import Rule
from schemas.errors import BadInput, PermanentError
from schemas.values import HOUR_US, SECOND_US, ModerationAction, UnknownPolicy


class FakeSqs:
    """Knows one queue."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.asked: list[str] = []

    def get_queue_url(self, *, QueueName: str) -> dict[str, str]:  # noqa: N803 - as boto has it
        """The URL of any queue but one."""
        self.asked.append(QueueName)
        if QueueName == "mailtumble-nowhere":
            code = "AWS.SimpleQueueService.NonExistentQueue"
            raise ClientError({"Error": {"Code": code, "Message": "gone"}}, "GetQueueUrl")
        return {"QueueUrl": f"https://sqs.example/{QueueName}"}

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:  # noqa: N803 - as boto has it
        """The ARN of a queue in Europe."""
        assert AttributeNames == ["QueueArn"]
        name = QueueUrl.rpartition("/")[2]
        return {"Attributes": {"QueueArn": f"arn:aws:sqs:eu-west-1:123456789012:{name}"}}


@pytest.fixture(autouse=True)
def _drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The drivers that pyproject.toml declares, however long ago the package was installed."""
    root = Path(__file__).parents[3]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = project["entry-points"][lookup.GROUP]
    points = [EntryPoint(name, value, lookup.GROUP) for name, value in declared.items()]

    def entry_points(*, group: str, name: str | None = None) -> list[EntryPoint]:
        return [each for each in points if each.group == group and name in {None, each.name}]

    monkeypatch.setattr(lookup, "entry_points", entry_points)


def _wired(**changes: Any) -> tuple[Wiring, FakeSqs]:  # noqa: ANN401 - settings
    """A wiring whose clients are names of themselves."""
    wired = Wiring(Settings(**changes))
    sqs = FakeSqs()
    names = ("dynamodb", "kinesis", "lookup", "s3", "ses")
    wired.clients = SimpleNamespace(sqs=sqs, **{name: name for name in names})  # type: ignore[assignment]
    return wired, sqs


def test_nothing_is_connected_before_it_is_asked_for() -> None:
    """No client is made for a command that ends with a complaint."""
    assert Wiring(Settings()).clients._made == {}


def test_names_begin_with_the_prefix() -> None:
    """Of stream, tables, bucket and queues alike."""
    wired, sqs = _wired(prefix="acme")
    assert wired.bucket == "acme-mail"
    assert wired.stream()._name == "acme-events"
    assert wired.store()._physical["mails"] == "acme-mails"
    assert wired.aliases()._table == "acme-aliases"
    assert wired.queue()._url == "https://sqs.example/acme-intake"
    assert wired.queue("intake-dead")._url == "https://sqs.example/acme-intake-dead"
    assert sqs.asked == ["acme-intake", "acme-intake-dead"]


def test_aliases_may_lie_elsewhere() -> None:
    """A table, an endpoint and a time-out of their own, with a client of their own."""
    changes = {
        "lookup_table": "people",
        "lookup_endpoint_url": "http://far.example",
        "lookup_timeout_s": 0.25,
    }
    wired, _ = _wired(**changes)
    aliases = wired.aliases()
    assert (aliases._table, aliases._client) == ("people", "lookup")
    assert wired.store()._client == "dynamodb"
    clients = Wiring(Settings(**changes)).clients
    assert (clients._lookup_endpoint, clients.lookup_timeout_s) == ("http://far.example", 0.25)


def test_aliases_may_lie_in_a_file(tmp_path: Path) -> None:
    """The driver toml, whose file has to be named."""
    wired, _ = _wired(lookup="toml", lookup_file=str(tmp_path / "aliases.toml"))
    assert isinstance(wired.aliases(), TomlAliases)
    wired, _ = _wired(lookup="toml")
    with pytest.raises(BadInput, match="MAILTUMBLE_LOOKUP_FILE"):
        wired.aliases()


def test_a_driver_that_is_not_installed_is_named() -> None:
    """With those that are."""
    wired, _ = _wired(lookup="ldap")
    with pytest.raises(BadInput, match="no driver 'ldap', but dynamodb, toml"):
        wired.aliases()


def test_intakes_queue_may_be_named_by_its_url() -> None:
    """Then nobody is asked for it; other queues still have their own."""
    wired, sqs = _wired(intake_queue_url="https://sqs.example/other")
    assert wired.queue()._url == "https://sqs.example/other"
    assert sqs.asked == []
    assert wired.queue("feedback")._url == "https://sqs.example/mailtumble-feedback"


def test_a_queue_that_is_not_found_is_named() -> None:
    """In an error of ours."""
    wired, _ = _wired()
    with pytest.raises(PermanentError, match="mailtumble-nowhere"):
        wired.queue("nowhere")


@pytest.mark.parametrize(("given", "used"), [("events", "events"), ("", None)])
def test_mail_is_sent_with_the_configuration_set(given: str, used: str | None) -> None:
    """Or without one, where its name is empty."""
    wired, _ = _wired(configuration_set=given)
    assert wired.provider()._configuration_set == used


@pytest.mark.parametrize(("given", "made"), [("sesv2", SesTransport), ("sesv1", SesV1Transport)])
def test_the_transport_is_chosen(given: str, made: type) -> None:
    """By setting; on either, account and transport are one."""
    ports = Wiring(Settings(transport=given, intake_queue_url="https://sqs.example/q")).ports(
        "sender"
    )
    assert isinstance(ports.transport, made)
    assert ports.account is ports.transport


def test_a_worker_gets_everything() -> None:
    """The way out tells the quota too, so that both see one account."""
    wired, _ = _wired()
    ports = wired.ports("sender")
    assert ports.transport is ports.account
    assert ports.clock is wired.clock


def test_a_worker_connects_to_what_it_uses() -> None:
    """Core neither sends nor receives: no client is made for that, and no queue is looked for."""
    wired = Wiring(Settings())
    ports = wired.ports("core")
    assert not {"ses", "sqs", "s3"} & set(wired.clients._made)
    assert callable(ports.objects.get)
    assert "s3" in wired.clients._made


def test_the_plan_is_in_microseconds() -> None:
    """Whatever unit a setting is written in."""
    wired, _ = _wired(
        generation="g7",
        region="eu-west-1",
        lifetime_h=1.5,
        on_unknown="park",
        unknown_wait_s=0.5,
        upgrade_wait_s=2.5,
        send_window_s=3,
        quota_poll_s=2.5,
        outage_probe_s=1.5,
        rate_fraction=0.75,
    )
    plan = wired.plan()
    assert (plan.bucket, plan.generation, plan.account) == ("mailtumble-mail", "g7", "eu-west-1")
    assert plan.rules.mail == Rules(lifetime_us=3 * HOUR_US // 2, on_unknown=UnknownPolicy.PARK)
    assert plan.unknown_wait_us == SECOND_US // 2
    assert plan.upgrade_wait_us == 5 * SECOND_US // 2
    assert plan.times.send_us == 3 * SECOND_US
    assert plan.quota_every_us == 5 * SECOND_US // 2
    assert plan.outage_probe_us == 3 * SECOND_US // 2
    assert plan.rate_fraction == 0.75
    assert plan.owner == owner_name()


def test_suppression_goes_by_the_settings() -> None:
    """Hours and counts, and the key of the addresses' digests."""
    wired, _ = _wired(
        suppress_permanent_h=0.5,
        suppress_complaint_h=2,
        suppress_transient_h=1.5,
        transient_bounces=4,
        transient_window_h=36,
        address_key="secret",
    )
    rules = wired.rules()
    assert rules.address_key == "secret"
    assert rules.suppression == SuppressionRules(
        permanent_for_us=HOUR_US // 2,
        complaint_for_us=2 * HOUR_US,
        transient_for_us=3 * HOUR_US // 2,
        transient_bounces=4,
        transient_window_us=36 * HOUR_US,
    )


def test_moderation_goes_by_the_file(tmp_path: Path) -> None:
    """None named, no rules; one with a fault ends the worker before it begins."""
    path = tmp_path / "rules.toml"
    path.write_text('[[rule]]\nname = "big"\naction = "reject"\nlarger_than = 7\n')
    wired, _ = _wired(moderation_rules=str(path))
    rule = Rule(name="big", action=ModerationAction.REJECT, larger_than=7)
    assert wired.rules().mail.moderation == (rule,)
    assert _wired()[0].rules().mail.moderation == ()
    path.write_text('[[rule]]\nname = "big"\n')
    with pytest.raises(BadInput, match="action"):
        wired.rules()


def test_intake_hears_the_topics_of_its_own_queues_account() -> None:
    """By their names, where none are named."""
    wired, _ = _wired(prefix="acme")
    verifier = wired.verifier()
    assert isinstance(verifier, SnsVerifier)
    place = "arn:aws:sns:eu-west-1:123456789012"
    assert set(verifier._origins) == {f"{place}:acme-inbound", f"{place}:acme-feedback"}


def test_topics_may_be_named() -> None:
    """Their full ARNs, with commas; then nobody is asked."""
    one, two = (f"arn:aws:sns:us-east-1:1234567890{n}:mail" for n in (11, 12))
    wired, sqs = _wired(sns_topics=f" {one}, {two} ,")
    verifier = wired.verifier()
    assert isinstance(verifier, SnsVerifier)
    assert set(verifier._origins) == {one, two}
    assert sqs.asked == []
    with pytest.raises(BadInput, match="not the ARN"):
        _wired(sns_topics="mail")[0].verifier()


def test_verification_may_be_off() -> None:
    """For emulators, whose SNS doesn't sign."""
    assert _wired(verify_sns="off")[0].verifier() is NO_VERIFICATION


def test_a_claim_outlasts_the_call() -> None:
    """SES may take call_timeout_s to answer, and connecting comes on top of it."""
    wired, _ = _wired(call_timeout_s=30)
    assert wired.plan().times.call_us > 33 * SECOND_US
    assert Wiring(Settings(call_timeout_s=30)).clients.send_timeout_s == 30


@pytest.mark.parametrize(
    ("environment", "host"),
    [({"HOSTNAME": "box"}, "box"), ({"HOSTNAME": ""}, None), ({}, None)],
)
def test_an_owner_is_a_process_on_a_host(environment: dict[str, str], host: str | None) -> None:
    """No two at the same time have the same name."""
    assert owner_name(environment) == f"{host or socket.gethostname()}-{os.getpid()}"


def test_the_clock_is_the_machines() -> None:
    """Microseconds since 1970; and it waits."""
    clock = AwsClock()
    before = clock.now()
    clock.sleep(0.001)
    assert before + 1_000 <= clock.now() <= (time.time() + 60) * SECOND_US
