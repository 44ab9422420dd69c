"""What SES checks of a ``SendEmail`` call before it looks at quotas. Pure.

The limits are those of the SES developer guide: "Service quotas" and "Amazon
SES header fields". The messages are SES's own where they are known.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailtumble.local.ses.account import ApiError
from mailtumble.local.ses.headers import (
    HeaderField,
    decoded,
    first_value,
    header_block,
    mailboxes,
    parse_addresses,
    parse_fields,
)

RECIPIENTS_MAX = 50
RAW_BASE64_BYTES_MAX = 40 * 1024 * 1024
"""40 MB, measured after the encoding in base64."""
LINE_CHARS_MAX = 998
"""RFC 5322, section 2.1.1: without CRLF."""

_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
_CONFIGURATION_SET = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNSAFE = re.compile(r"[\x00-\x20\x7f<>]")

# To, Cc and Bcc are missing from Amazon's list, but RFC 5322, section 3.6, has
# them once at most, and SES refuses a second one.
ONCE_ONLY_HEADERS = frozenset(
    name.lower()
    for name in [
        "To",
        "Cc",
        "Bcc",
        "Accept-Language",
        "acceptLanguage",
        "Archived-At",
        "Auto-Submitted",
        "Bounces-to",
        "Comments",
        "Content-Alternative",
        "Content-Base",
        "Content-Class",
        "Content-Description",
        "Content-Disposition",
        "Content-Duration",
        "Content-ID",
        "Content-Language",
        "Content-Length",
        "Content-Location",
        "Content-MD5",
        "Content-Transfer-Encoding",
        "Content-Type",
        "Date",
        "Delivered-To",
        "Disposition-Notification-Options",
        "Disposition-Notification-To",
        "DKIM-Signature",
        "DomainKey-Signature",
        "Errors-To",
        "From",
        "Importance",
        "In-Reply-To",
        "Keywords",
        "List-Archive",
        "List-Help",
        "List-Id",
        "List-Owner",
        "List-Post",
        "List-Subscribe",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
        "Message-Context",
        "Message-ID",
        "MIME-Version",
        "Organization",
        "Original-From",
        "Original-Message-ID",
        "Original-Recipient",
        "Original-Subject",
        "Precedence",
        "Priority",
        "References",
        "Reply-To",
        "Return-Path",
        "Return-Receipt-To",
        "Sender",
        "Solicitation",
        "Sensitivity",
        "Subject",
        "Thread-Index",
        "Thread-Topic",
        "User-Agent",
        "VBR-Info",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRequest:
    """A call that SES would take: the mail, who it's from and for, and its labels."""

    raw: bytes
    source: str
    recipients: tuple[str, ...]
    subject: str
    tags: tuple[tuple[str, str], ...]
    configuration_set: str | None


def parse_send_request(body: bytes, *, strict_lines: bool = False) -> SendRequest:
    """Read the JSON body of a ``SendEmail`` call.

    ``strict_lines`` refuses lines above 998 characters, as SES does. Raises
    ApiError.
    """
    call = _json_object(body)
    raw = _raw_message(call)
    fields = parse_fields(raw)
    _check_headers(raw, fields)
    if strict_lines:
        _check_lines(raw)
    return SendRequest(
        raw=raw,
        source=_source(call, fields),
        recipients=_recipients(call, fields),
        subject=decoded(first_value(fields, "Subject") or ""),
        tags=_tags(call),
        configuration_set=_configuration_set(call),
    )


def address_of(mailbox: str) -> str:
    """Return the bare address of ``Name <address>``."""
    return next((address for _, address in parse_addresses([mailbox])), mailbox)


def _json_object(body: bytes) -> Mapping[str, Any]:
    try:
        call = json.loads(body)
    except ValueError:
        call = None
    if not isinstance(call, dict):
        code = "SerializationException"
        raise ApiError(code, "The body of the request is no JSON object.")
    return call


def _raw_message(call: Mapping[str, Any]) -> bytes:
    raw = _object(_object(call, "Content"), "Raw")
    data = raw.get("Data")
    if not isinstance(data, str) or not data:
        raise _bad("Content.Raw.Data is required; other kinds of content are not supported here.")
    if len(data) > RAW_BASE64_BYTES_MAX:
        raise _bad(f"Message length is more than {RAW_BASE64_BYTES_MAX} bytes long.")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise _bad("Content.Raw.Data is not valid base64.") from None


