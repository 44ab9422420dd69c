"""The daemon's file: what KCL's defaults would do wrong is set, and any text survives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailtumble.kcl.properties import DaemonSettings, properties, properties_text
from schemas.errors import BadInput

SETTINGS = DaemonSettings(
    application="mailtumble-kcl-core-g1",
    stream="mailtumble-events",
    region="eu-west-1",
    worker_id="host-1",
    child="/bin/sh /tmp/child.sh",
    kinesis_endpoint="http://127.0.0.1:1",
    dynamodb_endpoint="http://127.0.0.1:2",
    failover_ms=3000,
    poll_ms=500,
    grace_ms=12_000,
    message_timeout_s=300,
)


def test_what_the_defaults_would_do_wrong_is_set() -> None:
    """Records from the start, a word before the end, no automatic way to 3.x's slow restarts."""
    told = properties(SETTINGS)
    assert told["initialPositionInStream"] == "TRIM_HORIZON"
    assert told["shutdownGraceMillis"] == "12000"
    assert told["clientVersionConfig"] == "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X"
    assert told["disableWorkerMetrics"] == "true"
    assert told["callProcessRecordsEvenForEmptyRecordList"] == "true"
    assert "maxActiveThreads" not in told


def test_each_property_is_a_line() -> None:
    """Name, equals sign, value."""
    lines = properties_text(SETTINGS).splitlines()
    assert "workerId = host-1" in lines
    assert len(lines) == len(properties(SETTINGS))


def test_java_reads_the_text_that_was_meant() -> None:
    r"""A backslash is escaped, and what is not ASCII is written as \uXXXX, in UTF-16."""
    text = properties_text(replace(SETTINGS, child="a\\b ä 😀"))
    assert "executableName = a\\\\b \\u00e4 \\ud83d\\ude00\n" in text
    assert text.isascii()


def test_a_value_can_not_become_two_properties() -> None:
    """A line break is refused, and named."""
    with pytest.raises(BadInput, match="workerId"):
        properties_text(replace(SETTINGS, worker_id="a\nexecutableName = rm"))
