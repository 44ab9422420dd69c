"""What the settings say, and whether it can be used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mailtumble.doctor.findings import Finding, Setup, fail, ok, warn
from schemas.errors import BadInput, RetryableError

PROBE: Final = "mailtumble-doctor@invalid.example"
"""An alias that nobody has: only whether there is an answer counts."""


def settings(setup: Setup) -> Iterator[Finding]:
    """They fit each other, and the files that they name can be read."""
    given = setup.settings
    try:
        setup.read_rules()
    except BadInput as error:
        yield fail("settings", str(error), "correct the file, or MAILTUMBLE_MODERATION_RULES")
        return
    if not given.address_key and not setup.survey.is_emulated("KINESIS"):
        yield warn(
            "settings",
            "address_key is empty: whoever reads the log can guess addresses",
            "before the first mail, set MAILTUMBLE_ADDRESS_KEY to a secret, and never change it",
        )
    elif given.verify_sns == "off" and not setup.survey.is_emulated("SNS"):
        yield warn(
            "settings",
            "verify_sns is off: whoever reaches the queue can forge mail",
            "unset MAILTUMBLE_VERIFY_SNS",
        )
    else:
        yield ok("settings", f"prefix {given.prefix}, generation {given.generation}")


def look_up(setup: Setup) -> Iterator[Finding]:
    """An alias can be looked up."""
    part, how = "look-up", setup.settings.lookup
    try:
        setup.aliases().find([PROBE])
    except RetryableError as error:
        yield fail(part, f"{how}: {error}", "all mail waits until it answers: mend it first")
    except BadInput as error:
        yield fail(part, f"{how}: {error}", "correct MAILTUMBLE_LOOKUP and what goes with it")
    else:
        yield ok(part, f"{how} answers")
