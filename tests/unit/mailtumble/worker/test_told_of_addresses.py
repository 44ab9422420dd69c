"""What becomes of mails, told to the addresses' own subjects: once, by ids that follow from it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailtumble.ports.stream import StoredRecord
from mailtumble.worker.application import Accepted, Fact, Span
from mailtumble.worker.core import Core, CoreRules
from mailtumble.worker.headers import HeaderReader
from processors import mail
from schemas.codec import encode
from schemas.envelope import EventEnvelope
from schemas.events import (
    AddressBounced,
    AddressComplained,
    AddressDelivered,
    BounceReceived,
    Event,
)
from schemas.ids import address_digest, address_subject, derive
from schemas.values import MailSource, Verdicts
from tests.fakes import InMemoryAliases, InMemoryObjects
from tests.samples import (
    MAIL_ID,
    RECEIVED_AT,
    accepted,
    after,
    bounced,
    complained,
    delayed,
    delivered,
    fact,
    failed,
    received,
    rejected,
    resolved,
    scheduled,
    started,
    unknown,
)

KEY = "secret"
BOB, EVE = "bob@example.org", "eve@example.org"
SOURCE = MailSource(
    digest=address_digest("ann@example.net", KEY),
    domain_digest=address_digest("example.net", KEY),
    spf="PASS",
)
MAIL = (
    received(envelope_sender="Ann+list-7@Example.NET", verdicts=Verdicts(spf="PASS")),
    resolved(BOB, EVE),
    scheduled(),
    scheduled("attempt-2", target=1, address=EVE),
)
BOUNCED = AddressBounced(
    address=BOB,
    mail_id=MAIL_ID,
    happened_at=after(4),
    bounce_type="Permanent",
    bounce_subtype="General",
    enhanced_status="5.1.1",
    diagnostic="smtp; 550 5.1.1 user unknown",
    source=SOURCE,
)


def _told(record: EventEnvelope, *before: Event) -> tuple[Fact, ...]:
    """What core appends besides its decisions."""
    headers = HeaderReader(InMemoryObjects(), frozenset())
    core = Core(InMemoryAliases(), headers, CoreRules(address_key=KEY), "g1")
    state = mail.fold(mail.INITIAL, before)
    told = Accepted(
        record=record,
        stored=StoredRecord("9".zfill(64), record.subject, encode(record), RECEIVED_AT),
        shard_id="shard-0",
        before=state,
        after=mail.fold(state, record.events),
        spans=(Span("shard-0", "8", "9"),),
    )
    return core.react(told).facts


def _address(kind: str, target: int = 0) -> BounceReceived:
    return replace(bounced("attempt-1" if target == 0 else "attempt-2", target), bounce_type=kind)


def test_a_bounce_is_told_to_its_address() -> None:
    """Under an id of the record that tells of it, so that whoever reads it tells the same."""
    record = fact(bounced(), name="feedback-1")
    (told,) = _told(record, *MAIL)
    assert told == Fact(
        derive("address", "feedback-1", "0"),
        address_subject(BOB, KEY),
        "feedback-1",
        "core",
        (BOUNCED,),
    )
    assert _told(record, *MAIL) == (told,)
    (other,) = _told(fact(bounced(), name="feedback-2"), *MAIL)
    assert (other.subject, other.events) == (told.subject, told.events)
    assert other.id != told.id


@pytest.mark.parametrize(
    ("kind", "permanent"), [("Permanent", True), ("Transient", False), ("Undetermined", False)]
)
def test_only_what_ses_calls_permanent_is(kind: str, permanent: bool) -> None:  # noqa: FBT001
    """Nobody is suppressed for good because SES could not tell."""
    (told,) = _told(fact(_address(kind)), *MAIL)
    (event,) = told.events
    assert isinstance(event, AddressBounced)
    assert event.permanent is permanent


def test_it_is_told_to_the_address_of_the_very_target() -> None:
    """Whose subject tells nobody the address, nor how it was spelt."""
    (told,) = _told(fact(_address("Permanent", 1)), *MAIL)
    assert told.subject == address_subject(EVE, KEY) == address_subject(EVE.upper(), KEY)
    assert told.subject != address_subject(EVE, "another key")
    assert "eve" not in told.subject


def test_a_complaint_is_told_to_its_address() -> None:
    """With the time at which somebody complained."""
    (told,) = _told(fact(complained(), name="feedback-1"), *MAIL)
    complaint = AddressComplained(
        address=BOB, mail_id=MAIL_ID, happened_at=after(5), feedback_type="abuse", source=SOURCE
    )
    assert told.events == (complaint,)
    assert told.id == derive("address", "feedback-1", "0")


def test_a_delivery_is_told_to_a_watched_address_alone() -> None:
    """A record for each delivery would double the stream."""
    assert _told(fact(delivered()), *MAIL) == ()
    assert _told(fact(delivered()), *MAIL, started()) == ()
    (told,) = _told(fact(delivered(), name="feedback-1"), *MAIL, started(watched=True))
    delivery = AddressDelivered(address=BOB, mail_id=MAIL_ID, happened_at=after(3), source=SOURCE)
    assert told.events == (delivery,)
    assert _told(fact(delivered("attempt-2", 1)), *MAIL, started(watched=True)) == ()


@pytest.mark.parametrize(
    "event",
    [accepted(), delayed(), failed(), rejected(), unknown(), started(watched=True)],
    ids=lambda event: type(event).__name__,
)
def test_nothing_else_is_told(event: Event) -> None:
    """That SES took a mail says nothing of the mailbox; nor does a delay, which SES waits out."""
    assert _told(fact(event), *MAIL, started(watched=True)) == ()


def test_the_null_sender_has_no_digest() -> None:
    """Everybody sends bounces by it: they are nobody's."""
    nobody = received(envelope_sender="", verdicts=Verdicts(spf="GRAY"))
    (told,) = _told(fact(bounced()), nobody, *MAIL[1:])
    assert told.events == (replace(BOUNCED, source=MailSource(spf="GRAY")),)


@pytest.mark.parametrize("target", [-1, 2, 99])
def test_feedback_about_a_target_that_is_not_there_is_told_to_nobody(target: int) -> None:
    """Tags come from outside."""
    assert _told(fact(bounced("attempt-1", target)), *MAIL) == ()
    assert _told(fact(bounced()), received()) == ()


def test_each_event_of_a_record_is_told_by_itself() -> None:
    """Their ids differ by their place."""
    told = _told(fact(bounced(), complained(), name="feedback-1"), *MAIL)
    assert [each.id for each in told] == [derive("address", "feedback-1", n) for n in ("0", "1")]
