"""The application ``sender``: folds what is to be sent, and keeps queue and deadlines by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from mailtumble.ports.store import Delete, Put, Update
from mailtumble.ports.stream import Shard
from mailtumble.sender.entry import entry_of, withdrawal
from mailtumble.worker.application import (
    FORGOTTEN,
    NOTHING,
    Accepted,
    Aggregate,
    Fact,
    Question,
    Reaction,
)
from mailtumble.worker.core import timer_of
from processors.kernel import Timer
from processors.routing.decider import Answer
from processors.sending import dispatch
from processors.sending.dispatch import Attempt, Dispatch
from schemas.envelope import EventEnvelope
from schemas.events import DeliveryDelayed, Event, SendFailed, SendUnknown, TimerFired
from schemas.ids import derive
from schemas.values import NO_CALL, TimerKind

NAME: Final = "sender"
GENERATION: Final = "0"
"""The sender's state is its own: one generation for ever, never rebuilt by a replay."""


OF_THE_DOMAIN: Final = frozenset(
    {
        "General",
        "IPFailure",
        "RecipientServerError",
        "SendingDeferral",
        "SpamDetected",
        "TransientCommunicationFailure",
    }
)
"""Types of DeliveryDelay that speak of the servers of a domain, not of one mailbox or of SES."""


class DispatchAggregate:
    """What the sender keeps of a mail; core decides about it."""

    decider: str = ""
    rule_version: int = 0
    name: str = "dispatch"
    state_type: type[Dispatch] = Dispatch
    initial: Dispatch = dispatch.INITIAL

    def evolve(self, state: Dispatch, event: Event) -> Dispatch:
        """Fold one event."""
        return dispatch.evolve(state, event)

    def asks(self, state: Dispatch, fact: EventEnvelope) -> Question | None:  # noqa: ARG002
        """Nothing."""
        return None

    def decide(
        self,
        state: Dispatch,  # noqa: ARG002
        fact: Event,  # noqa: ARG002
        answer: Answer | None,  # noqa: ARG002
        *,
        decision_id: str,  # noqa: ARG002
        now: int,  # noqa: ARG002
    ) -> tuple[Event, ...]:
        """Nothing."""
        return ()


