"""What core decides about: mails, addresses, the fleet; and subjects that nobody decides about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mailtumble.worker.application import Question
from processors import mail
from processors.bounces import decider as bounces
from processors.fleet import decider as fleet
from processors.moderation.rules import header_names
from processors.routing.decider import Answer
from schemas.envelope import EventEnvelope
from schemas.events import Event


class MailAggregate:
    """One mail."""

    decider: str = mail.DECIDER
    rule_version: int = mail.RULE_VERSION
    name: str = "mail"
    state_type: type[mail.Mail] = mail.Mail
    initial: mail.Mail = mail.INITIAL

    def __init__(self, rules: mail.Rules) -> None:
        """Decide by ``rules``."""
        self._rules = rules
        self._asks_for_headers = bool(header_names(rules.moderation))

    def evolve(self, state: mail.Mail, event: Event) -> mail.Mail:
        """Fold one event."""
        return mail.evolve(state, event)

    def asks(self, state: mail.Mail, fact: EventEnvelope) -> Question | None:
        """The alias names to look up, the sender, and the header if some rule looks into it."""
        names = [name for event in fact.events for name in mail.asks(state, event)]
        if not names:
            return None
        state = mail.fold(state, fact.events)
        if state.received is None:
            return Question(tuple(names))
        received, wanted = state.received, self._asks_for_headers
        return Question(
            tuple(names),
            bucket=received.bucket if wanted else "",
            object_key=received.object_key if wanted else "",
            source=received.envelope_sender,
        )

    def decide(
        self, state: mail.Mail, fact: Event, answer: Answer | None, *, decision_id: str, now: int
    ) -> tuple[Event, ...]:
        """What follows from a fact about the mail."""
        return mail.decide(state, fact, answer, decision_id=decision_id, now=now, rules=self._rules)


class AddressAggregate:
    """One address that mail goes to."""

    decider: str = bounces.DECIDER
    rule_version: int = bounces.RULE_VERSION
    name: str = "address"
    state_type: type[bounces.Address] = bounces.Address
    initial: bounces.Address = bounces.INITIAL

    def __init__(self, rules: bounces.SuppressionRules) -> None:
        """Decide by ``rules``."""
        self._rules = rules

    def evolve(self, state: bounces.Address, event: Event) -> bounces.Address:
        """Fold one event."""
        return bounces.evolve(state, event)

    def asks(self, state: bounces.Address, fact: EventEnvelope) -> Question | None:  # noqa: ARG002
        """Nothing."""
        return None

    def decide(
        self,
        state: bounces.Address,
        fact: Event,
        answer: Answer | None,  # noqa: ARG002
        *,
        decision_id: str,  # noqa: ARG002
        now: int,
    ) -> tuple[Event, ...]:
        """Whether it is suppressed, or released."""
        return bounces.decide(state, fact, now=now, rules=self._rules)


class FleetAggregate:
    """All senders."""

    decider: str = fleet.DECIDER
    rule_version: int = fleet.RULE_VERSION
    name: str = "fleet"
    state_type: type[fleet.Fleet] = fleet.Fleet
    initial: fleet.Fleet = fleet.INITIAL

    def evolve(self, state: fleet.Fleet, event: Event) -> fleet.Fleet:
        """Fold one event."""
        return fleet.evolve(state, event)

    def asks(self, state: fleet.Fleet, fact: EventEnvelope) -> Question | None:  # noqa: ARG002
        """Nothing."""
        return None

    def decide(
        self,
        state: fleet.Fleet,
        fact: Event,
        answer: Answer | None,  # noqa: ARG002
        *,
        decision_id: str,  # noqa: ARG002
        now: int,  # noqa: ARG002
    ) -> tuple[Event, ...]:
        """Whether it pauses."""
        return fleet.decide(state, fact)


@dataclass(frozen=True, slots=True)
class NoState:
    """Nothing is kept of such a subject but which facts were accepted."""


NO_STATE: Final = NoState()


class Undecided:
    """A subject that nobody decides about: aliases' changes, what lies in quarantine."""

    decider: str = ""
    rule_version: int = 0
    name: str = "undecided"
    state_type: type[NoState] = NoState
    initial: NoState = NO_STATE

    def evolve(self, state: NoState, event: Event) -> NoState:  # noqa: ARG002
        """Nothing."""
        return state

    def asks(self, state: NoState, fact: EventEnvelope) -> Question | None:  # noqa: ARG002
        """Nothing."""
        return None

    def decide(
        self,
        state: NoState,  # noqa: ARG002
        fact: Event,  # noqa: ARG002
        answer: Answer | None,  # noqa: ARG002
        *,
        decision_id: str,  # noqa: ARG002
        now: int,  # noqa: ARG002
    ) -> tuple[Event, ...]:
        """Nothing."""
        return ()
