"""The application ``core``: decides about mails and keeps the projections that people look at."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from mailtumble.ports.store import Delete, Put, Update
from mailtumble.ports.stream import Shard
from mailtumble.ports.world import AliasEntry, AliasRepository, AliasUnreadable
from mailtumble.worker.application import Accepted, Reaction
from mailtumble.worker.horizon import due_text
from mailtumble.worker.views import mail_item, quarantine_item
from processors import mail
from processors.kernel import Timer
from processors.routing.decider import Answer, Found, NotFound, Unavailable
from processors.routing.names import choose
from processors.throughput.projection import count
from schemas.envelope import EventEnvelope
from schemas.errors import RetryableError
from schemas.events import Event, RecordQuarantined, RecordRedriven, TimerFired
from schemas.ids import mail_of
from schemas.values import TimerKind

NAME: Final = "core"
logger = logging.getLogger(__name__)


class Core:
    """Routing, retries and timers of mails; the views ``mails``, ``throughput``, ``quarantine``."""

    name: str = NAME
    decider: str = mail.DECIDER
    state_type: type[mail.Mail] = mail.Mail
    initial: mail.Mail = mail.INITIAL

    def __init__(self, aliases: AliasRepository, rules: mail.Rules, generation: str) -> None:
        """Decide by ``rules``; ``generation`` names the set of projections to build."""
        self._aliases = aliases
        self._rules = rules
        self.generation = generation

    def evolve(self, state: mail.Mail, event: Event) -> mail.Mail:
        """Fold one event."""
        return mail.evolve(state, event)

    def asks(self, state: mail.Mail, record: EventEnvelope) -> Sequence[str]:
        """The alias names to look up before this fact can be decided."""
        return [name for event in record.events for name in mail.asks(state, event)]

    def answers(self, asked: Sequence[Sequence[str]]) -> Sequence[Answer]:
        """Look all names up in one batch; where the repository is out, every mail waits."""
        names = list(dict.fromkeys(name for each in asked for name in each))
        problems: Mapping[str, str] = {}
        try:
            entries = self._aliases.find(names)
        except AliasUnreadable as error:
            logger.warning("%s", error)
            entries, problems = error.readable, error.problems
        except RetryableError as error:
            logger.warning("aliases can't be looked up: %s", error)
            return [Unavailable(str(error))] * len(asked)
        return [_answer(tuple(each), entries, problems) for each in asked]

    def decide(
        self,
        state: mail.Mail,
        fact: Event,
        answer: Answer | None,
        *,
        decision_id: str,
        now: int,
    ) -> tuple[Event, ...]:
        """What follows from a fact about a mail."""
        return mail.decide(state, fact, answer, decision_id=decision_id, now=now, rules=self._rules)

    def react(self, accepted: Accepted[mail.Mail]) -> Reaction:
        """The views' writes and the timers that follow from an accepted record."""
        record = accepted.record
        writes: list[Put | Delete | Update] = []
        if mail_of(record.subject) is not None:
            writes.append(
                mail_item(self.generation, record.subject, accepted.after, accepted.spans)
            )
        done: list[Timer] = []
        for event in record.events:
            match event:
                case TimerFired(kind=TimerKind.LOOKUP | TimerKind.UNKNOWN):
                    done.append(timer_of(record.subject, event))
                case RecordQuarantined() | RecordRedriven():
                    writes.append(quarantine_item(self.generation, record, event))
                case _:
                    pass
            writes.extend(self._counts(accepted.shard_id, event, record.recorded_at))
        return Reaction(writes=tuple(writes), timers=mail.timers(record), timers_done=tuple(done))

    def put_aside(
        self,
        subject: str,  # noqa: ARG002
        state: mail.Mail,
    ) -> tuple[mail.Mail, Sequence[Put | Delete | Update]]:
        """Nothing changes: the mail is parked when ``RecordQuarantined`` is read."""
        return state, ()

    def committed(
        self, shard: Shard, writes: Mapping[tuple[str, str], Put | Delete | Update]
    ) -> None:
        """Nothing of it is kept in memory."""

    def _counts(self, shard_id: str, event: Event, recorded_at: int) -> list[Update]:
        counted = count(event, recorded_at)
        if counted is None:
            return []
        key = {
            "shard": f"{self.generation}#{shard_id}",
            "minute": due_text(counted.minute_at),
        }
        return [Update("throughput", key, add=counted.amounts)]


def _answer(
    names: tuple[str, ...], entries: Mapping[str, AliasEntry], problems: Mapping[str, str]
) -> Answer:
    """What the repository says of a mail's names; a broken entry would perhaps have been it."""
    match choose(names, {**entries, **problems}):
        case None:
            return NotFound()
        case AliasEntry() as entry:
            return Found(entry.alias, entry.version, entry.tenant, entry.targets)
        case problem:
            return Unavailable(f"the alias's entry is broken ({problem}): put it anew")


def timer_of(subject: str, fired: TimerFired) -> Timer:
    """The timer that this firing is the end of."""
    return Timer(subject, fired.kind, fired.attempt_id, fired.number, fired.due_at)
