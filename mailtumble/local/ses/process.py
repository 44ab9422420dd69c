"""The process: both listeners, the clients of AWS, and an orderly end."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

import boto3
from aiohttp import web
from botocore.config import Config

from mailtumble.local.ses.account import SendingAccount
from mailtumble.local.ses.api import SesApi
from mailtumble.local.ses.events import AcceptedMail, AccountIdentity, sending_events
from mailtumble.local.ses.headers import parse_fields
from mailtumble.local.ses.identifiers import outbound_message_id
from mailtumble.local.ses.options import Options, parse_options
from mailtumble.local.ses.publisher import BatchTopic, EventPublisher
from mailtumble.local.ses.receive import ObjectStore, Receiver, Topic
from mailtumble.local.ses.rules import ReceiptRule
from mailtumble.local.ses.smtp import SmtpServer
from mailtumble.local.ses.spool import Spool

# Together below the 2 s within which the process ends.
_SMTP_STOP_S = 0.4
_API_STOP_S = 0.3
_DRAIN_S = 0.9

_SWITCH_INTERVAL_S = 0.001


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    options = parse_options(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    # The limiter judges a call when the HTTP loop gets to run. With the default
    # of 5 ms, eight busy receipt threads could keep it waiting for 40 ms.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        if options.spool_dir is not None:
            asyncio.run(_serve(options, options.spool_dir))
        else:
            with tempfile.TemporaryDirectory(prefix="mailtumble-ses-") as folder:
                asyncio.run(_serve(options, Path(folder)))
    except OSError as error:
        sys.stderr.write(
            f"the local SES can't start: {error}; if a port is taken, choose another --smtp-port\n"
        )
        return 1
    return 0


def steady_clock() -> Callable[[], int]:
    """Make a clock of microseconds since 1970 that never steps back."""
    offset = time.time_ns() - time.monotonic_ns()
    return lambda: (time.monotonic_ns() + offset) // 1000


def events_in_spool(spool: Spool, identity: AccountIdentity, position: int) -> Sequence[str]:
    """Make the events of the mail that stands at ``position`` in the spool's index."""
    entry = spool.entry_at(position)
    mail = AcceptedMail(
        message_id=entry["message_id"],
        accepted_at=datetime.fromisoformat(entry["accepted_at"]),
        source=entry["from"],
        recipients=tuple(entry["to"]),
        tags=tuple(entry["tags"].items()),
        configuration_set=entry["configuration_set"],
        source_ip=entry["source_ip"],
        fields=parse_fields(spool.raw(entry["message_id"])),
    )
    now = datetime.now(UTC)
    return sending_events(mail, identity, now, partial(outbound_message_id, now))


async def _serve(options: Options, folder: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    identity = AccountIdentity.of_topic(options.feedback_topic_arn)
    s3, sns = _clients(identity.region)
    spool = Spool(folder)
    publisher = EventPublisher(
        sns, options.feedback_topic_arn, partial(events_in_spool, spool, identity)
    )
    everything = ReceiptRule(
        name="everything",
        bucket=options.bucket,
        object_prefix=options.object_prefix,
        topic_arn=options.inbound_topic_arn,
    )
    receiver = Receiver(s3, sns, [everything])
    smtp = SmtpServer(receiver, options.smtp_port)
    await asyncio.to_thread(smtp.start)
    api = SesApi(
        account=SendingAccount(options.account),
        spool=spool,
        publisher=publisher,
        clock=steady_clock(),
        smtp_received=lambda: smtp.received,
        strict_lines=options.strict_lines,
    )
    # A connection that is kept open long spares callers errors on a stale one.
    runner = web.AppRunner(
        api.application(), access_log=None, keepalive_timeout=3600, shutdown_timeout=_API_STOP_S
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", options.api_port).start()
    publisher.start()

    # boto3 leaves some 200,000 objects behind; walking them stops the loop for long.
    gc.collect()
    gc.freeze()
    ports = {"smtp_port": smtp.port, "api_port": runner.addresses[0][1]}
    _announce({**ports, "pid": os.getpid()}, options.port_file)
    await stop.wait()
    await asyncio.to_thread(smtp.stop, _SMTP_STOP_S)
    await runner.cleanup()
    await asyncio.to_thread(publisher.drain, _DRAIN_S)
    spool.close()


class SnsClient(Topic, BatchTopic, Protocol):
    """What is needed of a boto3 SNS client by both sides."""


def _clients(region: str) -> tuple[ObjectStore, SnsClient]:
    """Make the S3 and SNS clients, from the ordinary environment."""
    emulated = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    config = Config(
        region_name=region,
        connect_timeout=2,
        read_timeout=20,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=16,
        # An emulator has no host names for buckets.
        s3={"addressing_style": "path" if emulated else "auto"},
    )
    return boto3.client("s3", config=config), boto3.client("sns", config=config)


def _announce(status: dict[str, int], port_file: Path | None) -> None:
    """Say on stdout, and in the port file, that the process is ready and where it listens."""
    line = json.dumps(status) + "\n"
    if port_file is not None:
        unfinished = port_file.with_name(f"{port_file.name}.{os.getpid()}.tmp")
        unfinished.write_text(line, encoding="ascii")
        unfinished.replace(port_file)
    sys.stdout.write(line)
    sys.stdout.flush()
