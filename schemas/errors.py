"""Every error that mailtumble raises on purpose, split by what can be done about it.

::

    MailtumbleError
    ├── RetryableError            the world said "not now": the same call may go through later
    ├── PermanentError            the same call will fail again: the input or the set-up is at fault
    │   ├── UndecodableRecord     bytes that are no event envelope of ours
    │   │   └── UnknownEvent      a newer worker can read it: waited for, then quarantined
    │   │       ├── UnknownEventType
    │   │       └── UnknownEventVersion
    │   ├── UnknownStateVersion   a newer release has stored a subject: its records wait
    │   └── BadInput              what a person or a foreign system handed in can't be used
    └── InvariantBroken           the program is wrong: never caught, it ends the worker

Refusals that belong to the business (a decision on a decided mail, say) are events, not errors.
"""

from __future__ import annotations


class MailtumbleError(Exception):
    """The root: its text names the input and what to do about it, in one line."""


class RetryableError(MailtumbleError):
    """An outage, a throttle, a conflict: the same call may succeed later."""


class PermanentError(MailtumbleError):
    """The same call will fail again; somebody has to change the input or the set-up."""


class UndecodableRecord(PermanentError):  # noqa: N818 - the word of the field: a record, quarantined
    """Bytes on the stream that can't be read as an event envelope."""


class UnknownEvent(UndecodableRecord):
    """An envelope of ours with an event that this release can't read, but a newer one can."""


class UnknownEventType(UnknownEvent):
    """An event of a type that this release has never heard of."""


class UnknownEventVersion(UnknownEvent):
    """An event of a version that this release can neither read nor upcast."""


class UnknownStateVersion(PermanentError):  # noqa: N818 - what was found
    """A stored state of a version that this release can't read, but a newer one can."""


class BadInput(PermanentError):  # noqa: N818 - reads as what it is
    """Something handed in from outside (a notification, a setting, an argument) can't be used."""


class InvariantBroken(MailtumbleError):  # noqa: N818 - a bug, not an operating error
    """A truth that the program relies on does not hold: stop, don't guess."""
