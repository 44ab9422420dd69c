"""Core decides about mails, addresses and the fleet, each on its own subject, in one stream."""

from __future__ import annotations

from typing import Any

import pytest

from mailtumble.worker.aggregates import Undecided
from mailtumble.worker.core import Core, CoreRules
from mailtumble.worker.headers import HeaderReader
from mailtumble.worker.views import address_key, answer_key, pauses_key
from processors.bounces.decider import Address
from processors.fleet.decider import Fleet
from processors.mail import Mail, Rules
from processors.moderation.rules import Rule
from schemas.codec import decode
from schemas.errors import RetryableError
from schemas.events import (
    AddressBounced,
    AddressDelivered,
    AddressReleased,
    AddressSuppressed,
    AliasChanged,
    CommandAnswered,
    Event,
    MailApproved,
    MailHeld,
    MailRejected,
    ModerationDecided,
    QuotaObserved,
    RouteDeferred,
    RouteReopened,
    SendingPaused,
    SendScheduled,
)
from schemas.ids import FLEET_SUBJECT, address_subject, alias_subject
from schemas.values import ALWAYS, Command, ModerationAction, SuppressionReason
from tests.fakes import InMemoryAliases, InMemoryObjects
from tests.samples import (
    MAIL_ID,
    RECIPIENT,
    SUBJECT,
    after,
    bounced,
    delivered,
    fact,
    ordered,
    received,
    started,
)
from tests.unit.mailtumble.worker.conftest import Place

BOB = "bob@example.org"
HOLD = Rule(name="all", action=ModerationAction.HOLD, reason="look at it")
NEWS = Rule(name="news", action=ModerationAction.HOLD, headers=(("Subject", "*news*"),))


@pytest.fixture
def held(place: Place) -> Place:
    """Every mail is held; one is."""
    place.rules = CoreRules(mail=Rules(moderation=(HOLD,)))
    place.tell(fact(received()))
    place.run(place.owner())
    return place


def _status(place: Place) -> object:
    item = place.store.get("mails", {"mail_key": f"g1#{MAIL_ID}"})
    return item and item["status"]


def _answer(place: Place, name: str = "command-1") -> tuple[object, object] | None:
    item = place.store.get("answers", answer_key("g1", name))
    return item and (item["accepted"], item["answer"])


def _order(command: Command, name: str = "command-1", subject: str = SUBJECT, **more: Any) -> Any:  # noqa: ANN401
    """The record of a person's command."""
    return fact(ordered(command, name, **more), name=name, subject=subject)


def test_each_kind_of_subject_has_its_own_state() -> None:
    """By how the subject begins; what is about nothing of these is decided about by nobody."""
    headers = HeaderReader(InMemoryObjects(), frozenset())
    core = Core(InMemoryAliases(), headers, CoreRules(), "g1")
    kinds = {
        subject: core.aggregate(subject).state_type
        for subject in (SUBJECT, address_subject(BOB, "k"), FLEET_SUBJECT)
    }
    assert list(kinds.values()) == [Mail, Address, Fleet]
    for subject in (alias_subject(RECIPIENT), "quarantine:q", "fleets", "nothing"):
        assert isinstance(core.aggregate(subject), Undecided)
        assert core.aggregate(subject).decider == ""


def test_a_moderator_lets_a_held_mail_go(held: Place) -> None:
    """The answer is there for whoever asked, in the transaction that shows the mail scheduled."""
    assert _status(held) == "held"
    held.tell(_order(Command.APPROVE))
    owner = held.owner()
    held.read(owner)
    assert _answer(held) is None
    held.read(owner)
    assert _status(held) == "scheduled"
    assert _answer(held) == (True, "the mail is approved")
    assert len(held.events(SendScheduled)) == 1


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "one by one"])
@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (Command.APPROVE, Command.REJECT, "scheduled"),
        (Command.REJECT, Command.APPROVE, "rejected"),
        (Command.APPROVE, Command.APPROVE, "scheduled"),
    ],
)
def test_of_two_moderators_exactly_one_wins(
    held: Place,
    first: Command,
    second: Command,
    status: str,
    together: bool,  # noqa: FBT001 - drawn by name
) -> None:
    """Also while the first one's decision is still on its way: the second is told of it."""
    owner = held.owner()
    held.tell(_order(first, by="ann"))
    if not together:
        held.read(owner)
    held.tell(_order(second, "command-2", by="bea"))
    held.run(owner)
    decided = [*held.events(MailApproved), *held.events(MailRejected)]
    assert [getattr(each, "by", "") for each in decided] == ["ann"]
    assert _status(held) == status
    said = {"scheduled": "approved by ann", "rejected": "rejected by ann"}[status]
    assert _answer(held, "command-2") == (False, f"the mail is not held: {said}")
    assert len(held.events(CommandAnswered)) == 2
    assert owner.tally.void == 0


