"""Mails that lie in S3 already, as SES has put them there, and the notifications that tell of them.

The notifications are those of a receipt rule's S3 action, wrapped as SNS hands them to SQS.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from mailtumble.aws.sqs import SqsQueue
from mailtumble.local.ses.identifiers import timestamp
from mailtumble.local.ses.notification import ReceiptContext, received_notification
from mailtumble.ports.world import BATCH_MAX, AliasEditor, ObjectStore
from schemas.ids import mail_id

ALIASES: Final = {
    f"orders-{number:02d}@shop.example": f"desk{number:02d}@warehouse.example"
    for number in range(20)
}
TENANTS: Final = 4
SENDER: Final = "bounces+8842@newsletter.example.net"
OBJECTS: Final = "inbound/"
STORING_THREADS: Final = 4
OFFERING_THREADS: Final = 16
"""SNS does not wait for one queue: with two, a busy MiniStack's answers held the offer up."""
OFFERED_PER_S: Final = 50_000 / 55
"""50,000 within 60 s, with something to spare."""

Told = Callable[[int], None]
"""Hears how many are done."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where mails go: the bucket SES stores them in, the topic it tells of them."""

    bucket: str
    topic_arn: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification's SQS body, and the id of the mail it is about."""

    mail_id: str
    body: str


def put_aliases(repository: AliasEditor) -> None:
    """Make the aliases known, of a few tenants."""
    for number, (alias, target) in enumerate(ALIASES.items()):
        repository.put(alias, [target], f"tenant-{number % TENANTS}")


def store(count: int, size: int, place: Place, objects: ObjectStore, told: Told) -> list[Notice]:
    """Put mails of ``size`` bytes into S3; their notices, in order."""
    body = _body(size)

    def one(number: int) -> Notice:
        header = _header(number)
        name = hashlib.sha256(f"burst {number}".encode()).hexdigest()[:40]
        objects.put(place.bucket, OBJECTS + name, header + body[: max(0, size - len(header))])
        return _notice(number, name, header, place)

    notices: list[Notice] = []
    with ThreadPoolExecutor(STORING_THREADS) as threads:
        for notice in threads.map(one, range(count)):
            notices.append(notice)
            told(len(notices))
    return notices


def offer(notices: Sequence[Notice], queue: SqsQueue, told: Told) -> tuple[float, float]:
    """Put all into the queue, ten a call, evenly; when the first call began and the last ended."""
    began = time.time()

    def send(batch: Sequence[Notice], due_s: float) -> int:
        time.sleep(max(0.0, began + due_s - time.time()))
        queue.send([each.body for each in batch])
        return len(batch)

    with ThreadPoolExecutor(OFFERING_THREADS) as threads:
        done = 0
        for sent in threads.map(lambda each: send(*each), _due(notices)):
            done += sent
            told(done)
    return began, time.time()


def _due(notices: Sequence[Notice]) -> Iterator[tuple[Sequence[Notice], float]]:
    for start in range(0, len(notices), BATCH_MAX):
        yield notices[start : start + BATCH_MAX], start / OFFERED_PER_S


def _recipient(number: int) -> str:
    return list(ALIASES)[number % len(ALIASES)]


def _header(number: int) -> bytes:
    lines = (
        f"Return-Path: <{SENDER}>",
        "Received: from mx1.newsletter.example.net (mx1.newsletter.example.net [203.0.113.9])",
        f" by inbound-smtp.us-east-1.amazonaws.com with SMTP id {number:032x}",
        f" for {_recipient(number)}; Mon, 09 Jun 2025 10:11:12 +0000 (UTC)",
        "X-SES-Spam-Verdict: PASS",
        "X-SES-Virus-Verdict: PASS",
        "Authentication-Results: amazonses.com; spf=pass (domain of newsletter.example.net)",
        " smtp.mailfrom=newsletter.example.net; dkim=pass header.i=@newsletter.example.net",
        "From: =?utf-8?q?J=C3=BCrgen_at_the_Shop?= <news@newsletter.example.net>",
        f"To: {_recipient(number)}",
        f"Subject: Re: Your order {number} has left our warehouse",
        f"Message-ID: <{number}.burst@newsletter.example.net>",
        "Date: Mon, 09 Jun 2025 10:11:11 +0000",
        "MIME-Version: 1.0",
        "Content-Type: application/octet-stream",
        "Content-Transfer-Encoding: base64",
        "",
        "",
    )
    return "\r\n".join(lines).encode("ascii")


def _body(size: int) -> bytes:
    line = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n"
    return line * (size // len(line) + 1)


def _notice(number: int, name: str, header: bytes, place: Place) -> Notice:
    now = datetime.now(UTC)
    receipt = ReceiptContext(
        message_id=name,
        envelope_sender=SENDER,
        recipients=[_recipient(number)],
        received_at=now,
        processing_time_ms=412,
        topic_arn=place.topic_arn,
        bucket=place.bucket,
        object_prefix=OBJECTS,
    )
    wrapped = {
        "Type": "Notification",
        "MessageId": str(uuid.uuid4()),
        "TopicArn": place.topic_arn,
        "Subject": "Amazon SES Email Receipt Notification",
        "Message": received_notification(header, receipt),
        "Timestamp": timestamp(now),
        "SignatureVersion": "1",
        "Signature": "c2lnbmVk" * 43,
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem",
        "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
    }
    return Notice(mail_id(name, _recipient(number)), json.dumps(wrapped))
