"""Receipt rules: conditions as SES documents them, and rules out of its answer."""

from __future__ import annotations

from typing import Any

import pytest

from mailtumble.local.ses.rules import ReceiptRule, rules_of


def rule(*recipients: str) -> ReceiptRule:
    """A rule for these conditions."""
    return ReceiptRule(
        name="r", bucket="b", object_prefix="in/", topic_arn="arn", recipients=recipients
    )


@pytest.mark.parametrize(
    ("condition", "address", "is_for"),
    [
        ("user@house.example", "user@house.example", True),
        ("user@house.example", "USER@House.Example", True),
        ("user@house.example", "user+label@house.example", True),
        ("user@house.example", "other@house.example", False),
        ("user+label@house.example", "user+label@house.example", True),
        ("user+label@house.example", "user@house.example", False),
        ("house.example", "anybody@house.example", True),
        ("house.example", "anybody@sub.house.example", False),
        ("house.example", "anybody@greenhouse.example", False),
        (".house.example", "anybody@deep.sub.house.example", True),
        (".house.example", "anybody@house.example", False),
    ],
)
def test_conditions_are_addresses_domains_and_subdomains(
    condition: str, address: str, *, is_for: bool
) -> None:
    """Labels belong to the address without one; a domain's subdomains need the dot."""
    assert rule(condition).matches(address) is is_for
    assert rule("elsewhere.example", condition).matches(address) is is_for


def test_a_rule_without_conditions_is_for_everybody() -> None:
    """As in SES, for all verified domains: here every domain counts as verified."""
    assert rule().matches("anybody@any.where.example")


def test_rules_come_out_of_the_answer_of_ses_in_their_order() -> None:
    """Enabled rules with an S3 action that tells a topic; the others are not carried out."""
    store: dict[str, Any] = {
        "S3Action": {"BucketName": "mail", "ObjectKeyPrefix": "inbound/", "TopicArn": "arn:t"}
    }
    answer = {
        "Rules": [
            {"Name": "off", "Enabled": False, "Actions": [store]},
            {"Name": "stop", "Enabled": True, "Actions": [{"StopAction": {"Scope": "RuleSet"}}]},
            {"Name": "untold", "Enabled": True, "Actions": [{"S3Action": {"BucketName": "mail"}}]},
            {"Name": "one", "Enabled": True, "Recipients": ["a.example"], "Actions": [store]},
            {
                "Name": "two",
                "Enabled": True,
                "Actions": [{"S3Action": {"BucketName": "b", "TopicArn": "arn:u"}}],
            },
        ]
    }
    one, two = rules_of(answer)
    assert (one.name, one.bucket, one.object_prefix, one.topic_arn, one.recipients) == (
        *("one", "mail", "inbound/", "arn:t"),
        ("a.example",),
    )
    assert (two.name, two.bucket, two.object_prefix, two.recipients) == ("two", "b", "", ())
    assert rules_of({}) == ()
