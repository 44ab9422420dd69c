"""Whatever is broken is found, alone, and comes with a next step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mailtumble.definition import KeyAttribute
from mailtumble.doctor.checkup import checks
from mailtumble.doctor.findings import Mark
from mailtumble.ports.store import Delete, Item, Put
from mailtumble.ports.survey import Identity, RuleSet, SendingAccount, StandingTable
from mailtumble.ports.world import AliasUnreadable
from mailtumble.sender.quota import ITEM
from schemas.errors import BadInput, RetryableError
from schemas.values import SECOND_US
from tests.unit.mailtumble.doctor.conftest import Clinic

Break = Callable[[Clinic], object]


def _quota_heard(clinic: Clinic, seconds_ago: int) -> None:
    at = clinic.clock.now() - seconds_ago * SECOND_US
    fields = {"max_send_rate_milli": 14_000, "max_24h": 50_000, "sent_24h": 0}
    item: Item = {**ITEM, **fields, "sending_enabled": True, "observed_at": at}
    clinic.store.write(Put("fleet", item))


def _table(clinic: Clinic, name: str, **changes: object) -> None:
    found = clinic.survey.tables[f"acme-{name}"]
    shape = replace(found.shape, **changes)  # type: ignore[arg-type]
    clinic.survey.tables[f"acme-{name}"] = StandingTable(found.status, shape)


def _rule(clinic: Clinic, **changes: object) -> None:
    assert clinic.survey.rule_set is not None
    (rule,) = clinic.survey.rule_set.rules
    clinic.survey.rule_set = RuleSet("mailtumble", (replace(rule, **changes),))  # type: ignore[arg-type]


def _destination(clinic: Clinic, **changes: object) -> None:
    (found,) = clinic.survey.sets["mailtumble"]
    clinic.survey.sets["mailtumble"] = (replace(found, **changes),)  # type: ignore[arg-type]


def _account(clinic: Clinic, **changes: object) -> None:
    clinic.survey.sending = replace(clinic.survey.sending, **changes)  # type: ignore[arg-type]


def _queue(clinic: Clinic, name: str, **changes: object) -> None:
    found = clinic.survey.queues[f"acme-{name}"]
    clinic.survey.queues[f"acme-{name}"] = replace(found, **changes)  # type: ignore[arg-type]


def _stream(clinic: Clinic, **changes: object) -> None:
    found = clinic.survey.streams["acme-events"]
    clinic.survey.streams["acme-events"] = replace(found, **changes)  # type: ignore[arg-type]


def _raise(error: Exception) -> Callable[[], object]:
    def call(*_: object) -> object:
        raise error

    return call


BROKEN: dict[str, tuple[str, Break, Mark, str]] = {
    # What is broken: whose check, how, how it is marked, what is told.
    "region": ("region", lambda c: c.survey.regions.clear(), Mark.WARN, "no region eu-west-1"),
    "clock a little off": (
        "clock",
        lambda c: setattr(c.survey, "skew_us", 2 * SECOND_US),
        Mark.WARN,
        "2.0 s ahead of",
    ),
    "clock far off": (
        "clock",
        lambda c: setattr(c.survey, "skew_us", -400 * SECOND_US),
        Mark.FAIL,
        "400.0 s behind",
    ),
    "no stream": ("stream", lambda c: c.survey.streams.clear(), Mark.FAIL, "no stream acme-events"),
    "stream in the making": (
        "stream",
        lambda c: _stream(c, status="CREATING"),
        Mark.FAIL,
        "CREATING",
    ),
    "stream forgets": (
        "stream",
        lambda c: _stream(c, retention_hours=24),
        Mark.WARN,
        "less than 168 h",
    ),
    "no table": (
        "table mails",
        lambda c: c.survey.tables.pop("acme-mails"),
        Mark.FAIL,
        "no table acme-mails",
    ),
    "table with another key": (
        "table mails",
        lambda c: _table(c, "mails", partition_key=KeyAttribute("id", "S")),
        Mark.FAIL,
        "has the key id (S), not mail_key (S)",
    ),
    "table without an index": (
        "table mails",
        lambda c: _table(c, "mails", indexes=()),
        Mark.FAIL,
        "lacks the index by_received, by_held",
    ),
    "table never forgets": (
        "table claims",
        lambda c: _table(c, "claims", ttl=None),
        Mark.WARN,
        "never forgets",
    ),
    "table in the making": (
        "table queue",
        lambda c: c.survey.tables.update(
            {"acme-queue": replace(c.survey.tables["acme-queue"], status="CREATING")}
        ),
        Mark.FAIL,
        "CREATING",
    ),
    "no bucket": (
        "bucket mail",
        lambda c: c.survey.buckets.clear(),
        Mark.FAIL,
        "no bucket acme-mail",
    ),
    "no archive bucket": (
        "bucket archive",
        lambda c: c.survey.buckets.remove("acme-archive"),
        Mark.FAIL,
        "no bucket acme-archive",
    ),
    "no queue": (
        "queue intake",
        lambda c: c.survey.queues.pop("acme-intake"),
        Mark.FAIL,
        "no queue acme-intake",
    ),
    "no dead letters": (
        "queue intake",
        lambda c: _queue(c, "intake", dead_letters=None),
        Mark.FAIL,
        "moves dead letters to nowhere",
    ),
    "dead letters wait": (
        "queue intake-dead-letters",
        lambda c: _queue(c, "intake-dead-letters", waiting=3),
        Mark.WARN,
        "3 waiting",
    ),
    "no rule set is active": (
        "receipt rules",
        lambda c: setattr(c.survey, "rule_set", None),
        Mark.FAIL,
        "no receipt rule set is active",
    ),
    "rule for another bucket": (
        "receipt rules",
        lambda c: _rule(c, bucket="other"),
        Mark.FAIL,
        "no rule of mailtumble puts mail into acme-mail",
    ),
    "rule that tells nobody": (
        "receipt rules",
        lambda c: _rule(c, topic_arn=""),
        Mark.FAIL,
        "tells the topic acme-inbound",
    ),
    "rule is off": ("receipt rules", lambda c: _rule(c, enabled=False), Mark.FAIL, "is off"),
    "no configuration set": (
        "configuration set",
        lambda c: c.survey.sets.clear(),
        Mark.FAIL,
        "no configuration set mailtumble",
    ),
    "configuration set not set": (
        "configuration set",
        lambda c: c.change(configuration_set=""),
        Mark.FAIL,
        "is empty",
    ),
    "events go elsewhere": (
        "configuration set",
        lambda c: _destination(c, topic_arn="arn:aws:sns:eu-west-1:1:other"),
        Mark.FAIL,
        "tells the topic acme-feedback nothing",
    ),
    "bounces are not told": (
        "configuration set",
        lambda c: _destination(c, events=frozenset({"DELIVERY", "COMPLAINT", "REJECT"})),
        Mark.FAIL,
        "does not tell of BOUNCE",
    ),
    "unknown domain": (
        "identities",
        lambda c: c.survey.domains.clear(),
        Mark.FAIL,
        "does not know the domain",
    ),
    "unverified domain": (
        "identities",
        lambda c: c.survey.domains.update({"house.example": Identity(False, "PENDING")}),  # noqa: FBT003
        Mark.FAIL,
        "not verified (DKIM: PENDING)",
    ),
    "unsigned domain": (
        "identities",
        lambda c: c.survey.domains.update({"house.example": Identity(True, "FAILED")}),  # noqa: FBT003
        Mark.WARN,
        "not signed",
    ),
    "no alias": (
        "identities",
        lambda c: c.repository.remove("info@house.example"),
        Mark.WARN,
        "there is no alias",
    ),
    "sandbox": (
        "sending",
        lambda c: _account(c, production=False),
        Mark.FAIL,
        "verified addresses",
    ),
    "sending paused": ("sending", lambda c: _account(c, enabled=False), Mark.FAIL, "paused"),
    "quota used": ("sending", lambda c: _account(c, sent_24h=46_000), Mark.WARN, "46000 are used"),
    "nobody ever at work": (
        "core",
        lambda c: c.store.write(Delete("fleet", {"name": "host#core"})),
        Mark.WARN,
        "nobody is at work",
    ),
    "no archive": (
        "archive",
        lambda c: c.store.write(Delete("fleet", {"name": "host#archive"})),
        Mark.WARN,
        "nobody is at work",
    ),
    "a heart stands still": (
        "sender",
        lambda c: c.beating.remove("sender"),
        Mark.WARN,
        "host-1 has ended",
    ),
    "SES was never heard": ("sender's quota", lambda c: None, Mark.WARN, "no sender has heard"),  # noqa: ARG005
    "SES was not heard for long": (
        "sender's quota",
        lambda c: _quota_heard(c, 4000),
        Mark.WARN,
        "older than an hour",
    ),
    "broken rules": (
        "settings",
        lambda c: setattr(
            c, "setup", replace(c.setup, read_rules=_raise(BadInput("rules.toml: rule 1")))
        ),
        Mark.FAIL,
        "rules.toml: rule 1",
    ),
    "guessable digests": (
        "settings",
        lambda c: c.change(address_key=""),
        Mark.WARN,
        "address_key is empty",
    ),
    "unsigned messages": (
        "settings",
        lambda c: c.change(verify_sns="off"),
        Mark.WARN,
        "verify_sns is off",
    ),
    "look-up is out": (
        "look-up",
        lambda c: setattr(
            c, "setup", replace(c.setup, aliases=_raise(RetryableError("no answer in 1 s")))
        ),
        Mark.FAIL,
        "no answer in 1 s",
    ),
    "no such driver": (
        "look-up",
        lambda c: setattr(
            c, "setup", replace(c.setup, aliases=_raise(BadInput("there is no driver ldap")))
        ),
        Mark.FAIL,
        "no driver ldap",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_found_with_a_next_step(clinic: Clinic, name: str) -> None:
    """Its own check says so; before, the same check had nothing to complain of."""
    part, breaks, mark, told = BROKEN[name]
    if name != "SES was never heard":
        _quota_heard(clinic, 10)
        assert {each.mark for each in clinic.findings(part)} == {Mark.OK}
    breaks(clinic)
    wrong = [each for each in clinic.findings(part) if each.mark is not Mark.OK]
    assert [(each.mark, bool(each.todo)) for each in wrong] == [(mark, True)]
    assert told in wrong[0].told


def test_every_check_was_seen_to_fail() -> None:
    """Save credentials (the adapter's), the KCL's, and tables told apart by name alone."""
    seen = {part for part, *_ in BROKEN.values()}
    every = {each.part for each in checks(Clinic().setup.definition)}
    assert {each for each in every - seen if not each.startswith("table ")} == {
        "credentials",
        "kcl",
    }


@pytest.mark.parametrize(
    ("part", "breaks"),
    [
        ("receipt rules", BROKEN["no rule set is active"][1]),
        ("identities", BROKEN["unknown domain"][1]),
        ("sending", BROKEN["sandbox"][1]),
    ],
)
def test_an_emulator_s_ses_is_no_failure(clinic: Clinic, part: str, breaks: Break) -> None:
    """None receives by rules, and no domain has to be verified there."""
    clinic.survey.emulated = frozenset({"SESV2"})
    breaks(clinic)
    marks = {each.mark for each in clinic.findings(part)}
    assert Mark.WARN in marks
    assert Mark.FAIL not in marks


def test_java_is_needed_for_the_kcl_alone(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere that it is missing is a remark."""
    monkeypatch.setattr("mailtumble.kcl.java.find_java", _raise(BadInput("there is no Java")))
    (remark,) = clinic.findings("kcl")
    clinic.setup = replace(clinic.setup, host="kcl")
    (failure,) = clinic.findings("kcl")
    assert (remark.mark, failure.mark) == (Mark.WARN, Mark.FAIL)
    assert failure.told == "there is no Java"


def test_aliases_kept_elsewhere_need_no_table_here(clinic: Clinic) -> None:
    """A file, or another DynamoDB: whether it answers is the look-up's check."""
    clinic.survey.tables.pop("acme-aliases")
    assert [each.mark for each in clinic.findings("table aliases")] == [Mark.FAIL]
    clinic.change(lookup="toml")
    assert clinic.findings("table aliases") == []
    clinic.change(lookup="dynamodb", lookup_endpoint_url="http://127.0.0.1:1")
    assert clinic.findings("table aliases") == []


def test_a_broken_alias_is_an_outage_of_the_look_up(clinic: Clinic) -> None:
    """It is told with the alias's problem."""
    broken = AliasUnreadable({"info@house.example": "targets is no list"})
    clinic.setup = replace(clinic.setup, aliases=_raise(broken))  # type: ignore[arg-type]
    (finding,) = clinic.findings("look-up")
    assert "targets is no list" in finding.told


def test_a_quota_without_a_limit_is_never_used_up(clinic: Clinic) -> None:
    """SES says -1 for it."""
    clinic.survey.sending = SendingAccount(True, True, 14, -1, 10)  # noqa: FBT003
    (finding,) = clinic.findings("sending")
    assert (finding.mark, finding.told) == (Mark.OK, "14 a second, no limit in 24 hours")
