"""The call to SES: what goes out, when, and what comes of it in every case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from mailtumble.ports.world import (
    OutcomeUnknown,
    OutgoingMail,
    SendImpossible,
    SendRefused,
)
from mailtumble.sender import transmission
from mailtumble.sender.transmission import (
    LATE_US,
    TAG_ATTEMPT,
    TAG_MAIL,
    TAG_TARGET,
    Job,
    Missed,
    Ready,
    Transmission,
)
from schemas.errors import PermanentError, RetryableError
from schemas.events import Event, SendAccepted, SendDeferred, SendFailed, SendUnknown
from schemas.values import SECOND_US, DeferReason
from tests.fakes import InMemoryObjects, InMemoryProvider, VirtualClock
from tests.samples import MAIL_ID, RECEIVED_AT, after
from tests.unit.mailtumble.sender.conftest import UNKNOWN_WAIT_US, entry

RAW = (
    b"From: Ann <ann@example.net>\r\nTo: sales@example.com\r\nSubject: Hello\r\n"
    b"Message-ID: <1@example.net>\r\n\r\nHello!\r\n"
)
JOB = Job(entry(), after(1), after(5))


class Post(InMemoryProvider):
    """A provider that answers with an error, if it is given one."""

    error: Exception | None = None

    def send(self, mail: OutgoingMail) -> str:
        """Take the mail, or raise."""
        if self.error is not None:
            raise self.error
        return super().send(mail)


@dataclass(frozen=True)
class Asked:
    """A shard that answers as it is told to."""

    may_call: Callable[[Job], bool]
    holds: Callable[[Job], bool]
    another_instant: Callable[[Job], int | None]


ALLOWED = Asked(lambda _: True, lambda _: True, lambda _: None)


class Sender:
    """A transmission and its world."""

    def __init__(self) -> None:
        """The mail's bytes are there, and it is one second before the instant."""
        self.clock = VirtualClock(RECEIVED_AT)
        self.objects = InMemoryObjects()
        self.objects.put("mail", "inbound/1", RAW)
        self.post = Post(self.clock)
        self.transmission = Transmission(self.objects, self.post, self.clock, UNKNOWN_WAIT_US)

    def carry_out(
        self,
        job: Job = JOB,
        *,
        mine: Callable[[Job], bool] = lambda _: True,
        holds: Callable[[Job], bool] = lambda _: True,
        instant: Callable[[Job], int | None] = lambda _: None,
    ) -> Event:
        """Do the job to its end."""
        return self.transmission.carry_out(job, Asked(mine, holds, instant))


@pytest.fixture
def sender() -> Sender:
    """A new one."""
    return Sender()


def _not_called(outcome: Event) -> SendDeferred:
    assert isinstance(outcome, SendDeferred)
    assert outcome.reason is DeferReason.NOT_CALLED
    return outcome


def test_a_mail_goes_out_at_its_instant(sender: Sender) -> None:
    """Not before, to the one recipient, from the alias, with the tags that feedback brings back."""
    outcome = sender.carry_out()
    (sent,) = sender.post.accepted
    assert sent.accepted_at == after(1)
    assert (sent.mail.sender, sent.mail.recipient) == ("sales@example.com", "bob@example.org")
    assert sent.mail.tags == {TAG_MAIL: MAIL_ID, TAG_TARGET: "0", TAG_ATTEMPT: "attempt-1"}
    assert outcome == SendAccepted(
        target=0,
        attempt_id="attempt-1",
        provider_message_id=sent.message_id,
        called_at=after(1),
        size_bytes=len(sent.mail.raw),
    )


def test_the_header_is_rewritten(sender: Sender) -> None:
    """The alias sends; the author is told in Reply-To; the body stays."""
    sender.carry_out()
    raw = sender.post.accepted[0].mail.raw
    assert b"Reply-To: Ann <ann@example.net>" in raw
    assert b"From: Ann <ann@example.net>" not in raw
    assert raw.endswith(b"\r\n\r\nHello!\r\n")


@pytest.mark.parametrize("reason", list(DeferReason))
def test_a_refusal_defers_with_the_providers_reason(sender: Sender, reason: DeferReason) -> None:
    """Surely nothing was sent: core decides when to try again."""
    sender.post.error = SendRefused(reason, "said SES")
    assert sender.carry_out() == SendDeferred(
        target=0,
        attempt_id="attempt-1",
        round=0,
        reason=reason,
        detail="said SES",
        called_at=after(1),
    )


def test_a_refusal_for_good_fails_the_attempt(sender: Sender) -> None:
    """The provider's code is kept."""
    sender.post.error = SendImpossible("MessageRejected", "Email address is not verified.")
    assert sender.carry_out() == SendFailed(
        target=0,
        attempt_id="attempt-1",
        code="MessageRejected",
        detail="Email address is not verified.",
        called_at=after(1),
    )


def test_a_lost_reply_is_unknown_and_waits_for_the_provider(sender: Sender) -> None:
    """Perhaps SES has it: until ``decide_at`` nothing is sent again."""
    sender.post.error = OutcomeUnknown("the connection broke")
    assert sender.carry_out() == SendUnknown(
        target=0,
        attempt_id="attempt-1",
        round=0,
        reason="the connection broke",
        decide_at=after(1) + UNKNOWN_WAIT_US,
        called_at=after(1),
    )


