"""``mailtumble local inject``: bytes into the bucket as they are, and a notification of them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from mailtumble.cli import state
from mailtumble.cli.inject import inject
from mailtumble.cli.state import LocalState
from mailtumble.intake.notification import Arrival, parse
from schemas.errors import BadInput, MailtumbleError, RetryableError
from tests.unit.mailtumble.cli.small_world import HOUSE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.mailtumble.cli.conftest import Run
    from tests.unit.mailtumble.cli.small_world import SmallWorld

RAW = b"From: j@x.example\nSubject: hi\r\n\r\n.\x00\xff no newline"
TOPIC = "arn:aws:sns:us-east-1:000000000000:mailtumble-inbound"


@pytest.fixture
def mail_file(tmp_path: Path) -> Path:
    """A mail with everything that a transport would like to mend."""
    path = tmp_path / "mail.eml"
    path.write_bytes(RAW)
    return path


@pytest.fixture(autouse=True)
def _local(monkeypatch: pytest.MonkeyPatch) -> None:
    resources = {"bucket": "the-bucket", "inbound_topic_arn": TOPIC}
    found = LocalState(os.getpid(), {}, "http://127.0.0.1:1", 2525, resources)
    monkeypatch.setattr(state, "local_state", lambda state_dir: found if not state_dir else None)


def test_the_bytes_arrive_as_they_are(world: SmallWorld, run: Run, mail_file: Path) -> None:
    """And the notification names them, the sender and each recipient once."""
    result = run(
        inject, str(mail_file), "--from", "j@x.example", "--to", HOUSE, "--to", "b@y.example",
        "--to", HOUSE, "--json",
    )  # fmt: skip
    (row,) = json.loads(result.stdout)
    key = f"inbound/{row['ses_message_id']}"
    assert world.clients.s3.objects == {("the-bucket", key): RAW}
    ((topic, message),) = world.clients.sns.messages
    assert topic == TOPIC
    arrival = parse(message)
    assert isinstance(arrival, Arrival)
    assert (arrival.envelope_sender, arrival.bucket) == ("j@x.example", "the-bucket")
    assert arrival.object_key == key
    assert arrival.recipients == (HOUSE, "b@y.example")
    subjects = [fact.subject for fact in arrival.facts(len(RAW), "")]
    assert [f"mail:{each['mail_id']}" for each in row["mails"]] == subjects


def test_several_files_from_nobody(world: SmallWorld, run: Run, mail_file: Path) -> None:
    """One line a mail, its id first; a bounce has no sender."""
    lines = run(inject, str(mail_file), str(mail_file), "--from", "<>", "--to", HOUSE).stdout
    ids = [line.split()[0] for line in lines.splitlines()]
    assert len(set(ids)) == 2
    for _, message in world.clients.sns.messages:
        arrival = parse(message)
        assert isinstance(arrival, Arrival)
        assert arrival.envelope_sender == ""


@pytest.mark.parametrize(("sender", "recipient"), [("nobody", HOUSE), ("a@x.example", "@house")])
def test_no_address_is_a_wrong_call(
    world: SmallWorld, mail_file: Path, sender: str, recipient: str
) -> None:
    """Nothing is stored."""
    arguments = [str(mail_file), "--from", sender, "--to", recipient]
    result = CliRunner().invoke(inject, arguments)
    assert isinstance(result.exception, BadInput)
    assert world.clients.s3.objects == {}


def test_an_outage_is_a_failure_that_names_the_file(world: SmallWorld, mail_file: Path) -> None:
    """In our own words, not botocore's."""
    world.clients.s3.failures = 1
    result = CliRunner().invoke(inject, [str(mail_file), "--from", "", "--to", HOUSE])
    assert isinstance(result.exception, RetryableError)
    assert "mail.eml" in str(result.exception)


def test_without_a_local_stack_there_is_nothing_to_inject_into(
    world: SmallWorld, mail_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS receives its mail by itself."""

    def none(state_dir: Path | None) -> LocalState:
        raise MailtumbleError(f"no local stack runs in {state_dir}")

    monkeypatch.setattr(state, "local_state", none)
    result = CliRunner().invoke(inject, [str(mail_file), "--from", "", "--to", HOUSE])
    assert isinstance(result.exception, MailtumbleError)
    assert world.clients.s3.objects == {}
