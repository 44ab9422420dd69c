"""Every real and every deliberately broken mail of the corpus is forwarded soundly."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import compat32, default
from email.utils import getaddresses
from pathlib import Path

import pytest

from processors.forwarding import Forwarding, RewrittenMail, rewrite
from processors.forwarding.rules import Treatment, treatment_of

MAILS = Path(__file__).parents[3] / "fixtures" / "mail"
FILES = sorted(MAILS.rglob("*.eml"))
ALIAS = "box@house.example"
FORWARDING = Forwarding(alias=ALIAS, envelope_sender="bounce@sender.example", mail_id="mail-1")

# What isn't read out of them by the plain methods below, with the reason.
WITHOUT_READABLE_REPLY_TO = {
    "encoding_madness.eml": "no-reply@crm.el-example.org",  # Reply-To has no address, From has
    "raw_email_multiple_from.eml": "tim@powerupdev.com",  # no comma between the addresses
    "mix_caps_content_type.eml": "bb@bug.com",  # no brackets around the address
    "utf8_headers.eml": "bounce@sender.example",  # a local part that needs SMTPUTF8
    "bad_encoded_subject.eml": "bounce@sender.example",  # no From
    "example13.eml": "jdoe@machine.example",  # white space and comments in the address
    "raw_email_incorrect_header.eml": "xxx@xxx.xxx",  # Python stops at the line that is no field
    "example10.eml": "pete@silly.test",  # comments in the address
}


@pytest.fixture(params=FILES, ids=lambda path: path.name)
def path(request: pytest.FixtureRequest) -> Path:
    """One mail of the corpus after the other."""
    chosen: Path = request.param
    return chosen


@pytest.fixture
def raw(path: Path) -> bytes:
    """Its bytes."""
    return path.read_bytes()


@pytest.fixture
def rewritten(raw: bytes) -> RewrittenMail:
    """The mail as it goes out."""
    return rewrite(raw, FORWARDING)


def test_the_corpus_is_there() -> None:
    """These tests mean something only with mails to read."""
    assert len(FILES) >= 100


def test_the_body_is_identical(raw: bytes, rewritten: RewrittenMail) -> None:
    """What stands behind the first empty line goes out octet for octet."""
    separators = [sep for sep in (b"\r\n\r\n", b"\n\n") if sep in raw]
    first = min(separators, key=raw.index)
    assert bytes(rewritten.body) == raw.partition(first)[2]
    assert rewritten.to_bytes() == rewritten.header + bytes(rewritten.body)


def test_from_is_the_alias(rewritten: RewrittenMail) -> None:
    """Exactly one From with exactly one address, for the old and the new parser of Python."""
    message = message_from_bytes(rewritten.to_bytes(), policy=default)
    (field,) = message.get_all("From", [])
    assert [address.addr_spec for address in field.addresses] == [ALIAS]
    old = message_from_bytes(rewritten.to_bytes(), policy=compat32)
    ((name, address),) = getaddresses(old.get_all("From", []))
    assert address == ALIAS
    assert "@" not in name


def test_answers_go_to_the_sender(path: Path, raw: bytes, rewritten: RewrittenMail) -> None:
    """Reply-To has the addresses of the original one, or those of the original From."""
    original = message_from_bytes(raw, policy=default)
    source = original.get_all("Reply-To") or original.get_all("From", [])
    expected = [
        address.addr_spec.replace(" ", "") for field in source[:1] for address in field.addresses
    ]
    (reply_to,) = message_from_bytes(rewritten.to_bytes(), policy=default).get_all("Reply-To", [])
    found = [address.addr_spec for address in reply_to.addresses]
    if path.name in WITHOUT_READABLE_REPLY_TO:
        assert found[0] == WITHOUT_READABLE_REPLY_TO[path.name]
    else:
        assert found == expected


def test_no_field_is_left_that_should_go(rewritten: RewrittenMail) -> None:
    """Nothing that the rules drop is left, nor a second of what may stand once."""
    seen: set[bytes] = set()
    for name in message_from_bytes(rewritten.to_bytes()).keys():  # noqa: SIM118 - with duplicates
        key = name.lower().encode()
        treatment, _ = treatment_of(key)
        assert treatment is not Treatment.DROP
        assert treatment is Treatment.KEEP or key not in seen
        seen.add(key)


def test_no_field_is_lost_that_should_stay(raw: bytes, rewritten: RewrittenMail) -> None:
    """Fields without a rule go out as they came, in their order."""

    def ordinary(octets: bytes) -> list[tuple[str, str]]:
        return [
            (name, str(value))
            for name, value in message_from_bytes(octets).items()
            if treatment_of(name.lower().encode("ascii", "replace"))[0] is Treatment.KEEP
            and name != "X-Mailtumble-Hop"
        ]

    lines_folded = any("folded a line that is no" in note for note in rewritten.notes)
    gaps_removed = any("white space before the colon" in note for note in rewritten.notes)
    if not lines_folded and not gaps_removed:
        assert ordinary(rewritten.to_bytes()) == ordinary(raw)
    else:
        assert len(ordinary(rewritten.to_bytes())) >= len(ordinary(raw))


def test_receivers_read_the_header_to_its_end(rewritten: RewrittenMail) -> None:
    """No line in the header makes a receiver take the rest for the body, and none is too long."""
    message = message_from_bytes(rewritten.header, policy=default)
    assert message.get_payload() == ""
    assert max(map(len, rewritten.header.splitlines())) <= 998


def test_line_ends_stay_those_of_the_mail(raw: bytes, rewritten: RewrittenMail) -> None:
    """A header keeps its line ends, also through a second passage."""
    again = rewrite(
        rewritten.to_bytes(), Forwarding("other@house.example", "x@y.example", "mail-2")
    )
    first_line_end = b"\r\n" if raw.partition(b"\n")[0].endswith(b"\r") else b"\n"
    for mail in (rewritten, again):
        assert mail.header.count(b"\r\n") in {0, mail.header.count(b"\n")}
        assert mail.header.endswith(first_line_end * 2)
    assert bytes(again.body) == bytes(rewritten.body)
