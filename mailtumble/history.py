"""A mail's records, read from the stream itself and judged as the workers judge them.

The projection tells only where they lie: between which sequence numbers of which shards. All
else of its item could be lost, and this would still tell the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mailtumble.ports.store import Item, ItemStore
from mailtumble.ports.stream import Batch, EventStream, ShardReader, StoredRecord
from mailtumble.worker.application import Span
from mailtumble.worker.core import NAME
from mailtumble.worker.records import read_record
from mailtumble.worker.views import mail_key
from processors import mail
from processors.kernel import Judgement, Ledger, judge
from schemas import ids
from schemas.envelope import EventEnvelope
from schemas.errors import (
    BadInput,
    MailtumbleError,
    PermanentError,
    RetryableError,
)
from schemas.events import RecordQuarantined
from schemas.ids import fingerprint, mail_subject
from schemas.values import Status

RECORDS_MAX: Final = 1_000
"""Records a read: at about 1 KB each half of the 2 MB/s that a shard gives to all its readers."""

PAUSE_S: Final = 1.0
"""Between reads of a shard: five a second are for all readers, the workers first."""

TRIES_MAX: Final = 5
EMPTY_MAX: Final = 3
PREFIX_MIN: Final = 4

Sleep = Callable[[float], None]


class NoSuchMail(MailtumbleError):  # noqa: N818 - an answer
    """No mail has this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One record of the mail.

    ``record`` is None where it can't be read; ``judgement`` is None where core has quarantined
    it, and ``problem`` says why. ``arrived_at`` is microseconds UTC, by the stream.
    """

    shard_id: str
    sequence_number: str
    arrived_at: int
    record: EventEnvelope | None
    judgement: Judgement | None
    problem: str = ""

    @property
    def at(self) -> int:
        """When it was recorded, by its writer's clock; for unreadable ones when it arrived."""
        return self.record.recorded_at if self.record else self.arrived_at


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All records of a mail in stream order, and the state that the accepted ones fold to."""

    mail_id: str
    steps: tuple[Step, ...]
    mail: mail.Mail

    @property
    def status(self) -> Status:
        """That of the least finished target."""
        return self.mail.status


def read_history(
    stream: EventStream, store: ItemStore, generation: str, mail_id: str, sleep: Sleep
) -> History:
    """Read a mail's records, at most one read a second of each shard.

    Records that were appended behind the projection's last one may be missing.

    Raises:
        NoSuchMail: no mail of this generation has this very id.
        PermanentError: the stream holds the mail's beginning no more.
        RetryableError: the stream does not answer.
    """
    item = store.get("mails", {"mail_key": mail_key(generation, mail_id)})
    if item is None:
        raise no_such_mail(mail_id)
    stored: list[tuple[str, StoredRecord]] = []
    for span in _spans(mail_id, item):
        try:
            records = _read_span(stream, span, mail_subject(mail_id), sleep)
        except PermanentError as error:
            raise PermanentError(f"mail {mail_id} can't be told: {error}") from error
        stored.extend((span.shard_id, record) for record in records)
    return judged(mail_id, stored)


def judged(mail_id: str, stored: Sequence[tuple[str, StoredRecord]]) -> History:
    """Judge and fold records (each with its shard's id) of one mail, as core does."""
    read = [read_record(record) for _, record in stored]
    aside = _quarantined(each.envelope for each in read if each.envelope)
    ledger, state = Ledger(), mail.INITIAL
    steps: list[Step] = []
    for (shard_id, record), each in zip(stored, read, strict=True):
        envelope = each.envelope
        problem = each.problem or aside.get(record.sequence_number, "")
        judgement = None
        if envelope is not None and problem:
            # Not folded, but decisions build on it: the other readers have taken it.
            if envelope.is_decision:
                _, ledger = judge(ledger, envelope, fingerprint(record.data), record.arrived_at)
        elif envelope is not None:
            judgement, ledger = judge(ledger, envelope, fingerprint(record.data), record.arrived_at)
            if judgement is Judgement.ACCEPTED:
                state = mail.fold(state, envelope.events)
        step = Step(
            shard_id=shard_id,
            sequence_number=record.sequence_number,
            arrived_at=record.arrived_at,
            record=envelope,
            judgement=judgement,
            problem=problem,
        )
        steps.append(step)
    return History(mail_id=mail_id, steps=tuple(steps), mail=state)


def find_mail_id(store: ItemStore, generation: str, given: str) -> str:
    """The mail that a person means: by its id, the id's beginning, or an id that SES gave it.

    Raises:
        NoSuchMail: nothing fits.
        BadInput: several mails do.
    """
    exact = store.get("mails", {"mail_key": mail_key(generation, given)}) if given else None
    if exact is not None:
        return given
    if len(given) < PREFIX_MIN:
        raise no_such_mail(given)
    own = mail_key(generation, "")
    found = [
        name
        for item in store.scan("mails")
        if (name := str(item["mail_key"])).startswith(own)
        and _fits(item, name.removeprefix(own), given)
    ]
    fitting = sorted(name.removeprefix(own) for name in found)
    if not fitting:
        raise no_such_mail(given)
    if len(fitting) > 1:
        some = ", ".join(fitting[:3]) + (", ..." if len(fitting) > 3 else "")  # noqa: PLR2004
        raise BadInput(f"{given} may be any of {len(fitting)} mails ({some}): give more of the id")
    return fitting[0]


def no_such_mail(given: str) -> NoSuchMail:
    """What to say of an id that no mail has."""
    return NoSuchMail(
        f"there is no mail {given!r}: mailtumble mail list shows their ids; {PREFIX_MIN} or more "
        "of an id's first characters are enough"
    )


def _fits(item: Item, mail_id: str, given: str) -> bool:
    if mail_id.startswith(given):
        return True
    # The id follows from SES's id and the recipient, so it need not be stored to be found.
    if ids.mail_id(given, str(item.get("recipient", ""))) == mail_id:
        return True
    targets: Any = item.get("targets") or ()
    return any(target["provider_message_id"] == given for target in targets)


def _spans(mail_id: str, item: Item) -> list[Span]:
    plain: Any = item.get("spans") or ()
    spans = [Span(str(shard_id), str(first), str(last)) for shard_id, first, last in plain]
    if not spans:
        raise PermanentError(
            f"mail {mail_id}: its item does not say where its records lie; build a new generation"
        )
    return spans


def _read_span(
    stream: EventStream, span: Span, subject: str, sleep: Sleep
) -> Sequence[StoredRecord]:
    reader = stream.reader(span.shard_id, after=None, at=span.first)
    found: list[StoredRecord] = []
    begun = False
    empty = 0
    while True:
        batch = _read(reader, sleep)
        records = batch.records
        if records and not begun and records[0].sequence_number != span.first:
            raise PermanentError(f"{span.shard_id} does not hold {span.first} any more")
        begun = begun or bool(records)
        found.extend(record for record in records if record.subject == subject)
        if records and records[-1].sequence_number >= span.last:
            return found
        if batch.ended:
            raise PermanentError(f"{span.shard_id} does not hold {span.last} any more")
        empty = 0 if records or batch.lag_ms else empty + 1
        if empty == EMPTY_MAX:
            raise RetryableError(f"{span.shard_id} does not show {span.last}: try again")
        sleep(PAUSE_S)


def _read(reader: ShardReader, sleep: Sleep) -> Batch:
    """One read; where the workers leave nothing, a pause and another."""
    for _ in range(TRIES_MAX - 1):
        try:
            return reader.read(RECORDS_MAX)
        except RetryableError:
            sleep(PAUSE_S)
    return reader.read(RECORDS_MAX)


def _quarantined(read: Iterable[EventEnvelope]) -> dict[str, str]:
    """The readable records that core put aside all the same, as it was ended by them: and why."""
    return {
        event.sequence_number: event.reason
        for envelope in read
        for event in envelope.events
        if isinstance(event, RecordQuarantined) and event.application == NAME
    }
