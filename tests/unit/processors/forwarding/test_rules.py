"""The table of header fields agrees with what SES demands."""

from __future__ import annotations

import pytest

from processors.forwarding.rules import RULES, Treatment, treatment_of

# Those of the SES developer guide, "Amazon SES header fields", that forwarded mail brings most.
ONCE_ONLY = (
    *("From", "To", "Cc", "Bcc", "Subject", "Reply-To", "Sender", "Return-Path", "Message-ID"),
    *("Date", "Delivered-To", "DKIM-Signature", "DomainKey-Signature", "References"),
    *("In-Reply-To", "List-Archive", "List-Help", "List-Id", "List-Owner", "List-Post"),
    *("List-Subscribe", "List-Unsubscribe", "List-Unsubscribe-Post", "Precedence", "MIME-Version"),
    *("Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Comments", "Keywords"),
    *("Auto-Submitted", "User-Agent", "Thread-Index", "Thread-Topic", "Errors-To"),
)


def test_every_rule_has_a_name_of_its_own_and_a_reason() -> None:
    """No field has two rules, and none has a rule without a reason."""
    names = [rule.name.lower() for rule in RULES]
    assert len(set(names)) == len(names)
    assert all(rule.reason for rule in RULES)


@pytest.mark.parametrize("name", ONCE_ONLY)
def test_what_ses_takes_once_is_not_kept_twice(name: str) -> None:
    """No field that SES refuses in duplicate has a rule that lets duplicates through."""
    assert treatment_of(name.lower().encode())[0] is not Treatment.KEEP


@pytest.mark.parametrize(
    ("name", "treatment"),
    [
        (b"x-ses-configuration-set", Treatment.DROP),
        (b"x-ses-anything-new", Treatment.DROP),
        (b"arc-seal", Treatment.DROP),
        (b"x-mailer", Treatment.KEEP),
        (b"received", Treatment.KEEP),
        (b"auto-submitted", Treatment.KEEP_FIRST),
        (b"from", Treatment.REWRITE),
    ],
)
def test_treatments(name: bytes, treatment: Treatment) -> None:
    """Names and prefixes are found; a field without a rule is kept."""
    assert treatment_of(name)[0] is treatment
