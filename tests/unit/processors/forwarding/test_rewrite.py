"""Rewriting a mail, told in examples: given the mail that came, then the one that goes."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.forwarding import Forwarding, RewrittenMail, Unforwardable, rewrite

ALIAS = "box@house.example"
FORWARDING = Forwarding(alias=ALIAS, envelope_sender="bounce@sender.example", mail_id="mail-1")
NOBODY = Forwarding(alias=ALIAS, envelope_sender="", mail_id="mail-1")


def mail(text: str) -> bytes:
    """Return a mail with CR LF for line ends."""
    return dedent(text).replace("\n", "\r\n").encode()


def header(name: str, rewritten: RewrittenMail) -> list[str]:
    """Return the values of a field as Python's own parser reads them."""
    message = message_from_bytes(rewritten.to_bytes(), policy=default)
    return [str(value) for value in message.get_all(name, [])]


def test_an_ordinary_mail() -> None:
    """Given an ordinary mail, then From is the alias and the rest is kept in order."""
    given_mail = mail("""\
        Return-Path: <bounce@sender.example>
        Received: from a by b;
         Fri, 21 Nov 2025 09:55:06 +0000
        DKIM-Signature: v=1; a=rsa-sha256;
         h=from:to:subject; b=abc
        Date: Fri, 21 Nov 2025 09:55:05 +0000
        From: Jane Doe <jane@example.com>
        To: Box <box@house.example>
        Message-ID: <1@example.com>
        Subject: Hello
        X-Mailer:   any

        Hello Box,
        bye""")
    then = mail("""\
        X-Mailtumble-Hop: box@house.example;
         mail=mail-1
        Received: from a by b;
         Fri, 21 Nov 2025 09:55:06 +0000
        Date: Fri, 21 Nov 2025 09:55:05 +0000
        X-Original-Date: Fri, 21 Nov 2025 09:55:05 +0000
        From: "Jane Doe (jane at example.com)" <box@house.example>
        To: Box <box@house.example>
        Message-ID: <1@example.com>
        X-Original-Message-ID: <1@example.com>
        Subject: Hello
        X-Mailer:   any
        Reply-To: Jane Doe <jane@example.com>
        References: <1@example.com>

        Hello Box,
        bye""")
    rewritten = rewrite(given_mail, FORWARDING)
    assert rewritten.to_bytes() == then
    assert rewritten.notes == ("dropped Return-Path", "dropped DKIM-Signature")


def test_a_mail_with_lf_for_line_ends() -> None:
    """Given a mail with LF alone, then the new lines have LF alone too."""
    rewritten = rewrite(b"From: a@example.com\nTo: b\n\nbody", FORWARDING)
    assert rewritten.to_bytes() == (
        b"X-Mailtumble-Hop: box@house.example;\n mail=mail-1\n"
        b'From: "a at example.com" <box@house.example>\n'
        b"To: b\n"
        b"Reply-To: a@example.com\n"
        b"\nbody"
    )


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        ("Jane Doe <jane@example.com>", "Jane Doe (jane at example.com)"),
        ("jane@example.com", "jane at example.com"),
        ('"jane@example.com" <jane@example.com>', "jane at example.com"),
        ('"Doe, Jane" <jane@example.com>', "Doe, Jane (jane at example.com)"),
        ('"J. \\"Jay\\" Doe" <j@x.org>', 'J. "Jay" Doe (j at x.org)'),
        ("=?utf-8?q?J=C3=B6hn?= <j@x.org>", "Jöhn (j at x.org)"),
        ("Jöhn <j@x.org>", "Jöhn (j at x.org)"),
        ('"ceo@bank.example" <j@x.org>', "ceo at bank.example (j at x.org)"),
        ("=?utf-8?q?ceo=40bank=EF=BC=A0x?= <j@x.org>", "ceo at bank at x (j at x.org)"),
        ('"Jane <ceo@bank.example>" <j@x.org>', "Jane ceo at bank.example (j at x.org)"),
        ("A <a@x.org>, B <b@x.org>", "A (a at x.org) and 1 other"),
        ("a@x.org, b@x.org, C <c@x.org>", "a at x.org and 2 others"),
        ("Jane Doe", "Jane Doe (bounce at sender.example)"),
        ("Jane Doe <>", "Jane Doe (bounce at sender.example)"),
        ("", "bounce at sender.example"),
        ("A" * 100 + " <j@x.org>", "A" * 61 + "... (j at x.org)"),
    ],
)
def test_from_names_the_sender(original: str, expected: str) -> None:
    """Given a From of any form, then one address stands there, the alias, behind the sender."""
    message = message_from_bytes(
        rewrite(f"From: {original}\r\n\r\n".encode(), FORWARDING).to_bytes(), policy=default
    )
    (address,) = message["From"].addresses
    assert (address.addr_spec, address.display_name) == (ALIAS, expected)


