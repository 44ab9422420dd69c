"""Where one mail stands: the rooms' states side by side, and what holds while it has no targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from processors.moderation import decider as moderation
from processors.routing import decider as routing
from processors.sending import decider as sending
from processors.sending.targets import doubt_unrouted
from schemas import values
from schemas.events import (
    BounceReceived,
    ComplaintReceived,
    Event,
    MailCompleted,
    MailExpired,
    MailReceived,
    MailRejected,
    RecordQuarantined,
    RecordRedriven,
    RouteDeferred,
    RouteExpired,
    RouteNotFound,
    RouteReopened,
    TargetReopened,
)
from schemas.values import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """The state of one mail, for its decider and its projection alike.

    ``came_back``: attempts that bounced for good or were called spam.
    """

    received: MailReceived | None = None
    route: routing.Route = field(default_factory=routing.Route)
    moderation: moderation.Moderation = field(default_factory=moderation.Moderation)
    sending: sending.Sending = field(default_factory=sending.Sending)
    unrouted: Status = Status.RECEIVED
    completed: bool = False
    came_back: tuple[str, ...] = ()

    @property
    def is_held(self) -> bool:
        """Whether it waits for a moderator."""
        return self.status is Status.HELD

    @property
    def refused(self) -> str:
        """Which moderator, rule or operator did not let it go, in words; "" where none did so."""
        return self.moderation.outcome if self.moderation.blocked else ""

    @property
    def waits(self) -> bool:
        """Whether nothing was scheduled yet: it is held, or not routed."""
        return self.is_held or not (self.sending.targets or self.route.settled)

    @property
    def ended_unrouted(self) -> bool:
        """Whether it ended, or was parked, before it had targets."""
        return not self.sending.targets and self.route.settled

    @property
    def status(self) -> Status:
        """That of the least finished target; before there are targets, the mail's own."""
        order = list(Status)
        statuses = [target.status for target in self.sending.targets] or [self.unrouted]
        return min(statuses, key=order.index)


INITIAL: Final = Mail()


def evolve(mail: Mail, event: Event) -> Mail:
    """Fold one event through every room."""
    match event:
        case MailReceived():
            mail = replace(mail, received=event)
        case MailCompleted():
            mail = replace(mail, completed=True)
        case TargetReopened():
            mail = replace(mail, completed=False)
        case (
            BounceReceived(bounce_type=values.PERMANENT, attempt_id=attempt)
            | ComplaintReceived(attempt_id=attempt)
        ) if attempt not in mail.came_back:
            mail = replace(mail, came_back=(*mail.came_back, attempt))
        case _:
            unrouted = _evolve_unrouted(mail, event)
            reopened = isinstance(event, RouteReopened)
            if unrouted is not mail.unrouted:
                mail = replace(mail, unrouted=unrouted, completed=mail.completed and not reopened)
                if unrouted is Status.PARKED and mail.received is not None:
                    mail = replace(mail, sending=doubt_unrouted(mail.sending))
    return replace(
        mail,
        route=routing.evolve(mail.route, event),
        moderation=moderation.evolve(mail.moderation, event),
        sending=sending.evolve(mail.sending, event),
    )


def _evolve_unrouted(mail: Mail, event: Event) -> Status:
    """How a mail stands that has no targets (yet)."""
    match event:
        case RouteDeferred() if not mail.route.settled:
            return Status.DEFERRED
        case RouteNotFound():
            return Status.UNROUTABLE
        case RouteExpired() | MailExpired():
            return Status.EXPIRED
        case MailRejected():
            return Status.REJECTED
        case RecordQuarantined() if not mail.sending.targets and not mail.route.settled:
            return Status.PARKED
        case RecordRedriven() if mail.route.parked:
            return Status.RECEIVED
        case RouteReopened():
            return Status.RECEIVED
        case _:
            return mail.unrouted


def fold(mail: Mail, events: Sequence[Event]) -> Mail:
    """Fold several events in their order."""
    for event in events:
        mail = evolve(mail, event)
    return mail
