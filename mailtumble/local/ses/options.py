"""The command line of the process."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mailtumble.local.ses.account import AccountSettings
from mailtumble.local.ses.events import AccountIdentity
from mailtumble.local.ses.limiters import LIMITERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the process is started with."""

    smtp_port: int
    api_port: int
    bucket: str
    object_prefix: str
    inbound_topic_arn: str
    feedback_topic_arn: str
    spool_dir: Path | None
    port_file: Path | None
    strict_lines: bool
    account: AccountSettings


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; what is wrong with it ends the process with a message."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        AccountIdentity.of_topic(given.feedback_topic_arn)
        account = AccountSettings(
            rate=given.rate,
            daily_quota=given.daily_quota,
            limiter=given.limiter,
            latency_ms=given.latency_ms,
            error_rate=given.error_rate,
            lost_reply_rate=given.lost_reply_rate,
            refuses=given.refuses,
            seed=given.seed,
        )
    except ValueError as error:
        parser.error(str(error))
    return Options(
        smtp_port=given.smtp_port,
        api_port=given.api_port,
        bucket=given.bucket,
        object_prefix=given.object_prefix,
        inbound_topic_arn=given.inbound_topic_arn,
        feedback_topic_arn=given.feedback_topic_arn,
        spool_dir=given.spool_dir,
        port_file=given.port_file,
        strict_lines=given.strict_lines,
        account=account,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mailtumble.local.ses",
        description="Amazon SES on 127.0.0.1: receives mail by SMTP, sends by the v2 API.",
    )
    default = AccountSettings()
    listening = parser.add_argument_group("listening")
    listening.add_argument("--smtp-port", type=int, default=2525, help="0: any free port")
    listening.add_argument("--api-port", type=int, default=0, help="0: any free port")
    listening.add_argument("--port-file", type=Path, help="file to write both ports to, as JSON")

    receiving = parser.add_argument_group("receiving")
    receiving.add_argument("--bucket", required=True, help="S3 bucket for received mail")
    receiving.add_argument("--object-prefix", default="inbound/", help="before the message id")
    receiving.add_argument("--inbound-topic-arn", required=True, metavar="ARN")

    sending = parser.add_argument_group("sending")
    sending.add_argument("--feedback-topic-arn", required=True, metavar="ARN")
    sending.add_argument("--spool-dir", type=Path, help="keep sent mail here, not until the end")
    sending.add_argument(
        "--strict-lines", action="store_true", help="refuse lines above 998 characters"
    )
    sending.add_argument("--rate", type=float, default=default.rate, help="recipients a second")
    sending.add_argument(
        "--daily-quota", type=int, default=default.daily_quota, help="recipients in 24 h, -1: any"
    )
    sending.add_argument("--limiter", choices=tuple(LIMITERS), default=default.limiter)
    sending.add_argument("--latency-ms", type=int, default=default.latency_ms)
    sending.add_argument(
        "--error-rate", type=float, default=default.error_rate, help="share of sends that fail"
    )
    sending.add_argument(
        "--lost-reply-rate",
        type=float,
        default=default.lost_reply_rate,
        help="share of sends that are accepted without a reply",
    )
    sending.add_argument(
        "--refuses",
        default=default.refuses,
        metavar="WHY",
        help="refuse every send: disabled, paused, suspended, or 'unverified DOMAIN'",
    )
    sending.add_argument("--seed", type=int, default=default.seed, help="for both shares")
    return parser
