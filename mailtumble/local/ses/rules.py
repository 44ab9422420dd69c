"""Receipt rules: which recipients a mail is received for, and where it goes. Pure.

Their shape is that of SES's first API (``DescribeActiveReceiptRuleSet``), which alone knows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRule:
    """A rule with one action: S3, with a topic. Without ``recipients`` it is for every address.

    Of an address's condition SES says (developer guide, "Creating receipt rules"): an address is
    for any label (``user+label@``) too, save where it has one itself; a domain is for its addresses
    and not for those of subdomains; with a leading dot it is for the subdomains alone.
    """

    name: str
    bucket: str
    object_prefix: str
    topic_arn: str
    recipients: Sequence[str] = ()

    def matches(self, address: str) -> bool:
        """Whether mail for this address is the rule's; upper and lower case are the same."""
        if not self.recipients:
            return True
        user, _, domain = address.lower().rpartition("@")
        forms = {domain, f"{user}@{domain}", f"{user.partition('+')[0]}@{domain}"}
        return any(
            domain.endswith(condition) if condition.startswith(".") else condition in forms
            for condition in (each.lower() for each in self.recipients)
        )


def rules_of(rule_set: Mapping[str, Any]) -> tuple[ReceiptRule, ...]:
    """The enabled rules of an answer of SES, in their order, by their S3 actions with a topic.

    Other actions are not carried out here.
    """
    return tuple(_rules(rule_set.get("Rules", ())))


def _rules(plain: Sequence[Mapping[str, Any]]) -> Iterator[ReceiptRule]:
    for rule in plain:
        actions = [each["S3Action"] for each in rule.get("Actions", ()) if "S3Action" in each]
        for action in actions:
            if rule.get("Enabled") and action.get("TopicArn"):
                yield ReceiptRule(
                    name=rule["Name"],
                    bucket=action["BucketName"],
                    object_prefix=action.get("ObjectKeyPrefix") or "",
                    topic_arn=action["TopicArn"],
                    recipients=tuple(rule.get("Recipients", ())),
                )
