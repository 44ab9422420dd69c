"""The application ``core``: decides about mails, addresses and the fleet, and keeps the views."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mailtumble import throughput
from mailtumble.ports.store import Delete, Put, Update
from mailtumble.ports.stream import Shard
from mailtumble.ports.world import AliasEntry, AliasRepository, AliasUnreadable, MailHeaders
from mailtumble.worker import views
from mailtumble.worker.aggregates import (
    AddressAggregate,
    FleetAggregate,
    MailAggregate,
    Undecided,
)
from mailtumble.worker.application import Accepted, Aggregate, Fact, Question, Reaction
from mailtumble.worker.returns import NOBODY, ReturnsReader, counted, parties
from processors import mail
from processors.bounces.decider import SuppressionRules
from processors.kernel import NO_RETURNS, Timer
from processors.mail.returns import news
from processors.moderation.breaker import source_of
from processors.routing.decider import Answer, Found, NotFound, Unavailable
from processors.routing.names import choose
from processors.sending.schedule import window_problem
from processors.sending.targets import TargetState
from processors.throughput.projection import count
from schemas.errors import RetryableError
from schemas.events import (
    AddressBounced,
    AddressComplained,
    AddressDelivered,
    BounceReceived,
    CommandAnswered,
    ComplaintReceived,
    DeliveryConfirmed,
    Event,
    MailReceived,
    QuotaObserved,
    RecordQuarantined,
    RecordRedriven,
    SendingPaused,
    TimerFired,
)
from schemas.ids import FLEET_SUBJECT, address_digest, address_subject, derive, mail_of
from schemas.values import SECOND_US, UNKNOWN_SOURCE, MailSource, TimerKind

NAME: Final = "core"

logger = logging.getLogger(__name__)
Write = Put | Delete | Update


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreRules:
    """What the settings say. ``address_key`` keys the digests that stand for addresses."""

    mail: mail.Rules = field(default_factory=mail.Rules)
    suppression: SuppressionRules = field(default_factory=SuppressionRules)
    address_key: str = ""


class Core:
    """Routing, moderation, retries, suppression; the views that people and the sender look at."""

    name: str = NAME

    def __init__(
        self,
        aliases: AliasRepository,
        headers: MailHeaders,
        rules: CoreRules,
        generation: str,
        returns: ReturnsReader | None = None,
    ) -> None:
        """Decide by ``rules``; ``generation`` names the set of projections to build.

        Without ``returns`` the breaker knows of none.
        """
        self._returns = returns
        self._aliases = aliases
        self._headers = headers
        self._address_key = rules.address_key
        self.generation = generation
        self._mail = MailAggregate(rules.mail)
        self._address = AddressAggregate(rules.suppression)
        self._fleet = FleetAggregate()
        self._undecided = Undecided()

    def aggregate(self, subject: str) -> Aggregate[Any]:
        """What a subject is about."""
        if subject == FLEET_SUBJECT:
            return self._fleet
        match subject.partition(":")[0]:
            case "mail":
                return self._mail
            case "address":
                return self._address
            case _:
                return self._undecided

    def answers(self, asked: Sequence[Question]) -> Sequence[Answer]:
        """Look all names up in one batch; where the repository is out, every mail waits."""
        names = list(dict.fromkeys(name for each in asked for name in each.names))
        problems: Mapping[str, str] = {}
        try:
            entries = self._aliases.find(names)
        except AliasUnreadable as error:
            logger.warning("%s", error)
            entries, problems = error.readable, error.problems
        except RetryableError as error:
            logger.warning("aliases can't be looked up: %s", error)
            return [Unavailable(str(error))] * len(asked)
        found = [_answer(each.names, entries, problems) for each in asked]
        return self._with_returns(asked, self._with_headers(asked, found))

    def react(self, accepted: Accepted[Any]) -> Reaction:
        """The views' writes, and the timers and facts that follow from an accepted record."""
        record = accepted.record
        writes = list(self._view(accepted))
        facts: list[Fact] = []
        done: list[Timer] = []
        for index, event in enumerate(record.events):
            match event:
                case TimerFired(kind=TimerKind.LOOKUP | TimerKind.UNKNOWN | TimerKind.MODERATION):
                    done.append(timer_of(record.subject, event))
                case RecordQuarantined() | RecordRedriven():
                    writes.append(views.quarantine_item(self.generation, record, event))
                case QuotaObserved() if record.subject == FLEET_SUBJECT:
                    at = record.recorded_at
                    writes.append(views.quotas_item(self.generation, accepted.after, event, at))
                case SendingPaused() if record.subject == FLEET_SUBJECT:
                    writes.append(views.paused_at_item(self.generation, event, record.recorded_at))
                case CommandAnswered():
                    writes.append(views.answer_item(self.generation, record, event))
                case BounceReceived() | ComplaintReceived() | DeliveryConfirmed():
                    facts.extend(self._told_of_address(accepted, index, event))
                case _:
                    pass
            writes.extend(self._counts(accepted.shard_id, event, record.recorded_at))
        return Reaction(
            facts=tuple(facts),
            writes=tuple(writes),
            timers=mail.timers(record),
            timers_done=tuple(done),
        )

    def put_aside(self, subject: str, state: Any) -> tuple[Any, Sequence[Write]]:  # noqa: ANN401, ARG002
        """Nothing changes: the mail is parked when ``RecordQuarantined`` is read."""
        return state, ()

    def committed(self, shard: Shard, writes: Mapping[tuple[str, str], Write]) -> None:
        """Nothing of it is kept in memory."""

    def _view(self, accepted: Accepted[Any]) -> Sequence[Write]:
        """What people see of the subject itself."""
        subject, after = accepted.record.subject, accepted.after
        if mail_of(subject) is not None:
            item = views.mail_item(self.generation, subject, after, accepted.spans)
            return (item, *self._came_back(accepted))
        if subject == FLEET_SUBJECT:
            return (views.pauses_item(self.generation, after),)
        if subject.startswith("address:"):
            return (views.address_item(self.generation, subject, after),)
        return ()

    def _told_of_address(
        self,
        accepted: Accepted[mail.Mail],
        index: int,
        event: BounceReceived | ComplaintReceived | DeliveryConfirmed,
    ) -> Sequence[Fact]:
        """What happened to a mail, told to the address's own subject."""
        targets = accepted.after.sending.targets
        if not 0 <= event.target < len(targets):
            return ()
        source = self._source(accepted.after.received)
        mail_id = mail_of(accepted.record.subject) or ""
        told = _of_address(mail_id, targets[event.target], event, source)
        if told is None:
            return ()
        name = derive("address", accepted.record.id, str(index))
        subject = address_subject(told.address, self._address_key)
        return (Fact(name, subject, accepted.record.id, NAME, (told,)),)

    def _source(self, received: MailReceived | None) -> MailSource:
        """Return who sent a mail, by the digests that count what comes back to a sender."""
        if received is None:
            return UNKNOWN_SOURCE
        address = source_of(received.envelope_sender)
        domain = address.rpartition("@")[2]
        return MailSource(
            digest=address_digest(address, self._address_key) if address else "",
            domain_digest=address_digest(domain, self._address_key) if domain else "",
            spf=received.verdicts.spf,
        )

    def _with_headers(self, asked: Sequence[Question], found: Sequence[Answer]) -> Sequence[Answer]:
        """Read the headers of those that were found and need it; unread, the mail waits."""
        wanted = [
            (each.bucket, each.object_key)
            for each, answer in zip(asked, found, strict=True)
            if each.object_key and isinstance(answer, Found)
        ]
        if not wanted:
            return found
        try:
            headers = self._headers.read(wanted)
        except RetryableError as error:
            logger.warning("mails' headers can't be read: %s", error)
            unread = Unavailable(f"the mail's header can't be read: {error}")
            return [unread if isinstance(each, Found) else each for each in found]
        return [
            replace(answer, headers=headers.get((each.bucket, each.object_key), ()))
            if isinstance(answer, Found)
            else answer
            for each, answer in zip(asked, found, strict=True)
        ]

    def _with_returns(self, asked: Sequence[Question], found: Sequence[Answer]) -> Sequence[Answer]:
        """Add what the breaker has to know; unread, the mail waits: it neither passes nor stops."""
        if self._returns is None:
            return found
        who = [
            parties(answer.alias, each.source, self._address_key)
            if isinstance(answer, Found)
            else NOBODY
            for each, answer in zip(asked, found, strict=True)
        ]
        try:
            known = self._returns.of(name for each in who for name in each.names())
        except RetryableError as error:
            logger.warning("what came back can't be read: %s", error)
            unread = Unavailable(f"what came back of other mails can't be read: {error}")
            return [unread if isinstance(each, Found) else each for each in found]
        return [
            replace(
                answer,
                of_alias=known.get(each.alias, NO_RETURNS),
                of_source=known.get(each.source, NO_RETURNS),
            )
            if isinstance(answer, Found)
            else answer
            for each, answer in zip(who, found, strict=True)
        ]

    def _came_back(self, accepted: Accepted[mail.Mail]) -> Sequence[Update]:
        """What the record tells of returns, counted by alias and by sender."""
        after, record = accepted.after, accepted.record
        told = news(accepted.before, after)
        if told == NO_RETURNS or after.received is None:
            return ()
        who = parties(after.route.alias, after.received.envelope_sender, self._address_key)
        return counted(self.generation, accepted.shard_id, who, told, record.recorded_at)

    def _counts(self, shard_id: str, event: Event, recorded_at: int) -> list[Update]:
        return [
            Update(
                "throughput",
                throughput.key(self.generation, shard_id, each.grain, each.begins_at),
                add=each.amounts,
                set={"expires_at": (each.begins_at + each.grain.kept_us) // SECOND_US},
            )
            for each in count(event, recorded_at)
        ]


def _of_address(
    mail_id: str,
    target: TargetState,
    event: BounceReceived | ComplaintReceived | DeliveryConfirmed,
    source: MailSource,
) -> AddressBounced | AddressComplained | AddressDelivered | None:
    match event:
        case BounceReceived():
            return AddressBounced(
                address=target.address,
                mail_id=mail_id,
                happened_at=event.happened_at,
                bounce_type=event.bounce_type,
                bounce_subtype=event.bounce_subtype,
                enhanced_status=event.enhanced_status,
                diagnostic=event.diagnostic,
                source=source,
            )
        case ComplaintReceived():
            return AddressComplained(
                address=target.address,
                mail_id=mail_id,
                happened_at=event.happened_at,
                feedback_type=event.feedback_type,
                complaint_subtype=event.complaint_subtype,
                source=source,
            )
        case DeliveryConfirmed(happened_at=at):
            # A record for each delivery would double the stream: only what changes something.
            if not target.watched:
                return None
            return AddressDelivered(
                address=target.address, mail_id=mail_id, happened_at=at, source=source
            )


def _answer(
    names: tuple[str, ...], entries: Mapping[str, AliasEntry], problems: Mapping[str, str]
) -> Answer:
    """What the repository says of a mail's names; a broken entry would perhaps have been it."""
    match choose(names, {**entries, **problems}):
        case None:
            return NotFound()
        case AliasEntry() as entry if problem := window_problem(entry.schedule):
            return Unavailable(f"the window of {entry.alias} can't be used ({problem})")
        case AliasEntry() as entry:
            return Found(
                entry.alias,
                entry.version,
                entry.tenant,
                entry.targets,
                moderated=entry.moderated,
                schedule=entry.schedule,
            )
        case problem:
            return Unavailable(f"the alias's entry is broken ({problem}): put it anew")


def timer_of(subject: str, fired: TimerFired) -> Timer:
    """The timer that this firing is the end of."""
    return Timer(subject, fired.kind, fired.attempt_id, fired.number, fired.due_at)
