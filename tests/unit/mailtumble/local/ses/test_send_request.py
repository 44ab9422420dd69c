"""What SES checks of a SendEmail call."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from mailtumble.local.ses.account import ApiError
from mailtumble.local.ses.send_request import (
    ONCE_ONLY_HEADERS,
    RAW_BASE64_BYTES_MAX,
    address_of,
    parse_send_request,
)

RAW = b"From: Jo <jo@x.example>\r\nTo: a@y.example\r\nCc: b@y.example\r\nSubject: hi\r\n\r\nx\r\n"


def _call(raw: bytes = RAW, **parameters: object) -> bytes:
    data = base64.b64encode(raw).decode()
    return json.dumps({"Content": {"Raw": {"Data": data}}, **parameters}).encode()


def _refusal(body: bytes, *, strict_lines: bool = False) -> ApiError:
    with pytest.raises(ApiError) as refusal:
        parse_send_request(body, strict_lines=strict_lines)
    return refusal.value


def test_call_with_everything_is_taken_as_given() -> None:
    """The Destination alone says who gets the mail; tags keep their order."""
    request = parse_send_request(
        _call(
            FromEmailAddress="Me <me@x.example>",
            Destination={
                "ToAddresses": ["T <t@y.example>"],
                "CcAddresses": ["c@y.example"],
                "BccAddresses": ["b+label@y.example"],
            },
            EmailTags=[{"Name": "attempt", "Value": "a-1"}, {"Name": "mail", "Value": "m_2"}],
            ConfigurationSetName="events",
        )
    )
    assert request.raw == RAW
    assert request.source == "Me <me@x.example>"
    assert request.recipients == ("t@y.example", "c@y.example", "b+label@y.example")
    assert request.subject == "hi"
    assert request.tags == (("attempt", "a-1"), ("mail", "m_2"))
    assert request.configuration_set == "events"


def test_call_without_destination_goes_to_the_headers_addresses() -> None:
    """Sender and recipients are those of the header when the call names none."""
    request = parse_send_request(_call())
    assert request.source == "Jo <jo@x.example>"
    assert request.recipients == ("a@y.example", "b@y.example")
    assert request.tags == ()
    assert request.configuration_set is None


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"Content": {}}, "Content.Raw.Data is required"),
        ({"Content": {"Simple": {}}}, "Content.Raw.Data is required"),
        ({"Content": []}, "Content must be an object"),
        ({"Content": {"Raw": {"Data": "?"}}}, "base64"),
        ({"Content": {"Raw": {"Data": "ä"}}}, "base64"),
        ({"Destination": {"ToAddresses": [f"r{n}@y" for n in range(51)]}}, "exceeds 50"),
        ({"Destination": {"ToAddresses": "a@y"}}, "list of addresses"),
        ({"Destination": {"ToAddresses": ["nobody"]}}, "Missing final '@domain'"),
        ({"Destination": {"ToAddresses": ["a@y, b@y"]}}, "Illegal address"),
        ({"Destination": {"ToAddresses": ["jö@y.example"]}}, "non-ASCII"),
        ({"Destination": {"ToAddresses": ["a@ÿ.example"]}}, "non-ASCII"),
        ({"Destination": {"ToAddresses": [""]}}, "Illegal address"),
        ({"FromEmailAddress": "jö@x.example"}, "non-ASCII"),
        ({"FromEmailAddress": 5}, "must be a string"),
        ({"EmailTags": [{"Name": "a b", "Value": "c"}]}, "Invalid tag name 'a b'"),
        ({"EmailTags": [{"Name": "a", "Value": "b@c.example"}]}, "Invalid tag value"),
        ({"EmailTags": [{"Name": "a" * 257, "Value": "b"}]}, "Invalid tag name"),
        ({"EmailTags": [{"Name": "a", "Value": ""}]}, "Invalid tag value"),
        ({"EmailTags": [{"Name": "a"}]}, "Invalid tag value"),
        ({"EmailTags": ["a"]}, "A tag must be"),
        ({"EmailTags": "a"}, "must be a list"),
        ({"ConfigurationSetName": "not a name"}, "configuration set"),
    ],
)
def test_bad_parameters_are_bad_requests(parameters: dict[str, Any], message: str) -> None:
    """Each rule has a refusal of its own, with status 400."""
    refusal = _refusal(_call(**parameters))
    assert (refusal.code, refusal.status) == ("BadRequestException", 400)
    assert message in refusal.message


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"no header", "no header"),
        (b"To: a@y\r\n\r\n", "Missing required header 'From'."),
        (b"From: nobody in particular <>\r\nTo: a@y\r\n\r\n", "Illegal address"),
        (b"From: a@x\r\n\r\n", "no recipients"),
        (b"From: a@x\r\nTo: a@y\r\nTO: b@y\r\n\r\n", "Duplicate header 'TO'."),
        (b"From: a@x\r\nTo: a@y\r\nX: \0\r\n\r\n", "null"),
        (b"From: a@x\r\nTo: j\xc3\xb6@y\r\n\r\n", "non-ASCII"),
    ],
)
def test_bad_mails_are_bad_requests(raw: bytes, message: str) -> None:
    """What is wrong with the mail itself is told as SES tells it."""
    refusal = _refusal(_call(raw))
    assert (refusal.code, refusal.status) == ("BadRequestException", 400)
    assert message in refusal.message


@pytest.mark.parametrize("name", ["References", "dkim-signature", "LIST-ID", "Message-Id"])
def test_once_only_headers_stand_once_in_any_case(name: str) -> None:
    """A second field of such a name is refused, whatever its case."""
    raw = f"{name.swapcase()}: 1\r\n{name}: 2\r\n".encode() + RAW
    assert _refusal(_call(raw)).message == f"Duplicate header '{name}'."
    assert name.lower() in ONCE_ONLY_HEADERS


def test_trace_fields_may_repeat() -> None:
    """Received and unknown fields may stand as often as they like."""
    assert parse_send_request(_call(b"Received: a\r\nReceived: b\r\nX-A: 1\r\nX-A: 2\r\n" + RAW))


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_bodies_that_are_no_json_objects_are_refused(body: bytes) -> None:
    """The serialisation is at fault, not a parameter."""
    assert _refusal(body).code == "SerializationException"


def test_mail_above_40_mb_of_base64_is_refused() -> None:
    """The limit is measured after the encoding."""
    data = "A" * (RAW_BASE64_BYTES_MAX + 4)
    refusal = _refusal(json.dumps({"Content": {"Raw": {"Data": data}}}).encode())
    assert str(RAW_BASE64_BYTES_MAX) in refusal.message


def test_long_lines_are_refused_only_when_asked_for() -> None:
    """998 characters and CRLF always pass; one more passes unless lines are strict."""
    fits, too_long = RAW + b"x" * 998 + b"\r\n", RAW + b"x" * 999 + b"\r\n"
    assert parse_send_request(_call(fits), strict_lines=True).raw == fits
    assert parse_send_request(_call(too_long)).raw == too_long
    assert "998" in _refusal(_call(too_long), strict_lines=True).message


def test_address_of_a_mailbox() -> None:
    """The bare address is found, or the text given back."""
    assert address_of("Jo <jo@x.example>") == "jo@x.example"
    assert address_of("") == ""
