"""Find mail that is stuck although the stream has dropped its first records.

A replay can't tell anything about such mail: the stream keeps records for days, and a message that
nobody sends any more may stay open for weeks. So its stored states are read: the sender's state
says which attempts wait, and until when; core's state says until when a moderator may decide. Only
messages that the view shows as open are read, :data:`READ_AT_ONCE` at a time.

The stored states can't be compared with anything. They can't show that a decision is wrong, only
that nothing more will happen. Nor do they hold the time of a later look-up, or of the decision
about an unknown outcome: these are checked as long as their timers exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mailtumble.audit.comparison import Difference, missing
from mailtumble.audit.overdue import Overdue
from mailtumble.audit.replay import TIMERS, CoreReplay
from mailtumble.audit.retention import Beginning
from mailtumble.audit.sender import CLAIMS, QUEUE, SenderAudit, entry_name
from mailtumble.ports.store import Item, ItemStore, Key
from mailtumble.sender.application import GENERATION, NAME
from mailtumble.sender.entry import entry_of
from mailtumble.worker.core import NAME as CORE
from mailtumble.worker.memory import SubjectMemory, read_if_known
from processors.mail.state import Mail
from processors.sending.dispatch import Attempt, Dispatch, Phase
from schemas.ids import mail_subject
from schemas.values import Status

READ_AT_ONCE: Final = 1_000
"""How many messages are in memory at a time, at some 4 KB each."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An attempt that waits for the sender, with its message's stored item."""

    mail_id: str
    item: Item
    state: Dispatch
    attempt: Attempt

    @property
    def subject(self) -> str:
        return mail_subject(self.mail_id)

    @property
    def name(self) -> str:
        return self.attempt.scheduled.attempt_id

    def entry(self) -> Item:
        """Return the queue entry that it must have."""
        return entry_of(self.subject, self.state, self.attempt).put().item


