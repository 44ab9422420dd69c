"""All checks, run side by side: one that breaks or hangs says so, and holds up no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from mailtumble.definition import Definition
from mailtumble.doctor import account, fleet, mail, resources, settings
from mailtumble.doctor.findings import Check, Finding, Setup, fail, warn
from mailtumble.ports.survey import NotOffered
from schemas.errors import MailtumbleError, RetryableError

TIMEOUT_S: Final = 15.0
"""Above a call's own time-outs (3 s to connect, 10 s to read)."""
APPLICATIONS: Final = ("core", "sender", "archive")


def checks(definition: Definition) -> Iterator[Check]:
    """Every check, in the order in which they are told."""
    yield Check("settings", settings.settings)
    yield Check("region", account.region)
    yield Check("credentials", account.credentials, "sts:GetCallerIdentity")
    yield Check("clock", account.clock, "sts:GetCallerIdentity")
    yield Check("stream", resources.stream, "kinesis:DescribeStreamSummary")
    for table in definition.tables:
        yield Check(
            f"table {table.name}",
            partial(resources.table, defined=table),
            "dynamodb:DescribeTable and dynamodb:DescribeTimeToLive",
        )
    for bucket in definition.buckets:
        yield Check(f"bucket {bucket}", partial(resources.bucket, name=bucket), "s3:ListBucket")
    for queue in definition.queues:
        yield Check(
            f"queue {queue.name}",
            partial(resources.queue, defined=queue),
            "sqs:GetQueueUrl and sqs:GetQueueAttributes",
        )
    yield Check("look-up", settings.look_up, "dynamodb:GetItem on the aliases")
    yield Check("receipt rules", mail.receiving, "ses:DescribeActiveReceiptRuleSet")
    yield Check("configuration set", mail.feedback, "ses:GetConfigurationSetEventDestinations")
    yield Check("identities", mail.identities, "ses:GetEmailIdentity, dynamodb:Scan on the aliases")
    yield Check("sending", mail.sending, "ses:GetAccount")
    for application in APPLICATIONS:
        yield Check(
            application, partial(fleet.host, application=application), "dynamodb:GetItem on fleet"
        )
    yield Check("sender's quota", fleet.quota, "dynamodb:GetItem on fleet")
    yield Check("kcl", fleet.kcl)


def examine(
    setup: Setup, every: Sequence[Check] | None = None, *, timeout_s: float = TIMEOUT_S
) -> list[Finding]:
    """Run the checks, all at once; their findings in order."""
    chosen = list(checks(setup.definition)) if every is None else list(every)
    found: list[list[Finding] | None] = [None] * len(chosen)

    def one(place: int) -> None:
        found[place] = _isolated(chosen[place], setup)

    threads = [
        # Daemons: a call that hangs must not hold the end of the command up.
        threading.Thread(target=one, args=(place,), daemon=True, name=f"doctor-{check.part}")
        for place, check in enumerate(chosen)
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + timeout_s
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [
        finding
        for check, findings in zip(chosen, found, strict=True)
        for finding in (findings if findings is not None else [_silent(check, timeout_s)])
    ]


def _isolated(check: Check, setup: Setup) -> list[Finding]:
    part = check.part
    try:
        return list(check.run(setup))
    except NotOffered as error:
        return [warn(part, f"not offered by this AWS ({error})", "nothing: an emulator lacks it")]
    except RetryableError as error:
        return [fail(part, str(error), "see whether this machine reaches AWS, and run this again")]
    except MailtumbleError as error:
        todo = f"allow {check.needs} to these credentials" if check.needs else "see the text"
        return [fail(part, str(error), f"mend what the text names, or {todo}")]
    except Exception as error:  # noqa: BLE001 - one check must not end the others
        told = f"the check itself broke: {type(error).__name__}: {error}"
        return [fail(part, told, "report it, with the output of mailtumble doctor --json")]


def _silent(check: Check, timeout_s: float) -> Finding:
    return fail(
        check.part,
        f"no answer in {timeout_s:g} s",
        "see whether this machine reaches AWS (routes, proxies, VPC endpoints)",
    )
