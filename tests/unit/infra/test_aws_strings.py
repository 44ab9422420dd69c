"""The check of strings that reach AWS: what it finds, on plans of a few lines."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.infra.aws_strings.plan import Findings, judge
from tests.unit.infra.aws_strings.rule import DOCS, rules_of
from tests.unit.infra.aws_strings.table import AFTER_APPLY, TABLE

GROUP = {"name": "a", "description": "a", "vpc_id": "vpc-0123456789abcdef0"}


def _plan(
    kind: str, known: dict[str, Any], unknown: dict[str, Any] | None = None
) -> dict[str, Any]:
    marks = unknown or {}
    return {
        "resource_changes": [
            {
                "address": f'module.m["a.b"].{kind}.this["x"]',
                "mode": "managed",
                "type": kind,
                "change": {"after": known, "after_unknown": marks},
            }
        ],
        "configuration": {
            "root_module": {
                "module_calls": {
                    "m": {
                        "module": {
                            "resources": [
                                {
                                    "address": f"{kind}.this",
                                    "expressions": {name: {} for name in known},
                                }
                            ]
                        }
                    }
                }
            }
        },
    }


def _faults(kind: str, known: dict[str, Any], unknown: dict[str, Any] | None = None) -> list[str]:
    findings = Findings()
    judge(_plan(kind, known, unknown), TABLE, AFTER_APPLY, findings)
    return findings.faults


def test_what_aws_takes_is_no_fault() -> None:
    """The check is quiet about strings within their limits."""
    assert _faults("aws_security_group", GROUP) == []


@pytest.mark.parametrize(
    ("kind", "known", "part"),
    [
        ("aws_security_group", {**GROUP, "description": "the fleet's"}, "does not match"),
        ("aws_security_group", {**GROUP, "description": "a" * 256}, "at most 255"),
        ("aws_security_group", {**GROUP, "description": ""}, "at least 1"),
        ("aws_security_group", {**GROUP, "name": "sg-fleet"}, "does not match"),
        ("aws_vpc_security_group_egress_rule", {"description": "SNS's"}, "does not match"),
        ("aws_iam_role", {"name": "r" * 65}, "at most 64"),
        ("aws_iam_role", {"assume_role_policy": "{"}, "is not JSON"),
        ("aws_iam_role", {"assume_role_policy": f'["{"p" * 2048}"]'}, "at most 2048"),
        ("aws_iam_role_policy", {"policy": '["\u2019"]'}, "does not match"),
        ("aws_sqs_queue", {"name": "in.take"}, "does not match"),
        ("aws_sqs_queue", {"name": "q" * 81}, "at most 80"),
        ("aws_s3_bucket", {"bucket": "Mail"}, "does not match"),
        ("aws_s3_bucket", {"bucket": "b" * 64}, "at most 63"),
        ("aws_dynamodb_table", {"name": "t2"}, "at least 3"),
        ("aws_ses_receipt_rule", {"name": "-rule"}, "does not match"),
        ("aws_ses_receipt_rule_set", {"rule_set_name": "a.b"}, "does not match"),
        ("aws_ecs_task_definition", {"family": "mail/core"}, "does not match"),
        ("aws_cloudwatch_log_group", {"name": "/mail core"}, "does not match"),
        ("aws_cloudwatch_metric_alarm", {"alarm_description": "a" * 1025}, "at most 1024"),
        ("aws_cloudwatch_metric_alarm", {"alarm_description": "two\nlines"}, "does not match"),
        ("aws_cloudwatch_metric_alarm", {"statistic": "Median"}, "is none of Average"),
        ("aws_cloudwatch_metric_alarm", {"dimensions": {":a": "b"}}, "':a' does not match"),
        ("aws_sns_topic", {"tags_all": {"Cost!": "x"}}, "'Cost!' does not match"),
        ("aws_sns_topic", {"tags_all": {"aws:x": "x"}}, "'aws:x' does not match"),
        ("aws_sns_topic", {"tags_all": {"k" * 129: "x"}}, "at most 128"),
        ("aws_sns_topic", {"tags_all": {"Cost": "v" * 257}}, "at most 256"),
        ("aws_sns_topic", {"tags_all": {"Cost": "Jane's"}}, "does not match"),
        ("aws_ses_receipt_rule", {"recipients": ["a.example", "b c"]}, "'b c' does not match"),
    ],
)
def test_what_aws_refuses_is_named_with_its_source(
    kind: str, known: dict[str, Any], part: str
) -> None:
    """Characters, lengths, words and the keys of maps are checked, and the fault cites a page."""
    (fault,) = _faults(kind, known)
    assert part in fault
    assert fault.startswith(f'module.m["a.b"].{kind}.this["x"]: ')
    assert f"({DOCS}" in fault


@pytest.mark.parametrize(
    "known",
    [
        {**GROUP, "revoke_reason": "none"},
        {**GROUP, "ingress": [{"description": "fine"}]},
        {**GROUP, "triggers": {"a": "b"}},
        {**GROUP, "tags_all": "not a map"},
    ],
)
def test_an_attribute_without_a_rule_is_a_fault(known: dict[str, Any]) -> None:
    """A new attribute, at any depth, fails until the table has it."""
    (fault,) = _faults("aws_security_group", known)
    assert "no rule for" in fault


def test_a_type_without_rules_is_a_fault() -> None:
    """So does a new type of resource."""
    (fault,) = _faults("aws_lambda_function", {"function_name": "f"})
    assert "no rules for the type aws_lambda_function" in fault


def test_a_value_that_only_the_apply_knows_has_to_be_listed() -> None:
    """What cannot be checked before the apply is listed with a reason."""
    (fault,) = _faults("aws_security_group", {"description": None}, {"description": True})
    assert "description is known only after the apply" in fault


def test_what_nobody_configures_is_an_output_of_aws() -> None:
    """An unknown attribute that the configuration does not set needs no rule."""
    assert _faults("aws_security_group", GROUP, {"arn": True, "ingress": True}) == []


def test_a_resource_that_goes_away_is_not_judged() -> None:
    """A resource to delete sends none of its strings."""
    plan = _plan("aws_security_group", {"description": "the fleet's"})
    plan["resource_changes"][0]["change"]["after"] = None
    findings = Findings()
    judge(plan, TABLE, AFTER_APPLY, findings)
    assert findings.faults == []


def test_every_rule_cites_a_page_of_the_documentation() -> None:
    """No rule is without a source."""
    sources = {rule.source for attributes in TABLE.values() for rule in rules_of(attributes)}
    assert [
        each for each in sources if not (each.startswith(DOCS) and each.endswith(".html"))
    ] == []