@dataclass(slots=True)
class ForgottenMail:
    """Checks open mail whose first records the stream has dropped.

    Attributes:
        store: the tables.
        generation: the generation of the projections that core builds.
        core: the replay of core, which says what kind of subject a message is.
        sender: the audit of the sender, likewise.
        begins: which of the records that the sender has read are gone. The sender's audit checks
            the queue entries of mail whose records are all there.
        overdue: what is open past its deadline.
        found: the queue entries and timers that are missing.
        unreadable: the subjects whose stored state this release can't read.
    """

    store: ItemStore
    generation: str
    core: CoreReplay
    sender: SenderAudit
    begins: Beginning
    overdue: list[Overdue] = field(default_factory=list)
    found: list[Difference] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)

    def check(self, mail_ids: Iterable[str], due_before: int) -> None:
        """Read the states of some messages, and note what is stuck.

        Args:
            mail_ids: messages that are open and whose first records are gone.
            due_before: what was due by this moment should have happened (microseconds UTC).
        """
        names = sorted(mail_ids)
        for start in range(0, len(names), READ_AT_ONCE):
            some = names[start : start + READ_AT_ONCE]
            for mail_id, _, of_core in self._states(CORE, self.generation, some):
                self.overdue.extend(_held_too_long(mail_id, of_core.state, due_before))
            waiting: list[_Waiting] = []
            for mail_id, item, of_sender in self._states(NAME, GENERATION, some):
                mine = list(_waiting(mail_id, item, of_sender.state))
                self.overdue.extend(_too_late(mine, due_before))
                if self.begins.is_cut(of_sender.spans):
                    waiting.extend(mine)
            self.found.extend(self._lost(waiting))

    def _states(
        self, application: str, generation: str, mail_ids: Sequence[str]
    ) -> Iterator[tuple[str, Item, SubjectMemory[Any]]]:
        """Yield the stored item and state of each message that the application knows."""
        replay = self.core if application == CORE else self.sender.replay
        subjects = [mail_subject(each) for each in mail_ids]
        for mail_id, item in zip(
            mail_ids, self._items(application, generation, subjects), strict=True
        ):
            if item is None:
                continue
            subject = mail_subject(mail_id)
            memory = read_if_known(subject, item, replay.aggregate(subject))
            if memory is None:
                self.unreadable.add(subject)
            else:
                yield mail_id, item, memory

    def _items(
        self, application: str, generation: str, subjects: Sequence[str]
    ) -> Sequence[Item | None]:
        keys: list[Key] = [{"subject_key": f"{application}#{generation}#{s}"} for s in subjects]
        return self._get_all("subjects", keys)

    def _lost(self, waiting: Sequence[_Waiting]) -> Iterator[Difference]:
        """Name the queue entries and the timers of claims that are missing.

        The sender may go on meanwhile. A claim takes the entry out and adds a timer in one
        transaction, and everything else changes the stored state too. So an entry is missing if it
        was not there, no claim was there afterwards, and the state is still the same after that.
        """
        entries = [each.entry() for each in waiting]
        keys: list[Key] = [
            {"bucket": str(each["bucket"]), "position": str(each["position"])} for each in entries
        ]
        queued = self._get_all(QUEUE, keys)
        absent = [
            (each, entry)
            for each, entry, item in zip(waiting, entries, queued, strict=True)
            if item is None
        ]
        claims = self._get_all(CLAIMS, [{"attempt_id": each.name} for each, _ in absent])
        claimed = [
            _is_claimed(each, claim) for (each, _), claim in zip(absent, claims, strict=True)
        ]
        timers = self._timers_of(
            each.subject
            for (each, _), is_claimed in zip(absent, claimed, strict=True)
            if is_claimed
        )
        latest = self._items(NAME, GENERATION, [each.subject for each, _ in absent])
        for (each, entry), is_claimed, now in zip(absent, claimed, latest, strict=True):
            if now is None or now["state"] != each.item["state"]:
                continue
            key = entry_name(("", ""), entry)
            if not is_claimed:
                yield missing(QUEUE, key, entry)
            elif each.name not in timers:
                yield missing(TIMERS, f"claim of {key}", {"subject": each.subject})

    def _timers_of(self, subjects: Iterable[str]) -> set[str]:
        """Return the attempts of some messages that have a timer for the deadline of a claim."""
        wanted = set(subjects)
        return {str(each.get("attempt_id")) for each in self.sender.timers(wanted)}

    def _get_all(self, table: str, keys: Sequence[Key]) -> Sequence[Item | None]:
        return self.store.get_all(table, keys) if keys else ()


def _held_too_long(mail_id: str, mail: Mail, due_before: int) -> Iterator[Overdue]:
    """Name a held message that no moderator has decided about in time."""
    due_at = mail.moderation.expires_at
    if mail.status is Status.HELD and mail.moderation.held and due_at <= due_before:
        what = f"a moderator has to decide, or the rule does: {mail.moderation.on_expiry}"
        yield Overdue(name=f"mail {mail_id}", what=what, due_at=due_at)


def _waiting(mail_id: str, item: Item, state: Dispatch) -> Iterator[_Waiting]:
    """Yield the attempts that wait; of a message without ``MailReceived``, nothing is queued."""
    for attempt in state.attempts if state.mail is not None else ():
        if attempt.phase is Phase.WAITING:
            yield _Waiting(mail_id, item, state, attempt)


def _too_late(waiting: Iterable[_Waiting], due_before: int) -> Iterator[Overdue]:
    """Name the attempts that should have been sent by now, or have expired."""
    for each in waiting:
        scheduled = each.attempt.scheduled
        if scheduled.expires_at <= due_before:
            yield Overdue(
                name=f"mail {each.mail_id} (target {scheduled.target})",
                what="it has to be sent, or to expire",
                due_at=scheduled.expires_at,
            )


def _is_claimed(waiting: _Waiting, claim: Item | None) -> bool:
    """Return whether a claim has taken the current round of an attempt out of the queue."""
    number = claim.get("round") if claim is not None else None
    return isinstance(number, int) and number >= waiting.attempt.round
