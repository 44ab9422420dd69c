"""Whose credentials, which region, whose clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mailtumble.doctor.findings import Finding, Setup, fail, ok, warn
from schemas.values import SECOND_US

SKEW_WARN_US: Final = SECOND_US
"""Instants of the fleet are cut by each machine's own clock."""
SKEW_FAIL_US: Final = 300 * SECOND_US
"""From five minutes on AWS refuses signatures."""


def credentials(setup: Setup) -> Iterator[Finding]:
    """AWS knows them."""
    caller = setup.survey.caller()
    yield ok("credentials", f"{caller.arn} of account {caller.account}")


def region(setup: Setup) -> Iterator[Finding]:
    """There is such a region."""
    name = setup.settings.region
    if setup.survey.knows_region(name) or setup.survey.is_emulated("KINESIS"):
        yield ok("region", name)
    else:
        yield warn(
            "region",
            f"boto knows no region {name}",
            "set MAILTUMBLE_REGION to the region that the stream is in",
        )


def clock(setup: Setup) -> Iterator[Finding]:
    """It goes as AWS's does."""
    skew_us = setup.survey.clock_skew_us()
    seconds = abs(skew_us) / SECOND_US
    side = "ahead of" if skew_us > 0 else "behind"
    told = f"{seconds:.1f} s {side} AWS's (to half a second)"
    todo = "let this machine's clock be set by NTP (chrony, or 169.254.169.123 on EC2)"
    if abs(skew_us) > SKEW_FAIL_US:
        yield fail("clock", told, todo)
    elif abs(skew_us) > SKEW_WARN_US:
        yield warn("clock", told, todo)
    else:
        yield ok("clock", told)
