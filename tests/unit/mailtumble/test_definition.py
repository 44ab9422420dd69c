"""The definition of names and shapes, and the errors in one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailtumble.definition import (
    Definition,
    DefinitionError,
    Index,
    KeyAttribute,
    Redrive,
    load_definition,
    parse_definition,
    physical_name,
)

TERRAFORMS_FILE = Path("infra/terraform/definition.json")
SECONDS_PER_DAY = 24 * 60 * 60


@pytest.fixture
def raw() -> dict[str, Any]:
    """Terraform's file as JSON, for a test to spoil."""
    root = Path(__file__).parents[3]
    loaded: dict[str, Any] = json.loads((root / TERRAFORMS_FILE).read_text(encoding="utf-8"))
    return loaded


@pytest.fixture
def definition() -> Definition:
    """What the product works with."""
    return load_definition()


def test_python_and_terraform_read_the_same(raw: dict[str, Any], definition: Definition) -> None:
    """What the loader gives is what stands in Terraform's file."""
    assert definition == parse_definition(json.dumps(raw))


def test_every_table_of_the_file_is_there(raw: dict[str, Any], definition: Definition) -> None:
    """No table gets lost on the way from the file."""
    assert [table.name for table in definition.tables] == [t["name"] for t in raw["tables"]]


def test_a_physical_name_is_prefix_and_name(definition: Definition) -> None:
    """AWS knows a resource as <prefix>-<name>."""
    assert physical_name("house", definition.stream.name) == "house-events"


def test_intake_reads_both_topics_and_gives_up_after_five(definition: Definition) -> None:
    """One queue carries mail and feedback; what fails five times is kept aside for 14 days."""
    intake = definition.queue("intake")
    assert intake.topics == ("inbound", "feedback")
    assert intake.redrive == Redrive(queue="intake-dead-letters", receives_max=5)
    assert not intake.raw_delivery
    assert definition.queue("intake-dead-letters").retention_seconds == 14 * SECONDS_PER_DAY


def test_key_attributes_are_those_of_the_table_and_its_indexes(definition: Definition) -> None:
    """DynamoDB declares each key attribute once, wherever it is a key."""
    mails = definition.table("mails")
    by_received = Index(
        "by_received", KeyAttribute("received_day", "S"), KeyAttribute("received_at", "S")
    )
    by_held = Index("by_held", KeyAttribute("held", "S"), KeyAttribute("held_until", "S"))
    assert mails.indexes == (by_received, by_held)
    assert [key.name for key in mails.key_attributes()] == [
        "mail_key",
        "received_day",
        "received_at",
        "held",
        "held_until",
    ]


def test_only_slices_sort_by_a_number(definition: Definition) -> None:
    """Positions and sequence numbers don't fit DynamoDB's 38 digits: keys are strings."""
    numbers = [
        (table.name, key.name)
        for table in definition.tables
        for key in table.key_attributes()
        if key.type == "N"
    ]
    assert numbers == [("slices", "slice")]


def test_an_unknown_name_is_a_key_error(definition: Definition) -> None:
    """A misspelt table is found where it is asked for."""
    with pytest.raises(KeyError, match="mial"):
        definition.table("mial")


def _without_stream(raw: dict[str, Any]) -> None:
    del raw["stream"]


def _unknown_field(raw: dict[str, Any]) -> None:
    raw["stream"]["shard"] = 4


def _unknown_topic(raw: dict[str, Any]) -> None:
    raw["queues"][0]["topics"].append("outbound")


def _unknown_redrive(raw: dict[str, Any]) -> None:
    raw["queues"][0]["redrive"]["queue"] = "nowhere"


def _same_table_twice(raw: dict[str, Any]) -> None:
    raw["tables"].append(raw["tables"][0])


def _key_of_two_types(raw: dict[str, Any]) -> None:
    mails = next(table for table in raw["tables"] if table["name"] == "mails")
    mails["indexes"][0]["sort_key"] = {"name": "mail_key", "type": "N"}


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_without_stream, "lacks 'stream'"),
        (_unknown_field, "shard"),
        (_unknown_topic, "topic outbound"),
        (_unknown_redrive, "queue nowhere"),
        (_same_table_twice, "table defined twice: cursors"),
        (_key_of_two_types, "key attribute of mails defined twice: mail_key"),
    ],
)
def test_a_wrong_definition_is_refused_with_what_is_wrong(
    raw: dict[str, Any], spoil: Callable[[dict[str, Any]], None], says: str
) -> None:
    """A definition that contradicts itself never reaches AWS."""
    spoil(raw)
    with pytest.raises(DefinitionError, match=says):
        parse_definition(json.dumps(raw))


def test_what_is_no_json_is_refused() -> None:
    """A broken file is told apart from a wrong one, by the same error."""
    with pytest.raises(DefinitionError, match="can't be read"):
        parse_definition("{")
