"""The HTTP side, called by boto3 as if it were AWS."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import re
import threading
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

import boto3
import pytest
from aiohttp import web
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from mailtumble.local.ses.account import AccountSettings, SendingAccount
from mailtumble.local.ses.api import SesApi
from mailtumble.local.ses.events import AccountIdentity
from mailtumble.local.ses.process import events_in_spool
from mailtumble.local.ses.publisher import EventPublisher
from mailtumble.local.ses.spool import Spool
from tests.unit.mailtumble.local.ses.fake_aws import InMemorySns

ARN = "arn:aws:sns:us-east-1:000000000000:feedback"
RAW = b"From: s@x.example\r\nTo: a@y.example\r\nSubject: hi\r\n\r\nbody\r\n"


class RunningApi:
    """The HTTP side on a thread of its own, with a clock that the test sets."""

    def __init__(self, folder: Path, sns: InMemorySns) -> None:
        """Keep what is sent in ``folder`` and publish to ``sns``."""
        self.now_us = 1_700_000_000_000_000
        self.account = SendingAccount(AccountSettings(rate=2, limiter="sliding"))
        self.spool = Spool(folder)
        events_of = partial(events_in_spool, self.spool, AccountIdentity.of_topic(ARN))
        self.publisher = EventPublisher(sns, ARN, events_of)
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        """Start, and wait for the port."""
        self._thread.start()
        assert self._ready.wait(10)
        self.publisher.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop and wait for the end."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self.publisher.drain(5)
        self.spool.close()

    def client(self) -> BaseClient:
        """A client of SES v2 that tries once."""
        return boto3.client(
            "sesv2",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any, Any]:
        """Return status, headers and body of a plain HTTP call."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body)
            response = connection.getresponse()
            data = response.read()
            is_json = response.headers.get_content_type() == "application/json"
            return response.status, response.headers, json.loads(data) if is_json else data

    def set(self, **settings: object) -> None:
        """Change settings."""
        assert self.call("POST", "/_local/settings", json.dumps(settings).encode())[0] == 200

    def stats(self) -> dict[str, int]:
        """The counters."""
        stats: dict[str, int] = self.call("GET", "/_local/stats")[2]
        return stats

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        api = SesApi(
            account=self.account,
            spool=self.spool,
            publisher=self.publisher,
            clock=lambda: self.now_us,
            smtp_received=lambda: 3,
        )
        runner = web.AppRunner(api.application(), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()


@pytest.fixture
def api(tmp_path: Path, sns: InMemorySns) -> Iterator[RunningApi]:
    """The HTTP side of an account with 2 recipients a second."""
    with RunningApi(tmp_path / "spool", sns) as api:
        yield api


@pytest.fixture
def ses(api: RunningApi) -> Iterator[BaseClient]:
    """boto3, pointed at it."""
    with contextlib.closing(api.client()) as client:
        yield client


def _send(ses: BaseClient, *recipients: str, raw: bytes = RAW, **parameters: object) -> str:
    destination = {"ToAddresses": list(recipients or ["a@y.example"])}
    content = {"Raw": {"Data": raw}}
    message_id: str = ses.send_email(Destination=destination, Content=content, **parameters)[
        "MessageId"
    ]
    return message_id


def _refusal(ses: BaseClient, *recipients: str, **parameters: object) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as refusal:
        _send(ses, *recipients, **parameters)
    error = refusal.value.response
    status = error["ResponseMetadata"]["HTTPStatusCode"]
    return error["Error"]["Code"], error["Error"]["Message"], status


def test_account_is_told_in_botocores_shape(ses: BaseClient) -> None:
    """Every field of GetAccount that is given is one that botocore's model knows."""
    account = ses.get_account()
    metadata = account.pop("ResponseMetadata")
    shape = ses.meta.service_model.operation_model("GetAccount").output_shape
    assert account.keys() <= shape.members.keys()
    assert account["SendQuota"] == {
        "Max24HourSend": 50_000.0,
        "MaxSendRate": 2.0,
        "SentLast24Hours": 0.0,
    }
    assert account["SendQuota"].keys() == shape.members["SendQuota"].members.keys()
    assert account["SendingEnabled"] is account["ProductionAccessEnabled"] is True
    assert account["EnforcementStatus"] == "HEALTHY"
    assert parsedate_to_datetime(metadata["HTTPHeaders"]["date"])
    assert metadata["RequestId"]


def test_sent_mail_is_kept_and_can_be_read(api: RunningApi, ses: BaseClient) -> None:
    """What was accepted is listed, shown with its headers, and there byte for byte."""
    raw = RAW + bytes(range(256))
    tags = [{"Name": "attempt", "Value": "a-1"}]
    message_id = _send(ses, "b@y.example", raw=raw, EmailTags=tags)
    assert re.fullmatch(r"0100[0-9a-f]{12}(-[0-9a-f]{4,12}){5}-000000", message_id)

    (entry,) = api.call("GET", "/_local/sent")[2]
    assert entry["message_id"] == message_id
    assert entry["from"] == "s@x.example"
    assert entry["to"] == ["b@y.example"]
    assert entry["subject"] == "hi"
    assert entry["size_bytes"] == len(raw)
    assert entry["tags"] == {"attempt": "a-1"}
    shown = api.call("GET", f"/_local/sent/{message_id}")[2]
    assert shown == {**entry, "headers": "From: s@x.example\r\nTo: a@y.example\r\nSubject: hi"}
    assert api.call("GET", f"/_local/sent/{message_id}/raw")[2] == raw
    assert ses.get_account()["SendQuota"]["SentLast24Hours"] == 1.0


def test_nothing_sent_is_an_empty_list(api: RunningApi) -> None:
    """The listing is an array before the first mail too; a mail that isn't there is not found."""
    assert api.call("GET", "/_local/sent")[2] == []
    for path in ("/_local/sent/0100-x", "/_local/sent/0100-x/raw"):
        status, headers, _ = api.call("GET", path)
        assert (status, headers["x-amzn-ErrorType"]) == (404, "NotFoundException")


def test_too_fast_is_throttled_and_sends_nothing(api: RunningApi, ses: BaseClient) -> None:
    """The third recipient in a second is refused; a second later it passes."""
    _send(ses, "a@y.example", "b@y.example")
    assert _refusal(ses) == (
        "TooManyRequestsException",
        "Maximum sending rate exceeded.",
        429,
    )
    with pytest.raises(ses.exceptions.TooManyRequestsException):
        _send(ses)
    api.now_us += 1_000_000
    _send(ses)
    assert api.stats() == {
        "accepted": 2,
        "throttled": 2,
        "daily_refused": 0,
        "stopped": 0,
        "failed": 0,
        "rejected": 0,
        "peak_per_second": 2,
        "smtp_received": 3,
        "events_pending": 0,
    }
    assert len(api.call("GET", "/_local/sent")[2]) == 2


def test_the_peak_is_told_by_the_clock_and_for_any_second(api: RunningApi, ses: BaseClient) -> None:
    """Three within a second that lies across two of the clock."""
    api.set(rate=50)
    assert api.call("GET", "/_local/peak")[2] == {"clock_second": None, "within_any": 0}
    api.now_us -= api.now_us % 1_000_000
    begins_us = api.now_us
    api.now_us += 900_000
    _send(ses)
    api.now_us += 200_000
    _send(ses, "a@y.example", "b@y.example")
    second = {"begins_us": begins_us + 1_000_000, "recipients": 2}
    assert api.call("GET", f"/_local/peak?since={begins_us}")[2] == {
        "clock_second": second,
        "within_any": 3,
    }
    assert api.call("GET", "/_local/peak?since=yesterday")[0] == 400


def test_daily_quota_has_a_message_of_its_own(api: RunningApi, ses: BaseClient) -> None:
    """Code and message together tell the daily quota from the rate."""
    api.set(daily_quota=1)
    _send(ses)
    assert _refusal(ses) == ("TooManyRequestsException", "Daily message quota exceeded.", 429)
    assert api.stats()["daily_refused"] == 1


@pytest.mark.parametrize(
    ("refuses", "code"),
    [
        ("disabled", "SendingPausedException"),
        ("paused", "SendingPausedException"),
        ("suspended", "AccountSuspendedException"),
        ("unverified x.example", "MailFromDomainNotVerifiedException"),
    ],
)
def test_an_account_may_let_nothing_out(
    api: RunningApi, ses: BaseClient, refuses: str, code: str
) -> None:
    """With SES's own codes; only where sending is disabled GetAccount says so."""
    api.set(refuses=refuses)
    assert ses.get_account()["SendingEnabled"] == (refuses != "disabled")
    assert _refusal(ses)[0] == code
    assert api.stats()["stopped"] == 1
    api.set(refuses="unverified other.example")
    _send(ses)


def test_bad_calls_are_refused_before_they_count(api: RunningApi, ses: BaseClient) -> None:
    """A rejected mail uses up neither rate nor quota."""
    for _ in range(3):
        code, message, status = _refusal(ses, raw=b"To: a@y\r\n" + RAW)
        assert (code, message, status) == ("BadRequestException", "Duplicate header 'To'.", 400)
    _send(ses)
    assert api.stats()["rejected"] == 3


def test_other_operations_are_unknown(api: RunningApi, ses: BaseClient) -> None:
    """What isn't there is answered as AWS answers it, so that boto3 can tell."""
    with pytest.raises(ClientError) as refusal:
        ses.list_email_identities()
    assert refusal.value.response["Error"]["Code"] == "UnknownOperationException"
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert api.call("DELETE", "/v2/email/account")[0] == 404


def test_events_follow_when_the_call_names_a_configuration_set(
    ses: BaseClient, sns: InMemorySns
) -> None:
    """Send and Complaint events carry the call's tags and the id of the reply."""
    address = "complaint@simulator.amazonses.com"
    tags = [{"Name": "attempt", "Value": "a-1"}]
    message_id = _send(ses, address, ConfigurationSetName="events", EmailTags=tags)
    events = [json.loads(text) for text in sns.wait_for(3)]
    assert [event["eventType"] for event in events] == ["Send", "Delivery", "Complaint"]
    for event in events:
        assert event["mail"]["messageId"] == message_id
        assert event["mail"]["tags"]["attempt"] == ["a-1"]
        assert event["mail"]["tags"]["ses:configuration-set"] == ["events"]
    assert {topic for topic, _ in sns.messages} == {ARN}


def test_no_events_without_a_configuration_set(
    api: RunningApi, ses: BaseClient, sns: InMemorySns
) -> None:
    """A call that names none is sent in silence."""
    _send(ses, "bounce@simulator.amazonses.com")
    assert api.publisher.drain(5) == 0
    assert sns.messages == []


def test_lost_reply_is_a_mail_that_was_accepted(
    api: RunningApi, ses: BaseClient, sns: InMemorySns
) -> None:
    """The caller sees its connection closed; mail and events are there all the same."""
    api.set(lost_reply_rate=1.0)
    with pytest.raises(ConnectionClosedError):
        _send(ses, ConfigurationSetName="events")
    assert len(sns.wait_for(2)) == 2
    assert len(api.call("GET", "/_local/sent")[2]) == 1


def test_failing_sends_send_nothing(api: RunningApi, ses: BaseClient) -> None:
    """error_rate answers 500 and accepts nothing; back at 0 all is well."""
    api.set(error_rate=1.0)
    assert _refusal(ses)[::2] == ("InternalFailure", 500)
    api.set(error_rate=0, latency_ms=1)
    _send(ses)
    assert api.stats()["accepted"] == 1


@pytest.mark.parametrize(
    "change", [{"error_rate": 1.0}, {"refuses": "suspended"}, {"daily_quota": 0}]
)
def test_a_refusal_takes_as_long_as_any_answer(
    api: RunningApi, ses: BaseClient, change: dict[str, Any]
) -> None:
    """A sender that is tried with it must not hear of a throttle sooner than on the network."""
    api.set(latency_ms=150, **change)
    begun = time.monotonic()
    _refusal(ses)
    assert time.monotonic() - begun >= 0.15


def test_settings_are_told_and_nonsense_is_refused(api: RunningApi) -> None:
    """A refused change changes nothing."""
    before = api.call("GET", "/_local/settings")[2]
    for body in (b'{"rate": 0}', b"[]", b"{", b'{"speed": 1}'):
        status, headers, answer = api.call("POST", "/_local/settings", body)
        assert (status, headers["x-amzn-ErrorType"]) == (400, "BadRequestException")
        assert answer["message"]
    assert api.call("GET", "/_local/settings")[2] == before
    assert before["limiter"] == "sliding"


def test_large_mail_goes_through_whole(api: RunningApi, ses: BaseClient) -> None:
    """A mail of some megabytes is accepted and kept; above the limit it's refused."""
    raw = RAW + b"x" * 5_000_000
    message_id = _send(ses, raw=raw)
    assert api.call("GET", f"/_local/sent/{message_id}/raw")[2] == raw
    code, _, status = _refusal(ses, raw=RAW + b"x" * 32_000_000)
    assert (code, status) in {("BadRequestException", 400), ("RequestEntityTooLarge", 413)}


def test_health_is_told(api: RunningApi) -> None:
    """Whoever waits for the process can ask, and every reply has a date."""
    status, headers, answer = api.call("GET", "/_local/health")
    assert (status, answer) == (200, {"status": "ok"})
    assert parsedate_to_datetime(headers["Date"])
