"""The call to SES: fetch the mail, rewrite its header, wait for the instant, call, tell what came.

Nothing here touches the stream or a table: what comes back is the outcome, as an event.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Final, Protocol

from mailtumble.ports.world import (
    Clock,
    ObjectMissing,
    ObjectStore,
    OutcomeUnknown,
    OutgoingMail,
    SendImpossible,
    SendRefused,
    Transport,
)
from mailtumble.sender.entry import Entry
from processors.forwarding import Forwarding, Unforwardable, rewrite
from schemas.errors import PermanentError, RetryableError
from schemas.events import Event, SendAccepted, SendDeferred, SendFailed, SendUnknown
from schemas.values import NO_CALL, SECOND_US, DeferReason

LATE_US: Final = 25_000
"""A call this late after its instant would stand too near to the next ones: the instant is lost."""

logger = logging.getLogger(__name__)

TAG_MAIL: Final = "mailtumble-mail"
TAG_TARGET: Final = "mailtumble-target"
TAG_ATTEMPT: Final = "mailtumble-attempt"


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed entry whose SendStarted stands on the log, at ``sequence``.

    ``probes``: it is to find out whether SES lets mail out again.
    """

    entry: Entry
    instant_at: int
    send_before: int
    sequence: str = ""
    probes: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """A job with the mail as it will go out."""

    job: Job
    mail: OutgoingMail


@dataclass(frozen=True, slots=True)
class Missed:
    """The instant has passed, or is none any more; another one is needed."""


class Permission(Protocol):
    """What is asked right before a call, of the shard that the job is from."""

    def may_call(self, job: Job) -> bool:
        """Whether nothing is known yet that forbids it: another owner, a stop."""

    def holds(self, job: Job) -> bool:
        """Whether its instant still is one: the rate may have been cut since it was taken."""

    def another_instant(self, job: Job) -> int | None:
        """An instant in place of one that was missed; None: there is none."""


class Transmission:
    """Prepares and makes calls. Both steps block, and many may run side by side."""

    def __init__(
        self, objects: ObjectStore, transport: Transport, clock: Clock, unknown_wait_us: int
    ) -> None:
        """``unknown_wait_us``: how long the provider's event is waited for after a lost reply."""
        self._objects = objects
        self._transport = transport
        self._clock = clock
        self._unknown_wait_us = unknown_wait_us

    def carry_out(self, job: Job, permission: Permission) -> Event:
        """Do a job to its outcome, waiting for its instant on this thread.

        A missed instant is replaced by another before ``send_before``, or the round ends without
        a call.
        """
        ready = self._forbidden(job, permission, self._clock.now()) or self.prepare(job)
        while isinstance(ready, Ready):
            wait_us = ready.job.instant_at - self._clock.now()
            if wait_us > 0:
                self._clock.sleep(wait_us / SECOND_US)
            outcome = self.call(ready, permission)
            if not isinstance(outcome, Missed):
                return outcome
            try:
                instant_at = permission.another_instant(job)
            except RetryableError:
                instant_at = None
            if instant_at is None:
                return not_called(job, "its instant was missed, and no other was to be had")
            ready = Ready(replace(job, instant_at=instant_at), ready.mail)
        return ready

    def prepare(self, job: Job) -> Ready | Event:
        """Fetch and rewrite; an event where that ends the attempt."""
        entry = job.entry
        try:
            raw = self._objects.get(entry.bucket, entry.object_key)
        except ObjectMissing:
            detail = f"no object {entry.object_key} in {entry.bucket}"
            return _failed(job, "ObjectMissing", detail)
        except (RetryableError, PermanentError) as error:
            # Tried again later: a grant that is missing, or a key, may be given.
            detail = f"the mail could not be read: {error}"
            return not_called(job, detail, DeferReason.TRANSIENT)
        try:
            forwarding = Forwarding(entry.alias, entry.envelope_sender, entry.mail_id, entry.tags)
            rewritten = rewrite(raw, forwarding)
        except Unforwardable as error:
            return _failed(job, "Unforwardable", str(error))
        except Exception as error:
            # A mail that shows a fault of ours must not take the others with it; once that is
            # mended, it is sent by `mail retry`.
            logger.exception("the mail %s can't be rewritten", entry.mail_id)
            return _failed(job, type(error).__name__, str(error))
        tags = {
            TAG_MAIL: entry.mail_id,
            TAG_TARGET: str(entry.target),
            TAG_ATTEMPT: entry.attempt_id,
        }
        mail = OutgoingMail(rewritten.to_bytes(), entry.alias, entry.address, tags)
        return Ready(job, mail)

    def _forbidden(self, job: Job, permission: Permission, now: int) -> Event | None:
        """Why SES must not be called any more; asked before anything else is told of the round."""
        if now >= job.send_before:
            return not_called(job, "its time was over before SES was called")
        if not permission.may_call(job):
            return not_called(job, "sending was stopped, or handed over, before SES was called")
        return None

    def call(self, ready: Ready, permission: Permission) -> Event | Missed:
        """Make the one call of this round, if it is still its time. The instant has come."""
        job = ready.job
        now = self._clock.now()
        forbidden = self._forbidden(job, permission, now)
        if forbidden is not None:
            return forbidden
        if now > job.instant_at + LATE_US or not permission.holds(job):
            return Missed()
        entry = job.entry
        try:
            message_id = self._transport.send(ready.mail)
        except SendRefused as error:
            return SendDeferred(
                target=entry.target,
                attempt_id=entry.attempt_id,
                round=entry.round,
                reason=error.reason,
                detail=error.detail,
                called_at=now,
            )
        except SendImpossible as error:
            return _failed(job, error.code, error.detail, now)
        except OutcomeUnknown as error:
            return SendUnknown(
                target=entry.target,
                attempt_id=entry.attempt_id,
                round=entry.round,
                reason=str(error),
                decide_at=self._clock.now() + self._unknown_wait_us,
                called_at=now,
            )
        return SendAccepted(
            target=entry.target,
            attempt_id=entry.attempt_id,
            provider_message_id=message_id,
            called_at=now,
            size_bytes=len(ready.mail.raw),
        )


def not_called(job: Job, detail: str, reason: DeferReason = DeferReason.NOT_CALLED) -> SendDeferred:
    """The outcome of a round in which SES was surely not called.

    NOT_CALLED is due again at once; TRANSIENT waits, longer each time.
    """
    return SendDeferred(
        target=job.entry.target,
        attempt_id=job.entry.attempt_id,
        round=job.entry.round,
        reason=reason,
        detail=detail,
        called_at=NO_CALL,
    )


def _failed(job: Job, code: str, detail: str, called_at: int = NO_CALL) -> SendFailed:
    return SendFailed(
        target=job.entry.target,
        attempt_id=job.entry.attempt_id,
        code=code,
        detail=detail,
        called_at=called_at,
    )
