"""The boto3 clients of a process: made once, configured for what each is used for.

Endpoints come from boto's own ``AWS_ENDPOINT_URL*`` variables and profiles; only the look-up's
may be given. Checking of parameters is off everywhere: it costs a third to a half of a big
call, and the adapters build the parameters themselves.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

import boto3
import botocore
import botocore.session
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_ses import SESClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

CONNECT_TIMEOUT_S: Final = 3.0
READ_TIMEOUT_S: Final = 10.0
USER_AGENT: Final = f"Boto3/{boto3.__version__} Botocore/{botocore.__version__} app/mailtumble"
"""Said once: botocore puts its own together anew for each call, a tenth of what a call costs."""
SQS_READ_TIMEOUT_S: Final = 30.0
"""Above SQS's longest poll, 20 s."""
SEND_READ_TIMEOUT_S: Final = 60.0
"""A mail of 40 MB takes its time, and a time-out leaves an outcome that nobody knows."""


class Clients:
    """Makes each client at its first use, and once; may be used from any thread."""

    def __init__(
        self,
        region: str,
        *,
        lookup_endpoint: str | None = None,
        lookup_timeout_s: float = 1.0,
        send_timeout_s: float = SEND_READ_TIMEOUT_S,
        connections: int = 32,
        on_made: Callable[[Any], None] = lambda client: None,  # noqa: ARG005 - nobody asks
    ) -> None:
        """Keep what the clients are made of; ``connections`` is how many each may hold open.

        ``on_made`` is given each client of AWS (not the look-up's, which may be another's).
        """
        self.region = region
        self.lookup_timeout_s = lookup_timeout_s
        self.send_timeout_s = send_timeout_s
        self._lookup_endpoint = lookup_endpoint
        self._connections = connections
        self._on_made = on_made
        self._lock = threading.Lock()
        self._made: dict[str, Any] = {}
        self._descriptions: Any = None

    @property
    def kinesis(self) -> KinesisClient:
        """No retries of its own, since the stream's adapter keeps the order when it repeats.

        Arrival times are left as they come (seconds, a JSON number): making a datetime of each
        is two thirds of the cost of parsing a record.
        """
        return cast("KinesisClient", self._once("kinesis", "kinesis", raw_times=True))

    @property
    def dynamodb(self) -> DynamoDBClient:
        """No retries of its own: an ADD whose reply was lost must not be added again unseen."""
        return cast("DynamoDBClient", self._once("dynamodb", "dynamodb"))

    @property
    def lookup(self) -> DynamoDBClient:
        """For alias look-ups: short time-outs, no retries, perhaps an endpoint of its own."""
        seconds, endpoint = self.lookup_timeout_s, self._lookup_endpoint
        made = self._once(
            "lookup", "dynamodb", connect_s=seconds, read_s=seconds, endpoint=endpoint
        )
        return cast("DynamoDBClient", made)

    @property
    def s3(self) -> S3Client:
        """Puts and gets of whole objects can be repeated freely."""
        return cast("S3Client", self._once("s3", "s3", attempts=3))

    @property
    def sqs(self) -> SQSClient:
        """Queues deliver at least once anyway: repeats are harmless."""
        return cast("SQSClient", self._once("sqs", "sqs", attempts=3, read_s=SQS_READ_TIMEOUT_S))

    @property
    def sns(self) -> SNSClient:
        """For setting things up, and for the local SES."""
        return cast("SNSClient", self._once("sns", "sns", attempts=3))

    @property
    def ses(self) -> SESV2Client:
        """One attempt a call: botocore's retries can send a mail twice without a trace."""
        return cast("SESV2Client", self._once("ses", "sesv2", read_s=self.send_timeout_s))

    @property
    def ses_v1(self) -> SESClient:
        """SES's first API, with one attempt a call for the same reason."""
        return cast("SESClient", self._once("ses_v1", "ses", read_s=self.send_timeout_s))

    @property
    def sts(self) -> STSClient:
        """Tells whose the credentials are."""
        return cast("STSClient", self._once("sts", "sts"))

    def close(self) -> None:
        """Close the connections of every client that was made."""
        with self._lock:
            for client in self._made.values():
                client.close()
            self._made.clear()

    def _once(self, name: str, service: str, **settings: Any) -> Any:  # noqa: ANN401 - as _make
        made = self._made.get(name)
        if made is None:
            with self._lock:
                made = self._made.get(name)
                if made is None:
                    made = self._made[name] = self._make(service, **settings)
        return made

    def _make(
        self,
        service: str,
        *,
        attempts: int = 1,
        connect_s: float = CONNECT_TIMEOUT_S,
        read_s: float = READ_TIMEOUT_S,
        endpoint: str | None = None,
        raw_times: bool = False,
    ) -> Any:  # noqa: ANN401 - boto3 makes its clients' classes at run time
        session = botocore.session.get_session()
        if self._descriptions is None:
            self._descriptions = session.get_component("data_loader")
        # Else each session keeps endpoints and services of AWS for itself, 10 MB a client.
        session.register_component("data_loader", self._descriptions)
        if raw_times:
            factory = session.get_component("response_parser_factory")
            factory.set_parser_defaults(timestamp_parser=_as_it_comes)
        config = Config(
            region_name=self.region,
            user_agent=USER_AGENT,
            parameter_validation=False,
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=connect_s,
            read_timeout=read_s,
            max_pool_connections=self._connections,
            account_id_endpoint_mode="disabled",
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"} if endpoint_overridden("S3") else None,
        )
        made = boto3.session.Session(botocore_session=session)
        client = made.client(service, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]
        if endpoint is None:
            self._on_made(client)
        return client


def endpoint_overridden(service: str) -> bool:
    """Whether boto's variables point ``service`` (upper case) at an emulator.

    Bucket names can't be host names there, so S3's addresses must carry them in the path.
    """
    if os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return False
    return bool(os.environ.get(f"AWS_ENDPOINT_URL_{service}") or os.environ.get("AWS_ENDPOINT_URL"))


def _as_it_comes(value: object) -> object:
    return value