def test_a_successor_knows_of_the_decision_that_is_on_its_way(held: Place) -> None:
    """The owner died behind its commit, and its decision was not read yet."""
    held.tell(_order(Command.APPROVE, by="ann"))
    held.read(held.owner())
    held.tell(_order(Command.REJECT, "command-2", by="bea"))
    held.run(held.owner())
    assert _status(held) == "scheduled"
    assert _answer(held, "command-2") == (False, "the mail is not held: approved by ann")


def test_a_command_that_comes_twice_is_answered_once(held: Place) -> None:
    """Whoever gave it was not sure that it stood there, and gave it again under its id."""
    command = _order(Command.APPROVE)
    held.tell(command, command)
    held.run(held.owner())
    assert len(held.events(CommandAnswered)) == 1


def test_a_moderators_time_is_a_timer(held: Place) -> None:
    """Set with the mail's hold, fired when it is over, and gone with its firing."""
    (hold,) = held.events(MailHeld)
    assert isinstance(hold, MailHeld)
    (timer,) = held.store.scan("timers")
    assert timer["due_at"] == hold.expires_at
    owner = held.owner()
    held.clock.move_to(hold.expires_at)
    owner.tick()
    held.run(owner)
    assert _status(held) == "expired"
    assert held.store.scan("timers") == []


def test_a_bounce_suppresses_the_address_on_its_own_subject(place: Place) -> None:
    """Mail, address and view: from the feedback to what the sender reads."""
    place.tell(fact(received()))
    owner = place.owner()
    place.run(owner)
    (attempt,) = place.events(SendScheduled)
    name = getattr(attempt, "attempt_id", "")
    place.tell(fact(started(name, watched=True), bounced(name), name="bounce"))
    place.run(owner)
    assert _status(place) == "bounced"
    (told,) = place.events(AddressBounced)
    assert getattr(told, "address", "") == BOB
    suppressed = place.events(AddressSuppressed)
    assert [getattr(each, "reason", None) for each in suppressed] == [SuppressionReason.PERMANENT]
    key = {"address_key": address_key("g1", address_subject(BOB, ""))}
    assert (place.store.get("addresses", key) or {})["reason"] == "permanent bounce"
    place.tell(fact(delivered(name), name="delivery"))
    place.run(owner)
    assert len(place.events(AddressDelivered)) == 1
    assert place.events(AddressReleased) == []


def test_two_kinds_of_subjects_in_one_batch(place: Place) -> None:
    """A mail, an address and the fleet are decided about side by side, each building on its own."""
    where = address_subject(BOB, "")
    place.tell(
        fact(received()),
        _order(Command.SUPPRESS, "suppress", where, detail=BOB),
        _order(Command.PAUSE, "pause", FLEET_SUBJECT, detail="shop"),
        _order(Command.RELEASE, "release", where, detail=BOB),
        _order(Command.PAUSE, "again", FLEET_SUBJECT, detail="shop"),
    )
    owner = place.owner()
    place.run(owner)
    assert _status(place) == "scheduled"
    assert _answer(place, "suppress") == (True, f"{BOB} is suppressed")
    assert _answer(place, "release") == (True, f"{BOB} gets mail again")
    assert _answer(place, "pause") == (True, "sending of shop is paused")
    assert _answer(place, "again") == (False, "sending of shop is paused already, by ann")
    assert place.store.scan("addresses") == []
    assert (place.store.get("fleet", pauses_key("g1")) or {})["paused"] == [
        {"scope": "shop", "told": "ann", "since": 0}
    ]
    assert owner.tally.void == 0
    deciders = {each.subject: each.decider for each in place.log() if each.is_decision}
    assert deciders == {SUBJECT: "mail", where: "address", FLEET_SUBJECT: "fleet"}


def test_the_fleets_state_survives_its_owner(place: Place) -> None:
    """Whoever takes over knows who is paused, whatever else stands on the subject."""
    place.tell(_order(Command.PAUSE, "pause", FLEET_SUBJECT))
    place.run(place.owner())
    quota = QuotaObserved(max_send_rate=14.0, max_24h=-1)
    place.tell(fact(quota, name="quota", subject=FLEET_SUBJECT))
    place.tell(_order(Command.PAUSE, "again", FLEET_SUBJECT))
    place.run(place.owner())
    assert len(place.events(SendingPaused)) == 1
    assert _answer(place, "again") == (
        False,
        "sending of the whole fleet is paused already, by ann",
    )
    assert (place.store.get("fleet", pauses_key("g1")) or {})["paused"] == [
        {"scope": "", "told": "ann", "since": 0}
    ]