def _check_headers(raw: bytes, fields: Sequence[HeaderField]) -> None:
    if not fields:
        raise _bad("The message has no header.")
    if b"\0" in header_block(raw):
        raise _bad("The header holds a null character.")
    seen: set[str] = set()
    for field in fields:
        name = field.name.lower()
        if name in seen and name in ONCE_ONLY_HEADERS:
            raise _bad(f"Duplicate header '{field.name}'.")
        seen.add(name)


def _check_lines(raw: bytes) -> None:
    if any(len(line.rstrip(b"\r")) > LINE_CHARS_MAX for line in raw.split(b"\n")):
        raise _bad(f"A line of the message is longer than {LINE_CHARS_MAX} characters.")


def _recipients(call: Mapping[str, Any], fields: Sequence[HeaderField]) -> tuple[str, ...]:
    """Take the recipients of the Destination, or else those of the header."""
    destination = _object(call, "Destination")
    given: list[str] = []
    for name in ("ToAddresses", "CcAddresses", "BccAddresses"):
        given.extend(_strings(destination, name))
    found = [_one_address(mailbox) for mailbox in given]
    if not found:
        found = [address for _, address in mailboxes(fields, "To", "Cc", "Bcc")]
    if not found:
        raise _bad("The message has no recipients.")
    if len(found) > RECIPIENTS_MAX:
        raise _bad(f"Recipient count exceeds {RECIPIENTS_MAX}.")
    for address in found:
        _check_address(address)
    return tuple(found)


def _one_address(mailbox: str) -> str:
    if not mailbox.isascii():
        raise _bad(f"Address contains non-ASCII characters: {mailbox!r}.")
    addresses = parse_addresses([mailbox])
    if len(addresses) != 1:
        raise _bad(f"Illegal address: {mailbox!r}.")
    return addresses[0][1]


def _source(call: Mapping[str, Any], fields: Sequence[HeaderField]) -> str:
    """Take the sender that the call names, or else the From field with all its mailboxes."""
    given = _text(call, "FromEmailAddress")
    source = given or first_value(fields, "From")
    if not source:
        raise _bad("Missing required header 'From'.")
    addresses = [_one_address(source)] if given else [a for _, a in parse_addresses([source])]
    if not addresses:
        raise _bad(f"Illegal address: {source!r}.")
    for address in addresses:
        _check_address(address)
    return source


def _check_address(address: str) -> None:
    local_part, _, domain = address.rpartition("@")
    if not address.isascii():
        raise _bad(f"Address contains non-ASCII characters: {address!r}.")
    if not local_part or not domain:
        raise _bad(f"Missing final '@domain': {address!r}.")
    quoted = local_part.startswith('"') and local_part.endswith('"')
    if _UNSAFE.search(domain) or (not quoted and _UNSAFE.search(local_part)):
        raise _bad(f"Address contains control or whitespace: {address!r}.")


def _tags(call: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    tags = call.get("EmailTags")
    if tags is None:
        return ()
    if not isinstance(tags, list):
        raise _bad("EmailTags must be a list.")
    return tuple(_tag(tag) for tag in tags)


def _tag(tag: object) -> tuple[str, str]:
    if not isinstance(tag, dict):
        raise _bad("A tag must be an object of Name and Value.")
    pair = (tag.get("Name"), tag.get("Value"))
    for kind, text in zip(("name", "value"), pair, strict=True):
        if not isinstance(text, str) or not _TAG.fullmatch(text):
            message = (
                f"Invalid tag {kind} {text!r}: 1 to 256 alphanumeric ASCII characters,"
                " '_' and '-' are allowed."
            )
            raise _bad(message)
    return str(pair[0]), str(pair[1])


def _configuration_set(call: Mapping[str, Any]) -> str | None:
    name = _text(call, "ConfigurationSetName")
    if name is not None and not _CONFIGURATION_SET.fullmatch(name):
        raise _bad(f"Invalid configuration set name {name!r}.")
    return name


def _object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _bad(f"{name} must be an object.")
    return value


def _strings(parent: Mapping[str, Any], name: str) -> list[str]:
    values = parent.get(name)
    if values is None:
        return []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise _bad(f"{name} must be a list of addresses.")
    return values


def _text(parent: Mapping[str, Any], name: str) -> str | None:
    value = parent.get(name)
    if value is not None and not isinstance(value, str):
        raise _bad(f"{name} must be a string.")
    return value


def _bad(message: str) -> ApiError:
    return ApiError("BadRequestException", message)
