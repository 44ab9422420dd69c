"""What a worker says of itself when it starts: the release, and digests of settings and rules.

Decisions depend on settings. With ``WorkerStarted`` on the log, a reader of history can tell which
settings were in force, and ``ModerationDecided`` names the rules file by the same digest.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Final

from mailtumble.moderation_rules import DIGEST_LENGTH
from mailtumble.ports.stream import EventStream
from mailtumble.settings import Settings
from mailtumble.worker.application import Fact
from mailtumble.worker.records import outgoing
from schemas.errors import MailtumbleError, RetryableError
from schemas.events import WorkerStarted
from schemas.ids import FLEET_SUBJECT, derive
from schemas.values import DAY_US

SECRET: Final = frozenset({"address_key"})
"""Settings that are no part of the digest: a digest of a weak secret gives it away."""
SILENT: Final = frozenset({"archive"})
"""Workers that say nothing: the archive decides nothing, and may not write to the stream."""
AGAIN_S: Final = 5.0
TRIES_MAX: Final = 60

logger = logging.getLogger(__name__)


def settings_digest(settings: Settings) -> str:
    """Return a digest of all settings except the secret ones."""
    plain = {
        name: value for name, value in dataclasses.asdict(settings).items() if name not in SECRET
    }
    text = json.dumps(plain, sort_keys=True, default=str)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:DIGEST_LENGTH]


def started(application: str, settings: Settings, rules_digest: str, now: int) -> Fact:
    """Build ``WorkerStarted``.

    Its id holds the day and what it says, so a worker that starts again and again adds one fact a
    day to the fleet's subject, however many machines it starts on.

    Args:
        application: the worker's name.
        settings: what it was started with.
        rules_digest: of its file of moderation rules; empty without one.
        now: microseconds UTC.
    """
    event = WorkerStarted(
        application=application,
        release=version("mailtumble"),
        settings_digest=settings_digest(settings),
        rules_digest=rules_digest,
    )
    said = (event.application, event.release, event.settings_digest, event.rules_digest)
    name = derive("started", *said, str(now // DAY_US))
    return Fact(name, FLEET_SUBJECT, application, application, (event,))


def announce(
    fact: Fact,
    stream: EventStream,
    now: Callable[[], int],
    stopping: Callable[[], bool],
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Append a fact about a start; the worker works meanwhile, and without it if need be.

    Args:
        fact: what :func:`started` gave.
        stream: where to append it.
        now: the time, in microseconds UTC.
        stopping: whether the worker is about to end.
        sleep: waits some seconds.

    Returns:
        Whether it is on the stream. After 5 minutes without success it is given up.
    """
    for _ in range(TRIES_MAX):
        if stopping():
            return False
        try:
            stream.append([outgoing(fact, now())])
        except RetryableError as error:
            logger.warning("the start is not on the stream yet: %s", error)
            sleep(AGAIN_S)
        except MailtumbleError:
            logger.exception("the start is not told on the stream")
            return False
        else:
            return True
    return False
