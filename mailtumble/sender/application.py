"""The application ``sender``: folds what is to be sent, and keeps queue and deadlines by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from mailtumble.ports.store import Delete, Put, Update
from mailtumble.ports.stream import Shard
from mailtumble.sender.queue import entry_of, withdrawal
from mailtumble.worker.application import Accepted, Fact, Reaction
from mailtumble.worker.core import timer_of
from processors.routing.decider import Answer
from processors.sending import dispatch
from processors.sending.dispatch import Attempt, Dispatch
from schemas.envelope import EventEnvelope
from schemas.events import Event, SendUnknown, TimerFired
from schemas.ids import derive
from schemas.values import TimerKind

NAME: Final = "sender"
GENERATION: Final = "0"
"""The sender's state is its own: one generation for ever, never rebuilt by a replay."""


class SenderApplication:
    """Makes no decisions: it keeps the queue, and tells what became of lost claims."""

    name: str = NAME
    generation: str = GENERATION
    decider: str = ""
    state_type: type[Dispatch] = Dispatch
    initial: Dispatch = dispatch.INITIAL

    def __init__(
        self,
        unknown_wait_us: int,
        committed: Callable[[Shard, Mapping[tuple[str, str], Put | Delete | Update]], None],
    ) -> None:
        """``unknown_wait_us``: how long the provider's event is waited for."""
        self._unknown_wait_us = unknown_wait_us
        self._committed = committed

    def evolve(self, state: Dispatch, event: Event) -> Dispatch:
        """Fold one event."""
        return dispatch.evolve(state, event)

    def asks(self, state: Dispatch, record: EventEnvelope) -> Sequence[str]:  # noqa: ARG002
        """Nothing."""
        return ()

    def answers(self, asked: Sequence[Sequence[str]]) -> Sequence[Answer]:  # noqa: ARG002
        """Nothing."""
        return ()

    def decide(
        self,
        state: Dispatch,  # noqa: ARG002
        fact: Event,  # noqa: ARG002
        answer: Answer | None,  # noqa: ARG002
        *,
        decision_id: str,  # noqa: ARG002
        now: int,  # noqa: ARG002
    ) -> tuple[Event, ...]:
        """Nothing: core decides."""
        return ()

    def react(self, accepted: Accepted[Dispatch]) -> Reaction:
        """Queue what waits, take out what does not any more, tell what was lost."""
        record = accepted.record
        changed = dispatch.changes(accepted.before, accepted.after)
        writes: list[Put | Delete | Update] = [
            withdrawal(record.subject, attempt) for attempt in changed.withdraw
        ]
        # Without its mail nothing can be sent: MailReceived was quarantined here, which core reads
        # and parks the mail for.
        queue = changed.queue if accepted.after.mail else ()
        writes.extend(entry_of(record.subject, accepted.after, attempt).put() for attempt in queue)
        fired = [event for event in record.events if isinstance(event, TimerFired)]
        claims = [event for event in fired if event.kind is TimerKind.CLAIM]
        by_deadline = {event.attempt_id: event.due_at for event in claims}
        facts = tuple(
            self._lost(record, attempt, by_deadline[attempt.scheduled.attempt_id])
            for attempt in changed.lost
            if attempt.scheduled.attempt_id in by_deadline
        )
        done = tuple(timer_of(record.subject, event) for event in claims)
        return Reaction(facts=facts, writes=tuple(writes), timers_done=done)

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