def test_a_subject_that_nobody_decides_about_is_remembered_all_the_same(place: Place) -> None:
    """An alias's changes are taken once by their ids; nothing follows, not even from a command."""
    changed = AliasChanged(
        alias=RECIPIENT,
        version=1,
        tenant="shop",
        targets=(BOB,),
        moderated=False,
        schedule=ALWAYS,
        by="ann",
    )
    record = fact(changed, name="alias-1", subject=alias_subject(RECIPIENT))
    place.tell(record, record, _order(Command.RETRY, subject=alias_subject(RECIPIENT)))
    owner = place.owner()
    place.run(owner)
    assert (owner.tally.accepted, owner.tally.repeated, owner.tally.decided) == (2, 1, 0)
    assert len(place.log()) == 3
    assert place.store.scan("mails") == place.store.scan("answers") == []
    successor = place.owner()
    place.tell(record)
    place.run(successor)
    assert successor.tally.repeated == 1


def test_a_retried_mail_is_looked_up_in_the_same_batch(place: Place) -> None:
    """The alias was put after the mail had ended as unroutable."""
    place.aliases.remove(RECIPIENT)
    place.tell(fact(received()))
    owner = place.owner()
    place.run(owner)
    assert _status(place) == "unroutable"
    place.aliases.put(RECIPIENT, [BOB], "shop")
    place.tell(_order(Command.RETRY), _order(Command.RETRY, "command-2"))
    place.run(owner)
    assert _status(place) == "scheduled"
    assert len(place.events(RouteReopened)) == 1
    assert _answer(place) == (True, "the mail is looked up again")
    assert _answer(place, "command-2") == (
        False,
        "nothing of the mail has failed: 1 scheduled",
    )


def test_rules_see_the_mails_header(place: Place) -> None:
    """Read for the whole batch at once, from where SES has put it."""
    place.rules = CoreRules(mail=Rules(moderation=(NEWS,)))
    place.objects.put("mail", received().object_key, b"Subject: Good news!\r\n\r\nbody")
    place.tell(fact(received()))
    place.run(place.owner())
    assert _status(place) == "held"
    (verdict,) = place.events(ModerationDecided)
    assert getattr(verdict, "rule", "") == "news"


def test_a_mail_whose_bytes_are_gone_has_no_header(place: Place) -> None:
    """No rule that looks into it fits; that it can't be sent is found when it is its turn."""
    place.rules = CoreRules(mail=Rules(moderation=(NEWS,)))
    place.tell(fact(received()))
    place.run(place.owner())
    assert _status(place) == "scheduled"


def test_a_mail_whose_header_can_not_be_read_now_waits(place: Place) -> None:
    """An outage of S3 lets no mail pass the rules; nor does it lose one."""
    place.rules = CoreRules(mail=Rules(moderation=(NEWS,)))
    place.objects.put("mail", received().object_key, b"Subject: news\r\n\r\n")
    head = place.objects.head
    place.objects.head = _out  # type: ignore[method-assign, assignment]
    place.tell(fact(received()))
    owner = place.owner()
    place.run(owner)
    assert _status(place) == "deferred"
    (deferral,) = place.events(RouteDeferred)
    assert isinstance(deferral, RouteDeferred)
    assert deferral.reason.startswith("the mail's header can't be read")
    place.objects.head = head  # type: ignore[method-assign]
    place.clock.move_to(deferral.retry_at)
    owner.tick()
    place.run(owner)
    assert _status(place) == "held"


def _out(bucket: str, key: str, size_bytes: int) -> bytes:
    message = f"{bucket}/{key} {size_bytes}: slow down"
    raise RetryableError(message)


def test_without_rules_that_ask_for_headers_none_is_read(place: Place) -> None:
    """A read of S3 for each mail costs time and money."""
    place.objects.head = _out  # type: ignore[method-assign, assignment]
    place.rules = CoreRules(mail=Rules(moderation=(HOLD,)))
    place.tell(fact(received()))
    place.run(place.owner())
    assert _status(place) == "held"


def test_a_decision_tells_what_was_answered(held: Place) -> None:
    """Events and answer travel in one record: nobody is told what does not hold."""
    held.tell(_order(Command.APPROVE))
    held.run(held.owner())
    records = [decode(each.data) for each in held.stream.records()]
    (decided,) = [each for each in records if CommandAnswered in map(type, each.events)]
    kinds: list[type[Event]] = [type(each) for each in decided.events]
    assert kinds == [MailApproved, SendScheduled, CommandAnswered]
    assert decided.recorded_at >= after(0)
