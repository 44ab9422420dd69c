"""An attempt that waits, as the table holds it: by bucket, and by lane#due#attempt.

What is called off waits for no turn, and stands in nobody's way: it lies apart from the lanes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from mailtumble.ports.store import Delete, Item, Put
from mailtumble.worker.horizon import due_text, text
from processors.sending.dispatch import Attempt, Dispatch, own_address
from processors.sending.lanes import Lane, domain_of
from schemas.errors import InvariantBroken
from schemas.ids import bucket, mail_of

CALLED_OFF: Final = "called-off"
"""In place of a lane; no lane's text is so short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One attempt that waits: all that is needed to send it, so that no other read is.

    ``alias`` is what it goes out from, ``route`` the alias by which it was looked up. ``wanted``: a
    person has let it go, when it was queued. ``outbound_route`` is the way out that it leaves by.
    """

    subject: str
    mail_id: str
    target: int
    attempt_id: str
    number: int
    round: int
    address: str
    tenant: str
    source: str
    urgent: bool
    received_at: int
    due_at: int
    expires_at: int
    cancelled: bool
    alias: str
    route: str
    wanted: bool
    tags: tuple[str, ...]
    envelope_sender: str
    bucket: str
    object_key: str
    outbound_route: str = ""

    def is_over(self, now: int) -> bool:
        """Whether it is to be taken out without a call."""
        return self.cancelled or self.expires_at <= now

    @property
    def key(self) -> dict[str, str]:
        """Where it lies in the table."""
        if self.cancelled:
            return called_off_key(self.subject, self.attempt_id)
        return queue_key(self.subject, self.lane, self.due_at, self.attempt_id)

    @property
    def lane(self) -> Lane:
        """The part of the queue it waits in."""
        return Lane(self.tenant, self.source, domain_of(self.address), urgent=self.urgent)

    def put(self) -> Put:
        """The write that queues it."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        fields["mail_bucket"] = fields.pop("bucket")
        return Put("queue", {**fields, **self.key})


def queue_key(subject: str, lane: Lane, due_at: int, attempt_id: str) -> dict[str, str]:
    """Sorted by lane, then by due time: lanes are found by skipping through the key."""
    position = f"{lane.text}#{due_text(due_at)}#{attempt_id}"
    return {"bucket": bucket(subject), "position": position}


def called_off_key(subject: str, attempt_id: str) -> dict[str, str]:
    """Where what is called off lies, whatever its lane and its time were."""
    return {"bucket": bucket(subject), "position": f"{CALLED_OFF}#{attempt_id}"}


def entry_of(subject: str, dispatch: Dispatch, attempt: Attempt) -> Entry:
    """The queue entry of a waiting attempt."""
    mail = dispatch.mail
    if mail is None:
        message = f"{subject}: scheduled before it was received"
        raise InvariantBroken(message)
    scheduled = attempt.scheduled
    return Entry(
        subject=subject,
        mail_id=mail_of(subject) or subject,
        target=scheduled.target,
        attempt_id=scheduled.attempt_id,
        number=scheduled.number,
        round=attempt.round,
        address=scheduled.address,
        tenant=scheduled.tenant,
        source=attempt.lane.source,
        urgent=attempt.lane.urgent,
        received_at=mail.received_at,
        due_at=scheduled.due_at,
        expires_at=scheduled.expires_at,
        cancelled=attempt.cancelled,
        alias=own_address(dispatch),
        route=dispatch.alias,
        wanted=dispatch.wanted,
        tags=dispatch.tags,
        envelope_sender=mail.envelope_sender,
        bucket=mail.bucket,
        object_key=mail.object_key,
        outbound_route=scheduled.route,
    )


def withdrawal(subject: str, attempt: Attempt) -> Delete:
    """The write that takes an attempt out of the queue, if it is still there."""
    scheduled = attempt.scheduled
    if attempt.cancelled:
        return Delete("queue", called_off_key(subject, scheduled.attempt_id))
    key = queue_key(subject, attempt.lane, scheduled.due_at, scheduled.attempt_id)
    return Delete("queue", key)


def read_entry(item: Item) -> Entry:
    """Return an entry as the table holds it.

    What another release has added is ignored, and what it did not know yet has its default.
    """
    names = (name for name in Entry.__slots__ if name != "bucket" and name in item)
    fields: dict[str, Any] = {name: item[name] for name in names}
    fields["tags"] = tuple(fields["tags"])
    return Entry(bucket=text(item, "mail_bucket"), **fields)
