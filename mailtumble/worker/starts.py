"""The event that a worker writes when it starts: its release, and digests of settings and rules.

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
"""Settings that the digest leaves out, because a digest of a weak secret would reveal it."""
SILENT: Final = frozenset({"archive"})
"""Workers without this event. The archive decides nothing, and must not write to the stream."""
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

    The id is derived from the day and the content. A worker that starts again and again therefore
    adds one fact per day to the fleet's subject, on however many machines it starts.

    Args:
        application: the worker's name.
        settings: the settings that it was started with.
        rules_digest: the digest of its file of moderation rules; empty if it has none.
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
    """Append a fact about a start. The worker does not wait for this, and works even if it fails.

    Args:
        fact: the fact that :func:`started` returned.
        stream: where to append it.
        now: returns the time, in microseconds UTC.
        stopping: returns whether the worker is about to end.
        sleep: waits for a number of seconds.

    Returns:
        Whether the fact is on the stream. The function gives up after 60 tries (5 minutes).
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
