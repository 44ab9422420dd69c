"""The command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailtumble.local.ses.account import AccountSettings
from mailtumble.local.ses.options import parse_options

ARN = "arn:aws:sns:us-east-1:000000000000:topic"
REQUIRED = ["--bucket", "b", "--inbound-topic-arn", ARN, "--feedback-topic-arn", ARN]


def test_little_has_to_be_said() -> None:
    """Bucket and topics are required; the rest has the defaults of a modest account."""
    options = parse_options(REQUIRED)
    assert (options.smtp_port, options.api_port) == (2525, 0)
    assert options.object_prefix == "inbound/"
    assert options.account == AccountSettings()
    assert options.spool_dir is None


def test_everything_can_be_said() -> None:
    """Every setting that can be changed at run time is an option too."""
    options = parse_options(
        [
            *REQUIRED,
            *("--rate", "0.5", "--daily-quota", "-1", "--limiter", "sliding"),
            *("--latency-ms", "40", "--error-rate", "0.1", "--lost-reply-rate", "0.2"),
            *("--seed", "3", "--spool-dir", "sent", "--port-file", "ports", "--strict-lines"),
        ]
    )
    assert options.account == AccountSettings(
        rate=0.5,
        daily_quota=-1,
        limiter="sliding",
        latency_ms=40,
        error_rate=0.1,
        lost_reply_rate=0.2,
        seed=3,
    )
    assert (options.spool_dir, options.port_file) == (Path("sent"), Path("ports"))
    assert options.strict_lines


@pytest.mark.parametrize(
    "arguments", [[], [*REQUIRED, "--rate", "0"], [*REQUIRED, "--feedback-topic-arn", "feedback"]]
)
def test_nonsense_ends_with_a_message(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What is missing or can't be meant is told on standard error."""
    with pytest.raises(SystemExit) as end:
        parse_options(arguments)
    assert end.value.code == 2
    assert "error:" in capsys.readouterr().err