def test_a_mail_from_nobody() -> None:
    """Given neither From nor envelope sender, then From says so, and nobody is answered to."""
    rewritten = rewrite(b"Subject: x\r\n\r\n", NOBODY)
    assert header("From", rewritten) == ["unknown sender <box@house.example>"]
    assert header("Reply-To", rewritten) == []
    assert rewritten.notes == (
        "no From in the mail: named by its envelope sender",
        "no Reply-To: the mail names nobody to answer to",
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            "From: a@x.org\nReply-To: B  <b@x.org>,\n c@x.org",
            b"Reply-To: B  <b@x.org>,\r\n c@x.org",
        ),
        ("From: A  <a@x.org>", b"Reply-To: A  <a@x.org>"),
        ("From: a@x.org,\n b@x.org", b"Reply-To: a@x.org,\r\n b@x.org"),
        ("From: a@x.org b@x.org", b"Reply-To: a@x.org,\r\n b@x.org"),
        ("From: a@x.org\nReply-To: b@x.org c@x.org", b"Reply-To: b@x.org,\r\n c@x.org"),
        ('From: a@x.org\nReply-To: "KLAUS" <>', b"Reply-To: a@x.org"),
        ("From: a@x.org\nReply-To:", b"Reply-To: a@x.org"),
        ("From: Jöhn <j@x.org>", b"Reply-To: =?utf-8?b?SsO2aG4=?= <j@x.org>"),
        ("From: jöhn@x.org", b"Reply-To: bounce@sender.example"),
        ("From: Jane", b"Reply-To: bounce@sender.example"),
        ("Subject: x", b"Reply-To: bounce@sender.example"),
    ],
)
def test_answers_go_to_who_wrote_the_mail(fields: str, expected: bytes) -> None:
    """Given Reply-To, then it stays; else From's mailboxes; else the envelope sender."""
    rewritten = rewrite(mail(fields + "\n\n"), FORWARDING)
    assert rewritten.header.count(b"Reply-To:") == 1
    assert expected + b"\r\n" in rewritten.header


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("Message-ID: <1@x>", ["<1@x>"]),
        ("Message-ID: <2@x>\nReferences: <1@x>", ["<1@x> <2@x>"]),
        ("Message-ID: <2@x>\nReferences: <1@x> <2@x>", ["<1@x> <2@x>"]),
        ("Message-ID: <2@x>\nIn-Reply-To: <1@x>", ["<1@x> <2@x>"]),
        ("Message-ID: <3@x>\nIn-Reply-To: <1@x> <2@x>", ["<3@x>"]),
        ("Message-ID: <3 @x>\nReferences: <1@x>", ["<1@x>"]),
        ("References: <1@x>", ["<1@x>"]),
        ("Subject: x", []),
    ],
)
def test_threads_hold_together(fields: str, expected: list[str]) -> None:
    """Given a Message-ID, then References end with it, since SES replaces it."""
    assert header("References", rewrite(mail(fields + "\n\n"), FORWARDING)) == expected


def test_the_first_passage_names_the_original() -> None:
    """Given a mail that was forwarded before, then its oldest id and date stay on record."""
    rewritten = rewrite(
        mail("""\
            Message-ID: <ses@x>
            X-Original-Message-ID: <1@x>
            Date: Fri, 21 Nov 2025 09:55:05 +0000
            X-Original-Date: Thu, 20 Nov 2025 09:55:05 +0000

            """),
        FORWARDING,
    )
    assert header("X-Original-Message-ID", rewritten) == ["<1@x>"]
    assert header("X-Original-Date", rewritten) == ["Thu, 20 Nov 2025 09:55:05 +0000"]