class SenderApplication:
    """Makes no decisions: it keeps the queue, and tells what became of lost claims."""

    name: str = NAME
    generation: str = GENERATION

    def __init__(
        self,
        unknown_wait_us: int,
        claimed_for_us: int,
        committed: Callable[[Shard, Mapping[tuple[str, str], Put | Delete | Update]], None],
        delayed: Callable[[tuple[str, int]], None],
    ) -> None:
        """``unknown_wait_us``: how long the provider's event is waited for.

        ``claimed_for_us``: how long a claim outlasts its ``send_before``. ``delayed`` is told which
        domain does not take mail, and since when.
        """
        self._delayed = delayed
        self._claimed_for_us = claimed_for_us
        self._unknown_wait_us = unknown_wait_us
        self._committed = committed
        self._aggregate = DispatchAggregate()

    def aggregate(self, subject: str) -> Aggregate[Any]:  # noqa: ARG002 - other subjects have no attempts
        """The same for every subject: those that are no mails have no attempts."""
        return self._aggregate

    def answers(self, asked: Sequence[Question]) -> Sequence[Answer]:  # noqa: ARG002
        """Nothing."""
        return ()

    def react(self, accepted: Accepted[Dispatch]) -> Reaction:
        """Queue what waits, take out what does not any more, tell what was lost."""
        record = accepted.record
        self._heed_delays(record, accepted.after)
        changed = dispatch.changes(accepted.before, accepted.after)
        writes: list[Put | Delete | Update] = [
            withdrawal(record.subject, attempt) for attempt in changed.withdraw
        ]
        known = accepted.after.mail is not None
        queue = changed.queue if known else ()
        writes.extend(entry_of(record.subject, accepted.after, attempt).put() for attempt in queue)
        fired = [event for event in record.events if isinstance(event, TimerFired)]
        claims = [event for event in fired if event.kind is TimerKind.CLAIM]
        by_deadline = {event.attempt_id: event.due_at for event in claims}
        unknown = () if known else changed.queue
        facts = (
            *(self._without_mail(record, attempt) for attempt in unknown),
            *self._all_lost(record, changed.lost, by_deadline),
        )
        done = (
            *(timer_of(record.subject, event) for event in claims),
            *(self._deadline(record.subject, attempt) for attempt in changed.settled),
        )
        reaction = Reaction(facts=facts, writes=tuple(writes), timers_done=done)
        same = reaction == NOTHING and accepted.after == accepted.before
        # SES tells of each mail that it has taken it and that it is delivered, which is known, or
        # does not matter here: a third of all that would be stored.
        return FORGOTTEN if same and not record.is_decision else reaction

    def _heed_delays(self, record: EventEnvelope, state: Dispatch) -> None:
        for event in record.events:
            if isinstance(event, DeliveryDelayed) and event.delay_type in OF_THE_DOMAIN:
                attempt = state.attempt(event.attempt_id)
                if attempt is not None:
                    self._delayed((attempt.lane.destination, event.happened_at))

    def put_aside(
        self, subject: str, state: Dispatch
    ) -> tuple[Dispatch, Sequence[Put | Delete | Update]]:
        """What waits may have been sent, for all that is known now: it is not sent again."""
        after = dispatch.doubt(state)
        changed = dispatch.changes(state, after)
        return after, [withdrawal(subject, attempt) for attempt in changed.withdraw]

    def committed(
        self, shard: Shard, writes: Mapping[tuple[str, str], Put | Delete | Update]
    ) -> None:
        """Let the shard's queue in memory follow."""
        self._committed(shard, writes)

    def _deadline(self, subject: str, attempt: Attempt) -> Timer:
        """The deadline of a claim that has its outcome: nobody need be told that it came."""
        due_at = attempt.send_before + self._claimed_for_us
        name = attempt.scheduled.attempt_id
        return Timer(subject, TimerKind.CLAIM, name, attempt.started, due_at)

    def _without_mail(self, record: EventEnvelope, attempt: Attempt) -> Fact:
        """MailReceived lies in this sender's quarantine: there is nothing to send yet."""
        scheduled = attempt.scheduled
        event = SendFailed(
            target=scheduled.target,
            attempt_id=scheduled.attempt_id,
            code="MailUnknown",
            detail="its receipt is in the sender's quarantine: redrive it, then retry the mail",
            called_at=NO_CALL,
        )
        name = derive("without-mail", scheduled.attempt_id)
        return Fact(name, record.subject, record.id, NAME, (event,))

    def _all_lost(
        self, record: EventEnvelope, lost: Sequence[Attempt], by_deadline: Mapping[str, int]
    ) -> Iterator[Fact]:
        for attempt in lost:
            deadline_at = by_deadline.get(attempt.scheduled.attempt_id)
            if deadline_at is not None:
                yield self._lost(record, attempt, deadline_at)

    def _lost(self, record: EventEnvelope, attempt: Attempt, deadline_at: int) -> Fact:
        """A claim's deadline passed with SendStarted on the log and no outcome."""
        scheduled = attempt.scheduled
        event = SendUnknown(
            target=scheduled.target,
            attempt_id=scheduled.attempt_id,
            round=attempt.round,
            reason="the sender's claim ran out without an outcome",
            decide_at=deadline_at + self._unknown_wait_us,
        )
        return Fact(
            unknown_id(scheduled.attempt_id, attempt.round),
            record.subject,
            record.id,
            NAME,
            (event,),
        )


def unknown_id(attempt_id: str, number: int) -> str:
    """The id of SendUnknown: one per attempt and round, whoever notices it."""
    return derive("unknown", attempt_id, str(number))
