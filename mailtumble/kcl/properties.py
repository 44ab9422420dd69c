"""The MultiLangDaemon's properties file, from settings. Pure.

Each value that differs from the KCL's default was measured (docs/adr/0009-kcl-host.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from schemas.errors import BadInput

READ_LIMIT: Final = 1000
"""Records a read: twice a second that is twice what a shard takes in."""
QUICK_START: Final[Mapping[str, str]] = {
    # Leases as in 2.x: 3.x elects a leader by a lock that outlives a killed leader by minutes.
    "clientVersionConfig": "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X",
    # 2.x-compatible is meant as a way to 3.x: once every worker tells of its load, the fleet goes
    # over by itself, and has that lock. Without the metrics it stays.
    "disableWorkerMetrics": "true",
    # The first look at the shards otherwise comes after a sleep of up to this long (60 s).
    "shardSyncIntervalMillis": "1",
    # A child of a split waits for its parents: asked every 10 s by default.
    "parentShardPollIntervalMillis": "1000",
    # With the lease rows made beforehand there is nothing to sync.
    "skipShardSyncAtWorkerInitializationIfLeasesExist": "true",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSettings:
    """What one daemon is started with. Times are in milliseconds, except where named.

    ``child`` is the command of a child process; the daemon splits it at blanks.
    """

    application: str
    stream: str
    region: str
    worker_id: str
    child: str
    kinesis_endpoint: str
    dynamodb_endpoint: str
    failover_ms: int
    poll_ms: int
    grace_ms: int
    message_timeout_s: int


def properties(settings: DaemonSettings) -> dict[str, str]:
    """Names and values, as the daemon's file has them."""
    return {
        "executableName": settings.child,
        "streamName": settings.stream,
        "applicationName": settings.application,
        "workerId": settings.worker_id,
        "regionName": settings.region,
        "AwsCredentialsProvider": "DefaultCredentialsProvider",
        "kinesisEndpoint": settings.kinesis_endpoint,
        "dynamoDBEndpoint": settings.dynamodb_endpoint,
        # The projections start with the oldest record there is.
        "initialPositionInStream": "TRIM_HORIZON",
        "retrievalMode": "POLLING",
        "maxRecords": str(READ_LIMIT),
        "idleTimeBetweenReadsInMillis": str(settings.poll_ms),
        # An empty read shows that the shard moves, and carries its lag.
        "callProcessRecordsEvenForEmptyRecordList": "true",
        "failoverTimeMillis": str(settings.failover_ms),
        # 0, the default, gives the children no word of a SIGTERM.
        "shutdownGraceMillis": str(settings.grace_ms),
        "timeoutInSeconds": str(settings.message_timeout_s),
        # Our own metrics are served by the supervisor.
        "metricsLevel": "NONE",
        **QUICK_START,
    }


def properties_text(settings: DaemonSettings) -> str:
    """The file's text.

    Raises:
        BadInput: a value has a line break, with which it would be two properties.
    """
    lines = []
    for name, value in properties(settings).items():
        if not value.isprintable():
            raise BadInput(f"the KCL's property {name} is {value!r}: give one line of text")
        lines.append(f"{name} = {_escaped(value)}\n")
    return "".join(lines)


def _escaped(value: str) -> str:
    r"""As java.util.Properties reads it: a backslash escapes, and text outside ASCII is \uXXXX."""
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    pairs = (int.from_bytes(units[place : place + 2]) for place in range(0, len(units), 2))
    return "".join(chr(unit) if unit < 128 else f"\\u{unit:04x}" for unit in pairs)  # noqa: PLR2004