def test_duplicates_of_once_only_fields_go() -> None:
    """Given fields that SES takes once only, then the first stays and a note is made."""
    rewritten = rewrite(
        mail("""\
            From: a@x.org
            from: b@x.org
            Cc:
            CC: c@x.org
            Subject: one
            SUBJECT: two
            Content-Type: multipart/mixed; boundary=a
            Content-type: text/plain
            X-Any: 1
            X-Any: 2

            """),
        FORWARDING,
    )
    assert header("Subject", rewritten) == ["one"]
    assert header("Cc", rewritten) == ["c@x.org"]
    assert header("Content-Type", rewritten) == ['multipart/mixed; boundary="a"']
    assert header("X-Any", rewritten) == ["1", "2"]
    assert rewritten.notes == (
        "dropped a second From: it may stand once, and the first is kept",
        "dropped an empty Cc",
        "dropped a second Subject: it may stand once, and the first is kept",
        "dropped a second Content-Type: it may stand once, and the first is kept",
    )


def test_fields_that_lie_or_steer_go_with_their_folded_lines() -> None:
    """Given signatures, hidden recipients and SES's own fields, then nothing is left of them."""
    rewritten = rewrite(
        mail("""\
            Sender: s@x.org
            Bcc: hidden@x.org,
             more@x.org
            ARC-Seal: i=1;
            \tcv=none
            X-SES-CONFIGURATION-SET: stolen
            Delivered-To: d@x.org
            Delivered-To: e@x.org
            Auto-Submitted: auto-replied
            List-Id: <l.x.org>

            """),
        FORWARDING,
    )
    assert rewritten.header == mail("""\
        X-Mailtumble-Hop: box@house.example;
         mail=mail-1
        Auto-Submitted: auto-replied
        List-Id: <l.x.org>
        From: "bounce at sender.example" <box@house.example>
        Reply-To: bounce@sender.example

        """)
    assert "dropped Delivered-To (2 times)" in rewritten.notes


def test_a_mail_that_was_here_before_is_a_loop() -> None:
    """Given a hop field with this alias, in whatever case, then the mail isn't forwarded."""
    once = rewrite(b"From: a@x.org\r\n\r\n", FORWARDING).to_bytes()
    again = Forwarding(alias="Box@House.Example", envelope_sender="", mail_id="mail-2")
    with pytest.raises(Unforwardable, match="loop") as refusal:
        rewrite(once, again)
    assert refusal.value.reason == "loop: this alias has forwarded this mail before"


def test_a_mail_may_pass_several_aliases_but_not_many() -> None:
    """Given five passages, then the sixth is refused."""
    raw = b"From: a@x.org\r\n\r\nbody"
    for passage in range(5):
        alias = f"box{passage}@house.example"
        raw = rewrite(raw, Forwarding(alias, "", f"mail-{passage}")).to_bytes()
    assert raw.count(b"X-Mailtumble-Hop: ") == 5
    with pytest.raises(Unforwardable, match="hop limit"):
        rewrite(raw, FORWARDING)


def test_a_mail_with_a_hundred_received_fields_is_a_loop() -> None:
    """Given as many Received fields as RFC 5321 section 6.3 names, then the mail is refused."""
    assert rewrite(b"Received: a\r\n" * 99 + b"\r\n", FORWARDING).header.count(b"Received:") == 99
    with pytest.raises(Unforwardable, match="100 Received"):
        rewrite(b"Received: a\r\n" * 100 + b"\r\n", FORWARDING)


@pytest.mark.parametrize("alias", ["jöhn@house.example", "no address", "", "a@b\r\nBcc: c@d"])
def test_an_alias_that_cannot_stand_in_from(alias: str) -> None:
    """Given an alias that no header can hold, then the mail is refused, not mangled."""
    with pytest.raises(Unforwardable, match="alias"):
        rewrite(b"From: a@x.org\r\n\r\n", Forwarding(alias, "", "mail-1"))


