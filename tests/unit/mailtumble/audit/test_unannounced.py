"""Mails in S3 that were never announced are found, and taken in by what their headers say."""

from __future__ import annotations

import pytest

from mailtumble.audit.unannounced import (
    SETUP,
    YOUNG_US,
    Redrive,
    Unannounced,
    unannounced,
)
from mailtumble.ports.world import AliasEntry, AliasUnreadable
from schemas import codec
from schemas.events import MailReceived
from schemas.ids import mail_id, mail_subject
from schemas.values import SECOND_US, Verdicts
from tests.fakes import InMemoryAliases, InMemoryObjects, InMemoryStream, VirtualClock

BUCKET, SES_ID = "mail", "d6iitobk75ur44p8kdnnp7g2n800"
KEY = f"inbound/{SES_ID}"
HOUSE = "info@house.example"

BY_SES = (
    "Return-Path: <ann@far.example>\r\n"
    "Received: from mx.far.example (mx.far.example [192.0.2.1])\r\n"
    " by inbound-smtp.eu-west-1.amazonaws.com with SMTP id " + SES_ID + "\r\n"
    " for Sales@house.example;\r\n"
    " Fri, 11 Sep 2015 20:32:33 +0000 (UTC)\r\n"
    "X-SES-Spam-Verdict: PASS\r\n"
    "X-SES-Virus-Verdict: FAIL\r\n"
    "Authentication-Results: amazonses.com;\r\n"
    " spf=pass (spfCheck: domain of far.example designates 192.0.2.1) client-ip=192.0.2.1;\r\n"
    " dkim=fail header.i=@far.example;\r\n"
    " dmarc=none header.from=far.example;\r\n"
)


class Place:
    """A bucket, aliases and a stream."""

    def __init__(self) -> None:
        """One alias, and no mail yet."""
        self.clock = VirtualClock()
        self.objects = InMemoryObjects(self.clock.now)
        self.aliases = InMemoryAliases()
        self.stream = InMemoryStream(self.clock)
        self.aliases.put(HOUSE, ("jane@far.example",), "house")

    def found(self, *announced: str) -> list[str]:
        """The keys of what was never announced."""
        known = {(BUCKET, key) for key in announced}
        now = self.clock.now()
        return [each.key for each in unannounced(self.objects, BUCKET, "inbound/", known, now)]

    def take_in(self, header: str) -> Unannounced:
        """Redrive a mail with this header."""
        self.objects.put(BUCKET, KEY, f"{header}\r\nbody\r\n".encode())
        (stored,) = self.objects.listed(BUCKET, KEY)
        redrive = Redrive(self.objects, BUCKET, self.aliases, self.stream)
        return redrive.take_in(stored, self.clock.now())

    def told(self) -> list[MailReceived]:
        """What stands on the stream."""
        records = [codec.decode(each.data) for each in self.stream.records()]
        return [
            each for record in records for each in record.events if isinstance(each, MailReceived)
        ]


@pytest.fixture
def place() -> Place:
    """With one alias."""
    return Place()


def test_only_old_mails_that_nothing_tells_of_are_found(place: Place) -> None:
    """Not what SES puts there itself, nor what lies elsewhere, nor what has just come."""
    for key in ("inbound/a", "inbound/b", f"inbound/{SETUP}", "inbound/", "notifications/c"):
        place.objects.put(BUCKET, key, b"x")
    assert place.found() == []
    place.clock.advance(YOUNG_US / SECOND_US)
    place.objects.put(BUCKET, "inbound/new", b"x")
    assert place.found("inbound/a") == ["inbound/b"]
    assert place.found() == ["inbound/a", "inbound/b"]


def test_what_ses_wrote_on_top_is_believed(place: Place) -> None:
    """Recipient, envelope sender and verdicts, as its notification would have told them."""
    header = f"{BY_SES}X-SES-Virus-Verdict: PASS\r\nTo: {HOUSE}\r\nSubject: =?utf-8?q?=C3=9C?=\r\n"
    mail = place.take_in(header)
    assert mail.problem == ""
    assert mail.recipients == ("Sales@house.example",)
    (event,) = place.told()
    assert event.recipient == "Sales@house.example"
    assert event.envelope_sender == "ann@far.example"
    assert event.ses_message_id == SES_ID
    assert (event.bucket, event.object_key) == (BUCKET, KEY)
    assert event.size_bytes == place.objects.size(BUCKET, KEY)
    assert event.received_at == place.clock.now()
    assert event.subject_line == "Ü"
    assert event.verdicts == Verdicts(
        spam="PASS", virus="FAIL", spf="PASS", dkim="FAIL", dmarc="GRAY"
    )


def test_a_notification_that_comes_after_all_is_recognised(place: Place) -> None:
    """Record and mail have the ids that intake gives them, and so has a second redrive."""
    mail = place.take_in(BY_SES)
    place.take_in(BY_SES)
    name = mail_id(SES_ID, "sales@house.example")
    assert mail.mails == (name,)
    first, second = (codec.decode(each.data) for each in place.stream.records())
    assert first.id == second.id
    assert first.subject == mail_subject(name)
    assert first.decider == "intake"


@pytest.mark.parametrize(
    ("header", "recipients"),
    [
        (f"Received: from a by b with ESMTP for <{HOUSE}>; Fri, 1 Jan 2021\r\n", (HOUSE,)),
        (f"Received: by b for other@else.example; Fri\r\nDelivered-To: {HOUSE}\r\n", (HOUSE,)),
        (f"X-Original-To: {HOUSE}\r\nTo: list@lists.example\r\n", (HOUSE,)),
        ("To: Info <INFO@house.example>, b@else.example\r\n", ("INFO@house.example",)),
        (f"To: a@else.example\r\nCc: {HOUSE}, {HOUSE}\r\n", (HOUSE,)),
        ("To: info+tag@house.example, @broken@, <\r\n", ("info+tag@house.example",)),
    ],
)
def test_without_ses_s_own_field_a_recipient_is_one_that_an_alias_takes(
    place: Place, header: str, recipients: tuple[str, ...]
) -> None:
    """Others may have written these fields."""
    assert place.take_in(header).recipients == recipients
    assert [each.recipient for each in place.told()] == list(recipients)


@pytest.mark.parametrize(
    "header",
    ["", "To: b@else.example\r\n", "Subject: x\r\n", "\xff\xfe garbage", "To: ((((\r\n"],
)
def test_where_no_recipient_can_be_told_a_person_is_told_what_to_do(
    place: Place, header: str
) -> None:
    """And nothing is taken in."""
    mail = place.take_in(header)
    assert mail.mails == ()
    assert f"aws s3 cp s3://{BUCKET}/{KEY}" in mail.problem
    assert place.told() == []


def test_forged_results_of_others_are_not_believed(place: Place) -> None:
    """Only those by SES count."""
    place.take_in(f"Authentication-Results: evil.example; spf=pass; dkim=pass\r\nTo: {HOUSE}\r\n")
    assert place.told()[0].verdicts == Verdicts()


def test_a_broken_alias_is_an_alias(place: Place) -> None:
    """The mail then waits for it to be mended, as any other."""

    class Broken(InMemoryAliases):
        def find(self, names: object) -> dict[str, AliasEntry]:
            del names
            raise AliasUnreadable({HOUSE: "no targets"})

    place.aliases = Broken()
    assert place.take_in(f"To: {HOUSE}\r\n").recipients == (HOUSE,)
