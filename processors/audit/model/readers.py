"""The log as one application reads it: all subjects, and the items that must exist for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from processors.audit.model.acceptance import Acceptance, Taken
from processors.audit.model.attempts import Attempt, State
from processors.audit.model.calls import Calls
from processors.audit.model.conditions import Conditions, History
from processors.audit.model.mails import Due, MailModel
from schemas.envelope import EventEnvelope
from schemas.events import (
    AddressReleased,
    AddressSuppressed,
    CommandAnswered,
    CommandGiven,
    Event,
    MailHeld,
    RecordQuarantined,
    RecordRedriven,
    RouteDeferred,
    SendingPaused,
    SendingResumed,
    SendUnknown,
    TimerFired,
)
from schemas.ids import FLEET_SUBJECT, mail_of
from schemas.values import TimerKind

SENDER: Final = "sender"
"""If this application cannot use a record, it assumes that waiting attempts may have been sent."""

Place = tuple[str, str]
"""A shard's id and a sequence number."""


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer that must be set."""

    subject: str
    kind: TimerKind
    attempt_id: str
    number: int
    due_at: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """An attempt that waits in its ``attempt.round``."""

    subject: str
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Claim:
    """A round that was announced and has no outcome yet.

    ``send_before``: no call is made at or after this moment (microseconds UTC). The claim's
    deadline comes a fixed time later, which is a setting of the sender.
    """

    subject: str
    attempt_id: str
    round: int
    send_before: int


@dataclass(slots=True)
class Model:
    """The log as one application reads it.

    Attributes:
        application: the name of the application, as in ``RecordQuarantined``.
        aside: the places of the records that it has quarantined. Add them before taking the
            records.
        mails: the messages, by id.
        timers: the timers that core must have set and that have not fired.
        calls: how many calls ended in which way.
        quarantine: the state (``open`` or ``redriven``) of each quarantined record, by the id of
            its ``RecordQuarantined``.
    """

    application: str
    aside: set[Place] = field(default_factory=set)
    mails: dict[str, MailModel] = field(default_factory=dict)
    timers: set[Timer] = field(default_factory=set)
    calls: Calls = field(default_factory=Calls)
    quarantine: dict[str, str] = field(default_factory=dict)
    _subjects: dict[str, Acceptance] = field(default_factory=dict)
    _suppressed: dict[str, History] = field(default_factory=dict)
    _paused: dict[str, History] = field(default_factory=dict)
    _commands: dict[str, tuple[str, CommandGiven]] = field(default_factory=dict)

    def take(
        self, record: EventEnvelope, fingerprint: bytes, arrived_at: int, place: Place
    ) -> Taken:
        """Take the next record of its subject.

        Args:
            record: the record, decoded.
            fingerprint: the hash of its bytes, which the ``after`` of the next decision contains.
            arrived_at: when it reached the stream (microseconds UTC).
            place: its shard and sequence number.

        Returns:
            How this application treats it.
        """
        acceptance = self._subjects.setdefault(record.subject, Acceptance())
        if place in self.aside:
            if record.is_decision:
                acceptance.judge(record, fingerprint)
            self.take_unreadable(record.subject)
            return Taken.ASIDE
        taken = acceptance.judge(record, fingerprint)
        if taken is Taken.ACCEPTED:
            self._fold(record, arrived_at)
            self._count(record, place)
        return taken

    def take_unreadable(self, subject: str) -> None:
        """Take a record of a subject that cannot be used; it is quarantined, or soon will be."""
        if self.application == SENDER:
            self._doubt(mail_of(subject) or "")

    def conditions(self, at: int) -> Conditions:
        """Return the pauses and suppressions that had arrived by a moment (microseconds UTC)."""
        return Conditions(_holding(self._paused, at), _holding(self._suppressed, at))

    def waiting(self) -> Iterator[Waiting]:
        """Return the attempts that have no outcome, were not announced, and may leave some day."""
        for subject, attempt in self._attempts():
            waits = attempt.state is State.WAITING and not attempt.stranded
            if waits and not attempt.is_announced:
                yield Waiting(subject, attempt)

    def claims(self) -> Iterator[Claim]:
        """Return the rounds that were announced and have no outcome."""
        for subject, attempt in self._attempts():
            if attempt.is_announced:
                yield Claim(subject, attempt.id, attempt.round, attempt.send_before)

    def due(self) -> Iterator[tuple[str, Due]]:
        """Return the subject of everything that is open, and by when it has to move."""
        for name, mail in self.mails.items():
            for due in mail.due():
                yield f"mail:{name}", due
        for subject, command in self._commands.values():
            what = f"the command {command.command} has to be answered"
            yield subject, Due(-1, 0, what, command.command_id)

    def _attempts(self) -> Iterator[tuple[str, Attempt]]:
        for name, mail in self.mails.items():
            for attempt in mail.attempts.values():
                yield f"mail:{name}", attempt

    def _fold(self, record: EventEnvelope, arrived_at: int) -> None:
        name = mail_of(record.subject)
        if name is not None:
            self.mails.setdefault(name, MailModel()).take(record, arrived_at)
            for event in record.events:
                self._time(record.subject, event)
                if self._tells_of_the_sender(event):
                    # The sender has emptied its queue of this message without a report.
                    self._doubt(name)
            return
        for event in record.events:
            self._hear(record.subject, event, arrived_at)

    def _count(self, record: EventEnvelope, place: Place) -> None:
        self.calls.take(place[0], record)
        for event in record.events:
            if isinstance(event, RecordQuarantined):
                self.quarantine[record.id] = "open"
            elif isinstance(event, RecordRedriven):
                self.quarantine[event.quarantined] = "redriven"

    def _tells_of_the_sender(self, event: Event) -> bool:
        """Whether an event says to another application what the sender has quarantined."""
        told = isinstance(event, RecordQuarantined) and event.application == SENDER
        return told and self.application != SENDER

    def _doubt(self, name: str) -> None:
        if name in self.mails:
            self.mails[name].doubt_attempts()

    def _time(self, subject: str, event: Event) -> None:
        match event:
            case RouteDeferred(number=number, retry_at=at):
                self.timers.add(Timer(subject, TimerKind.LOOKUP, "", number, at))
            case MailHeld(expires_at=at):
                self.timers.add(Timer(subject, TimerKind.MODERATION, "", 0, at))
            case SendUnknown(attempt_id=name, round=number, decide_at=at):
                self.timers.add(Timer(subject, TimerKind.UNKNOWN, name, number, at))
            case TimerFired(kind=kind, attempt_id=name, number=number, due_at=at):
                self.timers.discard(Timer(subject, kind, name, number, at))
            case _:
                pass

    def _hear(self, subject: str, event: Event, arrived_at: int) -> None:
        """Fold an event about an address or the fleet."""
        match event:
            case AddressSuppressed(address=address, until=until):
                self._suppressed.setdefault(address.lower(), History()).set(arrived_at, until)
            case AddressReleased(address=address):
                self._suppressed.setdefault(address.lower(), History()).set(arrived_at, None)
            case SendingPaused(scope=scope, since=since):
                self._paused.setdefault(scope, History()).set(arrived_at, since)
            case SendingResumed(scope=scope):
                self._paused.setdefault(scope, History()).set(arrived_at, None)
            case CommandGiven() if subject == FLEET_SUBJECT or subject.startswith("address:"):
                self._commands[event.command_id] = subject, event
            case CommandAnswered():
                self._commands.pop(event.command_id, None)
            case _:
                pass


def _holding(histories: dict[str, History], at: int) -> dict[str, int]:
    found = {name: history.at(at) for name, history in histories.items()}
    return {name: value for name, value in found.items() if value is not None}
