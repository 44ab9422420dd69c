"""Mails that lie in S3, and of which the stream knows nothing: SES's notification never came.

What intake would have learned from the notification is read from the mail itself, by the fields
that SES puts on top of what it received: Return-Path, Received, its verdicts. Ids follow from
SES's message id, which is the last part of the object's key; so a notification that comes after
all is recognised.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mailtumble.address_fields import addresses_in
from mailtumble.intake.notification import Arrival
from mailtumble.ports.stream import EventStream
from mailtumble.ports.world import AliasRepository, AliasUnreadable, ObjectStore, StoredObject
from mailtumble.worker.headers import HEADER_BYTES_MAX, unfolded
from mailtumble.worker.records import outgoing
from processors.forwarding.header_block import read_header
from processors.routing.names import names_to_try
from schemas.ids import mail_id
from schemas.values import MINUTE_US, Verdicts

YOUNG_US: Final = 5 * MINUTE_US
"""A younger object's notification may well be on its way."""

SETUP: Final = "AMAZON_SES_SETUP_NOTIFICATION"
"""No mail: SES puts this object there when a receipt rule is made (SES developer guide)."""

_FOR: Final = re.compile(r"\sfor\s+<?([^\s<>;]+@[^\s<>;]+)>?\s*(?:;|$)")
"""RFC 5321, section 4.4: ``Received: from ... by ... with ... id ... for <address>; date``."""

_METHODS: Final = ("spf", "dkim", "dmarc")
_RESULTS: Final = {"pass": "PASS", "fail": "FAIL"}
_WANTED: Final = frozenset(
    {
        *("return-path", "received", "subject", "to", "cc", "x-original-to", "delivered-to"),
        *("x-ses-spam-verdict", "x-ses-virus-verdict", "authentication-results"),
    }
)
AUTHENTICATED_BY: Final = "amazonses.com"

Fields = Sequence[tuple[str, str]]
"""Names in lower case, and unfolded values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unannounced:
    """A mail of which the stream knows nothing.

    ``mails``: the ids under which it was taken in; none where it was not. ``problem``: why not,
    and what to do; "" where nobody tried.
    """

    stored: StoredObject
    recipients: tuple[str, ...] = ()
    mails: tuple[str, ...] = ()
    problem: str = ""


def unannounced(
    objects: ObjectStore,
    bucket: str,
    prefix: str,
    announced: Collection[tuple[str, str]],
    now: int,
) -> Iterator[StoredObject]:
    """The mails in the bucket that are not among the announced ones (bucket and key)."""
    for each in objects.listed(bucket, prefix):
        is_mail = not each.key.endswith(("/", SETUP))
        if is_mail and each.modified_at <= now - YOUNG_US and (bucket, each.key) not in announced:
            yield each


class Redrive:
    """Takes such mails in, as intake would have done."""

    def __init__(
        self, objects: ObjectStore, bucket: str, aliases: AliasRepository, stream: EventStream
    ) -> None:
        """Read from ``bucket``, append to ``stream``."""
        self._objects = objects
        self._bucket = bucket
        self._aliases = aliases
        self._stream = stream

    def take_in(self, found: StoredObject, now: int) -> Unannounced:
        """Append what intake would have appended.

        Raises:
            RetryableError: S3, the alias repository or the stream does not answer.
        """
        raw = self._objects.head(self._bucket, found.key, HEADER_BYTES_MAX)
        fields = _fields(raw)
        ses_id = found.key.rpartition("/")[2]
        recipients = self._recipients(fields, ses_id)
        if not recipients:
            return Unannounced(stored=found, problem=self._advice(found))
        arrival = Arrival(
            ses_message_id=ses_id,
            envelope_sender=_first(fields, "return-path").strip("<> "),
            recipients=recipients,
            # An encoded word may hold half a character, which no UTF-8 can.
            subject_line=_first(fields, "subject").encode("utf-8", "replace").decode("utf-8"),
            received_at=found.modified_at,
            bucket=self._bucket,
            object_key=found.key,
            verdicts=verdicts(fields),
        )
        facts = arrival.facts(found.size_bytes, "")
        self._stream.append([outgoing(fact, now) for fact in facts])
        mails = tuple(mail_id(ses_id, each) for each in recipients)
        return Unannounced(stored=found, recipients=recipients, mails=mails)

    def _recipients(self, fields: Fields, ses_id: str) -> tuple[str, ...]:
        """Whom it was for: by SES's own field, else by others', as far as they name aliases."""
        received = _first(fields, "received")
        trace = _FOR.search(received)
        for_whom = [trace[1]] if trace else []
        if for_whom and ses_id in received.split():
            return tuple(for_whom)
        last_hop = [*_all(fields, "x-original-to"), *_all(fields, "delivered-to")]
        written = [*_all(fields, "to"), *_all(fields, "cc")]
        for told in (for_whom, last_hop, written):
            known = self._known(_addresses(told))
            if known:
                return known
        return ()

    def _known(self, addresses: Sequence[str]) -> tuple[str, ...]:
        """Those that an alias takes, each once."""
        distinct = {each.lower(): each for each in reversed(addresses)}
        names = {name for each in distinct for name in names_to_try(each)}
        there = self._existing(sorted(names)) if names else frozenset()
        return tuple(
            each
            for key, each in reversed(distinct.items())
            if any(name in there for name in names_to_try(key))
        )

    def _existing(self, names: Sequence[str]) -> Collection[str]:
        try:
            return self._aliases.find(names).keys()
        except AliasUnreadable as error:
            # A broken entry is one: the mail will wait for it to be mended.
            return {*error.readable, *error.problems}

    def _advice(self, found: StoredObject) -> str:
        return (
            "its header names no recipient that is an alias: add the alias and redrive it again; "
            f"or fetch the mail (aws s3 cp s3://{self._bucket}/{found.key} mail.eml) and send it "
            "to its recipient anew (locally: mailtumble local inject mail.eml --from ... --to ...)"
        )


def verdicts(fields: Fields) -> Verdicts:
    """What SES's scanners said, as far as SES has written it into the mail; "" where it has not.

    A stranger's field of such a name stands below SES's own.
    """
    authentication = _first(fields, "authentication-results")
    results = dict.fromkeys(_METHODS, "")
    if authentication.partition(";")[0].split()[:1] == [AUTHENTICATED_BY]:
        for method, result in re.findall(r"\b(spf|dkim|dmarc)=([a-z]+)", authentication.lower()):
            results[method] = results[method] or _RESULTS.get(result, "GRAY")
    return Verdicts(
        spam=_first(fields, "x-ses-spam-verdict"),
        virus=_first(fields, "x-ses-virus-verdict"),
        **results,
    )


def _fields(raw: bytes) -> Fields:
    found = [
        (name.lower().decode("ascii"), field[len(name) :])
        for field, name in read_header(raw).fields
    ]
    return [(name, unfolded(value)) for name, value in found if name in _WANTED]


def _addresses(values: Sequence[str]) -> Sequence[str]:
    return [address for _, address in addresses_in(values) if "@" in address]


def _first(fields: Fields, name: str) -> str:
    return next(iter(_all(fields, name)), "")


def _all(fields: Fields, name: str) -> list[str]:
    return [value for each, value in fields if each == name]