def test_the_mail_id_cannot_break_out_of_the_hop_field() -> None:
    """Given a mail id with line ends, then they are replaced."""
    rewritten = rewrite(b"\r\n", Forwarding(ALIAS, "", "x\r\nBcc: y;ö" + "z" * 500))
    assert rewritten.header.startswith(
        b"X-Mailtumble-Hop: box@house.example;\r\n mail=x__Bcc:_y__" + b"z" * (200 - 11) + b"\r\n"
    )


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"", b""),
        (b"\r\n", b""),
        (b"\r\nbody", b"body"),
        (b"just text", b"just text"),
        (b"Dear Jane,\n\nbye\n", b"Dear Jane,\n\nbye\n"),
        (b"From: a@x.org", b""),
        (b"From: a@x.org\r\nHello\r\nJane", b"Hello\r\nJane"),
        (b"From a@x.org Mon May  2\r\nFrom: a@x.org\r\n\r\nbody", b"body"),
        (b"From: a@x.org\rTo: b@x.org\r\rbo\rdy", b"bo\rdy"),
        (b"From: a@x.org\n\n\x00\xff\xfe\r\r\n.\nlast", b"\x00\xff\xfe\r\r\n.\nlast"),
    ],
)
def test_broken_mails_become_readable_ones(raw: bytes, body: bytes) -> None:
    """Given a mail without header, separator or sound line ends, then a sound one goes out."""
    rewritten = rewrite(raw, FORWARDING)
    assert bytes(rewritten.body) == body
    assert rewritten.header.endswith((b"\r\n\r\n", b"\n\n"))
    message = message_from_bytes(rewritten.to_bytes(), policy=default)
    assert message["From"].addresses[0].addr_spec == ALIAS
    assert message.defects == []


def test_the_body_is_neither_copied_nor_changed() -> None:
    """Given ten megabytes, then the body is a view of the very bytes that came."""
    raw = b"From: a@x.org\r\n\r\n" + bytes(range(256)) * 40_000
    rewritten = rewrite(raw, FORWARDING)
    assert rewritten.body.obj is raw
    assert rewritten.to_bytes().endswith(bytes(range(256)) * 40_000)


@given(
    st.one_of(
        st.binary(max_size=400),
        st.lists(
            st.sampled_from(
                (
                    *(
                        b"\r",
                        b"\n",
                        b"\r\n",
                        b"\r\r\n",
                        b" ",
                        b"\t",
                        b":",
                        b",",
                        b"<",
                        b">",
                        b"\x00",
                    ),
                    *(
                        b"From",
                        b"From: ",
                        b"Reply-To: ",
                        b"References: ",
                        b"Message-ID: <1@x>",
                        b"\xff",
                    ),
                    *(b"X: y", b"a@x.org", b"=?utf-8?q?=40=0A?=", b'"', b"(", b"DKIM-Signature: a"),
                )
            ),
            max_size=40,
        ).map(b"".join),
    )
)
def test_any_bytes_become_a_mail_from_the_alias(raw: bytes) -> None:
    """Given any bytes at all, then a mail with one From, the alias, goes out."""
    rewritten = rewrite(raw, FORWARDING)
    assert raw.endswith(bytes(rewritten.body))
    assert rewritten.header.count(b"\r") == rewritten.header.count(b"\r\n")
    message = message_from_bytes(rewritten.to_bytes(), policy=default)
    (address,) = [one for field in message.get_all("From", []) for one in field.addresses]
    assert address.addr_spec == ALIAS
    assert len(message.get_all("Reply-To", [])) == 1
    assert "DKIM-Signature" not in message


@given(st.text(max_size=80), st.text(max_size=40))
def test_any_names_give_one_parseable_from(name: str, envelope_sender: str) -> None:
    """Given any text for a name and for the envelope sender, then From has one address."""
    rewritten = rewrite(
        b"From: " + name.encode() + b" <jane@example.com>\n\n",
        Forwarding(ALIAS, envelope_sender, "mail-1"),
    )
    message = message_from_bytes(rewritten.to_bytes(), policy=default)
    (address,) = message["From"].addresses
    assert address.addr_spec == ALIAS
    assert "@" not in address.display_name
