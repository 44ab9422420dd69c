"""The codes and policies that SES tells beside its verdicts are on the log as it told them."""

from __future__ import annotations

import json

import pytest

from mailtumble.intake.notification import Arrival, Feedback, parse
from schemas.events import BounceReceived, ComplaintReceived, MailReceived
from tests.unit.mailtumble.intake.test_notification import arrived, tagged


@pytest.mark.parametrize(
    ("recipients", "status", "diagnostic"),
    [
        (None, "", ""),
        ([], "", ""),
        ([{}], "", ""),
        ([{"status": "5.2.2"}], "5.2.2", ""),
        (
            [{"diagnosticCode": "smtp; 550-5.7.26 from 10.1.2.3"}],
            "5.7.26",
            "smtp; 550-5.7.26 from 10.1.2.3",
        ),
        ([{"status": "", "diagnosticCode": "smtp; 550 at 5.1.1.9"}], "", "smtp; 550 at 5.1.1.9"),
        ([{"status": None, "diagnosticCode": None}], "", ""),
        (
            [{"status": "nonsense", "diagnosticCode": "smtp; 452 4.2.2 full"}],
            "4.2.2",
            "smtp; 452 4.2.2 full",
        ),
    ],
)
def test_the_enhanced_status_is_ses_own_or_the_diagnostics(
    recipients: object, status: str, diagnostic: str
) -> None:
    """Addresses of machines in a diagnostic are no codes; what SES does not tell stays empty."""
    message = tagged("bounce")
    message["bounce"]["bouncedRecipients"] = recipients
    told = parse(json.dumps(message))
    assert isinstance(told, Feedback)
    (event,) = told.fact.events
    assert isinstance(event, BounceReceived)
    assert (event.enhanced_status, event.diagnostic) == (status, diagnostic)


def test_a_complaint_tells_why_ses_withheld_a_mail() -> None:
    """By its subtype; and what the person said, if the provider told that."""
    message = tagged("complaint")
    message["complaint"]["complaintSubType"] = "OnAccountSuppressionList"
    message["complaint"]["complaintFeedbackType"] = None
    told = parse(json.dumps(message))
    assert isinstance(told, Feedback)
    (event,) = told.fact.events
    assert isinstance(event, ComplaintReceived)
    assert (event.feedback_type, event.complaint_subtype) == ("", "OnAccountSuppressionList")


@pytest.mark.parametrize(("given", "policy"), [("REJECT", "reject"), (None, ""), ("none", "none")])
def test_the_dmarc_policy_is_on_the_log(given: object, policy: str) -> None:
    """As SES tells it beside its verdicts, whatever they are."""
    message = arrived()
    message["receipt"]["dmarcPolicy"] = given
    arrival = parse(json.dumps(message))
    assert isinstance(arrival, Arrival)
    (fact, *_) = arrival.facts(1, "")
    (event,) = fact.events
    assert isinstance(event, MailReceived)
    assert event.dmarc_policy == policy
