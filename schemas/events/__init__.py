"""Everything that can happen: the list of the events, as past-tense facts.

These types are the storage format. A class's name is its type on the log, and
:data:`Versions.current` has the version in which it is written. To change one that has been
written: raise that version, and add an upcaster in :mod:`schemas.upcasters`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from schemas.events.feedback import (
    AddressBounced,
    AddressComplained,
    AddressDelivered,
    AddressReleased,
    AddressSuppressed,
    BounceReceived,
    ComplaintReceived,
    DeliveryConfirmed,
    DeliveryDelayed,
    SendRejected,
)
from schemas.events.mail import (
    MailApproved,
    MailExpired,
    MailHeld,
    MailReceived,
    MailRejected,
    ModerationDecided,
    RouteDeferred,
    RouteExpired,
    RouteNotFound,
    RouteReopened,
    RouteResolved,
)
from schemas.events.operation import (
    AliasChanged,
    AliasRemoved,
    CommandAnswered,
    CommandGiven,
    QuotaObserved,
    RecordQuarantined,
    RecordRedriven,
    SendingPaused,
    SendingRestored,
    SendingResumed,
    SendingStopped,
    TimerFired,
    WorkerStarted,
)
from schemas.events.sending import (
    MailCompleted,
    SendAccepted,
    SendCancelled,
    SendCancelRequested,
    SendDeferred,
    SendExpired,
    SendFailed,
    SendHeldBack,
    SendParked,
    SendRescheduled,
    SendScheduled,
    SendStarted,
    SendSuppressed,
    SendTimeSet,
    SendUnknown,
    TargetReopened,
)

Event = (
    MailReceived
    | RouteResolved
    | RouteNotFound
    | RouteDeferred
    | RouteExpired
    | RouteReopened
    | ModerationDecided
    | MailHeld
    | MailApproved
    | MailRejected
    | MailExpired
    | SendScheduled
    | SendCancelRequested
    | TargetReopened
    | SendTimeSet
    | SendRescheduled
    | SendParked
    | MailCompleted
    | SendStarted
    | SendAccepted
    | SendDeferred
    | SendFailed
    | SendUnknown
    | SendExpired
    | SendSuppressed
    | SendHeldBack
    | SendCancelled
    | DeliveryConfirmed
    | DeliveryDelayed
    | BounceReceived
    | ComplaintReceived
    | SendRejected
    | AddressBounced
    | AddressComplained
    | AddressDelivered
    | AddressSuppressed
    | AddressReleased
    | TimerFired
    | QuotaObserved
    | RecordQuarantined
    | RecordRedriven
    | CommandGiven
    | CommandAnswered
    | SendingPaused
    | SendingResumed
    | SendingStopped
    | SendingRestored
    | AliasChanged
    | AliasRemoved
    | WorkerStarted
)

EVENT_TYPES: tuple[type[Event], ...] = Event.__args__
"""In the order in which the docs list them."""


class Versions:
    """The version in which each event is written today."""

    current: ClassVar[Mapping[type[Event], int]] = {
        **dict.fromkeys(EVENT_TYPES, 1),
        AddressBounced: 2,
        AddressComplained: 2,
        AddressDelivered: 2,
        BounceReceived: 2,
        ComplaintReceived: 2,
        DeliveryDelayed: 2,
        MailReceived: 2,
        ModerationDecided: 2,
        RouteResolved: 3,
        SendScheduled: 2,
        SendStarted: 3,
        SendUnknown: 2,
        SendCancelRequested: 2,
        SendingPaused: 2,
        SendingResumed: 2,
    }


__all__ = [
    "EVENT_TYPES",
    "AddressBounced",
    "AddressComplained",
    "AddressDelivered",
    "AddressReleased",
    "AddressSuppressed",
    "AliasChanged",
    "AliasRemoved",
    "BounceReceived",
    "CommandAnswered",
    "CommandGiven",
    "ComplaintReceived",
    "DeliveryConfirmed",
    "DeliveryDelayed",
    "Event",
    "MailApproved",
    "MailCompleted",
    "MailExpired",
    "MailHeld",
    "MailReceived",
    "MailRejected",
    "ModerationDecided",
    "QuotaObserved",
    "RecordQuarantined",
    "RecordRedriven",
    "RouteDeferred",
    "RouteExpired",
    "RouteNotFound",
    "RouteReopened",
    "RouteResolved",
    "SendAccepted",
    "SendCancelRequested",
    "SendCancelled",
    "SendDeferred",
    "SendExpired",
    "SendFailed",
    "SendHeldBack",
    "SendParked",
    "SendRejected",
    "SendRescheduled",
    "SendScheduled",
    "SendStarted",
    "SendSuppressed",
    "SendTimeSet",
    "SendUnknown",
    "SendingPaused",
    "SendingRestored",
    "SendingResumed",
    "SendingStopped",
    "TargetReopened",
    "TimerFired",
    "Versions",
    "WorkerStarted",
]