def test_a_mail_whose_bytes_are_gone_fails(sender: Sender) -> None:
    """There is nothing to send, now or later."""
    sender.objects = InMemoryObjects()
    sender.transmission = Transmission(sender.objects, sender.post, sender.clock, UNKNOWN_WAIT_US)
    outcome = sender.carry_out()
    assert isinstance(outcome, SendFailed)
    assert (outcome.code, outcome.detail) == ("ObjectMissing", "no object inbound/1 in mail")
    assert sender.post.accepted == []


def test_a_mail_that_goes_round_in_circles_fails(sender: Sender) -> None:
    """The loop guard's no is final."""
    prepared = sender.transmission.prepare(JOB)
    assert isinstance(prepared, Ready)
    raw = prepared.mail.raw
    for _ in range(200):
        sender.objects.put("mail", "inbound/1", raw)
        again = sender.transmission.prepare(JOB)
        if not isinstance(again, Ready):
            break
        raw = again.mail.raw
    outcome = sender.carry_out()
    assert isinstance(outcome, SendFailed)
    assert outcome.code == "Unforwardable"


@pytest.mark.parametrize("error", [RetryableError("slow down"), PermanentError("AccessDenied")])
def test_a_mail_that_cannot_be_read_is_tried_again_later(sender: Sender, error: Exception) -> None:
    """Later each time: the outage may last, and the grant be given only tomorrow."""

    class Down(InMemoryObjects):
        """Doesn't answer."""

        def get(self, bucket: str, key: str) -> bytes:  # noqa: ARG002
            """Only an error."""
            raise error

    sender.transmission = Transmission(Down(), sender.post, sender.clock, UNKNOWN_WAIT_US)
    outcome = sender.carry_out()
    assert isinstance(outcome, SendDeferred)
    assert (outcome.reason, sender.post.accepted) == (DeferReason.TRANSIENT, [])
    assert str(error) in outcome.detail


def test_a_mail_that_shows_a_fault_of_ours_fails_alone(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With the fault's name on the log; the process goes on with the others."""

    def broken(*_: object) -> object:
        message = "a header of a kind that nobody thought of"
        raise KeyError(message)

    monkeypatch.setattr(transmission, "rewrite", broken)
    outcome = sender.carry_out()
    assert isinstance(outcome, SendFailed)
    assert outcome.code == "KeyError"
    assert "can't be rewritten" in caplog.text


def test_a_missed_instant_is_replaced_by_another(sender: Sender) -> None:
    """The call is made at the new one, still before ``send_before``."""
    sender.clock.move_to(after(1) + LATE_US + 1)
    outcome = sender.carry_out(instant=lambda _: after(3))
    assert isinstance(outcome, SendAccepted)
    assert outcome.called_at == after(3)


@pytest.mark.parametrize("late", [0, LATE_US])
def test_a_call_a_little_late_is_still_in_its_place(sender: Sender, late: int) -> None:
    """60 ms are less than the distance to the next instant at most rates."""
    sender.clock.move_to(after(1) + late)
    outcome = sender.carry_out()
    assert isinstance(outcome, SendAccepted)
    assert outcome.called_at == after(1) + late


def _outage(_: Job) -> int | None:
    message = "throttled"
    raise RetryableError(message)


def test_an_instant_that_a_cut_has_taken_away_is_replaced_by_another(sender: Sender) -> None:
    """It was taken at a rate that SES no longer allows."""
    outcome = sender.carry_out(
        holds=lambda job: job.instant_at != after(1), instant=lambda _: after(3)
    )
    assert isinstance(outcome, SendAccepted)
    assert outcome.called_at == after(3)


@pytest.mark.parametrize("instant", [lambda _: None, _outage])
def test_without_another_instant_the_round_ends(
    sender: Sender, instant: Callable[[], int | None]
) -> None:
    """SES was not called: the attempt gets its next round."""
    sender.clock.move_to(after(2))
    _not_called(sender.carry_out(instant=instant))
    assert sender.post.accepted == []


def test_an_instant_behind_the_deadline_is_of_no_use(sender: Sender) -> None:
    """In no case is SES called at or after ``send_before``: the claim may be another's then."""
    sender.clock.move_to(after(2))
    _not_called(sender.carry_out(instant=lambda _: after(5)))
    assert sender.post.accepted == []


def test_whoever_has_lost_the_shard_does_not_call(sender: Sender) -> None:
    """Asked at the last moment, right before the call."""
    _not_called(sender.carry_out(mine=lambda _: False))
    assert sender.post.accepted == []


def test_a_call_that_comes_late_is_missed_not_made(sender: Sender) -> None:
    """It would stand too near to the next ones."""
    ready = sender.transmission.prepare(JOB)
    assert isinstance(ready, Ready)
    sender.clock.move_to(after(1) + LATE_US + 1)
    assert isinstance(sender.transmission.call(ready, ALLOWED), Missed)
    assert sender.clock.now() < JOB.send_before - SECOND_US


def test_of_a_round_that_is_over_nothing_else_is_told(sender: Sender) -> None:
    """Its mail may be gone by now: another sender has the round that counts."""
    missing = replace(JOB, entry=entry(object_key="inbound/none"))
    sender.clock.sleep(6)
    told = sender.carry_out(missing)
    assert isinstance(told, SendDeferred)
    assert told.reason is DeferReason.NOT_CALLED
    sender = Sender()
    told = sender.carry_out(missing, mine=lambda _: False)
    assert isinstance(told, SendDeferred)
    assert told.reason is DeferReason.NOT_CALLED
