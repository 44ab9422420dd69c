"""The workers: is somebody at work, what does the fleet know, is there what the KCL needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mailtumble.doctor.findings import Finding, Mark, Setup, fail, ok, warn
from mailtumble.kcl import java
from mailtumble.sender.quota import known_quota
from mailtumble.worker.lease import BEAT_S, host_key
from schemas.errors import MailtumbleError
from schemas.values import HOUR_US

WATCHED_S: Final = 3 * BEAT_S
QUOTA_OLD_US: Final = HOUR_US


def host(setup: Setup, application: str) -> Iterator[Finding]:
    """The heart of an application's host beats."""
    before = setup.store.get("fleet", host_key(application))
    start = f"start it: mailtumble worker {application}"
    if before is None:
        yield warn(application, "nobody is at work", start)
        return
    waited = 0.0
    while waited < WATCHED_S:
        setup.clock.sleep(BEAT_S / 2)
        waited += BEAT_S / 2
        now = setup.store.get("fleet", host_key(application)) or {}
        if now.get("beat") != before.get("beat"):
            yield ok(application, f"at work: {now.get('holder')!s}")
            return
    yield warn(application, f"{before['holder']!s} has ended without a good-bye", start)


def quota(setup: Setup) -> Iterator[Finding]:
    """The sender has heard from SES lately."""
    known = known_quota(setup.store)
    if known is None:
        yield warn(
            "sender's quota",
            "no sender has heard from SES: nothing leaves before that",
            "start one: mailtumble worker sender",
        )
    elif setup.clock.now() - known.observed_at > QUOTA_OLD_US:
        yield warn(
            "sender's quota",
            "the last answer of SES is older than an hour",
            "look into the sender's log: it asks every few seconds (ses:GetAccount)",
        )
    else:
        yield ok("sender's quota", f"{known.max_send_rate_milli / 1000:g} a second, as SES says")


def kcl(setup: Setup) -> Iterator[Finding]:
    """Java and the jars, where the KCL is to host the workers."""
    try:
        jars = java.find_jars()
        found = java.find_java()
        told = f"Java {java.version_of(found)}, {len(jars)} jars"
    except MailtumbleError as error:
        mark = fail if setup.host == "kcl" else warn
        yield mark("kcl", str(error), "for a fleet alone: pip install 'mailtumble[kcl]', Java 17")
        return
    yield Finding("kcl", Mark.OK, told)
