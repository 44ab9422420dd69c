"""``mailtumble verify``: what a person, and a script, learn of it."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from mailtumble.cli import verify
from mailtumble.cli.verify import VerifyFailed, command
from mailtumble.ports.store import Delete, Put, Update
from mailtumble.worker.upgrades import AwaitsUpgrade
from mailtumble.worker.views import iso
from schemas import codec
from schemas.events import MailReceived, SendScheduled, Versions
from schemas.ids import mail_id, mail_subject
from tests.newer import AHEAD, newer
from tests.newer_states import store_as_newer
from tests.samples import accepted, fact, received, started
from tests.unit.mailtumble.cli.small_world import HOUSE

if TYPE_CHECKING:
    from tests.unit.mailtumble.cli.conftest import Exit, Run
    from tests.unit.mailtumble.cli.small_world import SmallWorld

MAILS = 500
SUM = "0 open before + 5 received = 3 ended (2 completed, 1 unroutable) + 2 open (2 scheduled)"
ONE = "one@house.example"
"""An alias with one target."""


def tamper(world: SmallWorld, mail: str, **changes: Any) -> None:  # noqa: ANN401 - values
    """Change a mail's item by hand."""
    world.items.write(Update("mails", {"mail_key": f"g1#{mail}"}, set=changes))


def outcome(*arguments: str) -> tuple[Any, str]:
    """A verification that finds something: its JSON, and what is said of it."""
    result = CliRunner().invoke(command, [*arguments, "--json"])
    assert isinstance(result.exception, VerifyFailed)
    return json.loads(result.stdout), str(result.exception)


def test_a_world_in_order(world: SmallWorld, run: Run) -> None:
    """The sum in words, and that the projections equal the stream."""
    world.receive()
    world.send()
    world.receive(2, recipient="nobody@nowhere.example")
    world.receive(3)
    assert run(command).output.splitlines() == [
        f"The stream holds {len(world.events.records())} records about 3 mails.",
        "core and sender have read all records.",
        "archive is not running.",
        f"Per target: {SUM}.",
        "Projections, timers, queue and claims equal the stream.",
    ]


def test_the_same_for_a_script(world: SmallWorld, run: Run) -> None:
    """Every field of it."""
    world.receive()
    world.send()
    report = json.loads(run(command, "--json").stdout)
    records = len(world.events.records())
    shards = [
        {
            "shard": each.id,
            "state": "reading",
            "position": mine[-1].sequence_number
            if (mine := world.events.records(each.id))
            else None,
            "read": len(mine),
            "records": len(mine),
            "stalled": False,
            "awaits_upgrade": None,
        }
        for each in world.events.shards()
    ]
    absent = [{**each, "state": "not begun", "position": None, "read": 0} for each in shards]
    assert report.pop("reading") == [
        {
            "application": name,
            "running": name != "archive",
            "read": 0 if name == "archive" else records,
            "records": records,
            "behind_s": 0,
            "shards": absent if name == "archive" else shards,
        }
        for name in ("core", "sender", "archive")
    ]
    assert report == {
        "ok": True,
        "sum": {
            "opening": 0,
            "received": 2,
            "ended": {"completed": 2},
            "open": {},
            "holds": True,
            "by_stream": {"completed": 2},
            "problems": [],
        },
        "records": len(world.events.records()),
        "waiting": 0,
        "mails": 1,
        "differences": [],
        "overdue": [],
        "moving": 0,
        "unchecked": 0,
        "unreadable": [],
        "unannounced": [],
    }


def test_an_empty_world(run: Run, world: SmallWorld) -> None:
    """Nothing came in, and nothing is wrong."""
    del world
    assert "0 received = 0 ended + 0 open" in run(command).output


def test_many_mails_and_one_item_changed_by_hand(world: SmallWorld, run: Run) -> None:
    """Clean; then the item is named, and the exit code is 1."""
    take_in_and_send(world, MAILS)
    report = json.loads(run(command, "--json").stdout)
    assert (report["ok"], report["mails"]) == (True, MAILS)
    assert report["records"] >= 5 * MAILS
    assert report["sum"]["ended"] == {"completed": MAILS}
    name = mail_id("ses-in-77", ONE)
    tamper(world, name, subject="another")
    report, said = outcome()
    assert report["differences"] == [
        {
            "kind": "different",
            "table": "mails",
            "key": name,
            "attribute": "subject",
            "stored": "another",
            "expected": "mail 77",
        }
    ]
    assert said.startswith("1 difference between the projections and the stream")


def test_the_exit_code_is_1_and_the_item_is_named(world: SmallWorld, fail: Exit) -> None:
    """By the whole command line; with what to do."""
    name = world.receive()
    tamper(world, name, status="parked")
    code, said = fail("verify")
    assert code == 1
    assert "build a new generation" in said
    lines = CliRunner().invoke(command, []).stdout.splitlines()
    assert f"mails {name}: status is 'parked'; the stream says 'scheduled'" in lines


def test_a_sum_that_is_wrong_is_shown_with_what_it_should_be(world: SmallWorld) -> None:
    """By kind, and with the mail's name."""
    name = world.receive()
    world.send()
    (item,) = world.items.scan("mails")
    targets: Any = item["targets"]
    world.items.write(Put("mails", {**item, "targets": [{**targets[0], "status": "bounced"}]}))
    result = CliRunner().invoke(command, [])
    assert isinstance(result.exception, VerifyFailed)
    assert str(result.exception).startswith("the sum of messages does not add up; 1 difference")
    assert result.stdout.splitlines()[3:7] == [
        "Per target: 0 open before + 2 received is not 1 ended (1 bounced) + 0 open.",
        "bounced: 1 in the views, 0 on the stream",
        "completed: 0 in the views, 2 on the stream",
        f"mail {name}: 2 targets came in, its item shows 1",
    ]


def test_of_many_differences_a_person_is_told_twenty(world: SmallWorld) -> None:
    """JSON has them all."""
    name = world.receive()
    tamper(world, name, **{f"extra_{number:02d}": number for number in range(25)})
    result = CliRunner().invoke(command, [])
    lines = result.stdout.splitlines()
    assert sum("the stream says None" in line for line in lines) == 20
    assert "... and 5 more: --json shows all of them" in lines
    report, _ = outcome()
    assert len(report["differences"]) == 25


def test_a_long_value_is_cut_for_a_person(world: SmallWorld) -> None:
    """And can't steer the terminal."""
    name = world.receive()
    tamper(world, name, subject="\x1b[2J" + "long" * 100)
    lines = CliRunner().invoke(command, []).stdout.splitlines()
    (line,) = [each for each in lines if "subject is" in each]
    assert "\x1b" not in line
    assert len(line) < 250


def test_what_core_has_not_read_is_said(world: SmallWorld, run: Run) -> None:
    """On stderr: nothing is wrong as long as it reads on."""
    name = world.receive()
    world.append(name, accepted("unknown"))
    told = run(command)
    assert "core had not read 1 more record yet" in told.stderr
    assert "core has read 2 of 3 records and is less than a second behind." in told.stdout


def test_a_stopped_core_is_named_with_what_to_do(world: SmallWorld, fail: Exit) -> None:
    """Sender and core stand still, and something waits for them: exit code 1."""
    world.asleep = True
    name = world.receive()
    world.append(name, accepted("unknown"))
    code, said = fail("verify")
    assert code == 1
    (shard,) = [each.id for each in world.events.shards() if world.events.records(each.id)]
    for application in ("core", "sender"):
        assert (
            f"{application} has read 2 of 3 records and is not advancing on {shard}: "
            "start it, or read its log"
        ) in said
    report, _ = outcome()
    core, sender, archive = report["reading"]
    assert [each["stalled"] for each in core["shards"] if each["shard"] == shard] == [True]
    assert [each["stalled"] for each in sender["shards"] if each["shard"] != shard] == [False]
    assert not archive["running"]
    assert core["behind_s"] > 0


def test_a_wait_for_an_upgrade_is_told_and_is_no_fault(world: SmallWorld, run: Run) -> None:
    """The line names the shard, when it began to wait, and the event."""
    name = world.receive()
    world.asleep = True
    world.events.append([newer(fact(received(), name="newer", subject=mail_subject(name)))])
    (shard,) = [each.id for each in world.events.shards() if world.events.records(each.id)]
    version = Versions.current[MailReceived] + AHEAD
    awaited = f"deploy a release that reads MailReceived version {version}"
    since = iso(world.clock.now())
    for shard_id, lane in world._lanes:
        with suppress(AwaitsUpgrade):
            lane.process(world.events.records(shard_id))
    lines = run(command).stdout.splitlines()
    for application in ("core", "sender"):
        assert f"{application} waits for an upgrade on {shard} since {since}: {awaited}" in lines


def test_an_old_command_is_told_to_be_upgraded(world: SmallWorld, run: Run) -> None:
    """A newer release has stored a state; nothing is wrong with the workers."""
    name = world.receive()
    for item in world.items.scan("queue"):
        key = {"bucket": str(item["bucket"]), "position": str(item["position"])}
        world.items.write(Delete("queue", key))
    store_as_newer(world.items, "sender#0", mail_subject(name))
    said = "Not checked, because this release can't read it: 1 stored state. Upgrade this command."
    assert said in run(command).stderr


def test_mails_that_were_never_announced(world: SmallWorld, fail: Exit) -> None:
    """Are found with --s3 alone, and the exit code is 1."""
    world.receive()
    world.kept.put(world.bucket, "inbound/ses-in-1", b"announced")
    world.kept.put(world.bucket, "inbound/lost", f"To: {HOUSE}\r\n\r\n".encode())
    report, said = outcome("--s3")
    (mail,) = report["unannounced"]
    assert (mail["key"], mail["recipients"], mail["mails"]) == ("inbound/lost", [], [])
    assert said == "1 message was never announced: add --redrive to process them"
    assert report["sum"]["holds"]
    assert fail("verify", "--s3")[0] == 1


def test_redrive_takes_them_in(world: SmallWorld, run: Run) -> None:
    """As intake would have; then nothing is wrong any more."""
    world.kept.now = world.clock.now
    world.kept.put(world.bucket, "inbound/lost", f"To: {HOUSE}\r\n\r\n".encode())
    world.clock.advance(600)
    name = mail_id("lost", HOUSE)
    lines = run(command, "--s3", "--redrive").stdout.splitlines()
    assert f"inbound/lost, of 2025-10-09T08:53:20: received as {name} for {HOUSE}" in lines
    world.work()
    world.send()
    assert world.status(name) == "completed"
    assert "Every message in S3 was announced" in run(command, "--s3").stdout


def test_a_mail_that_is_too_old_to_be_sent_is_said_to_be_so(world: SmallWorld, run: Run) -> None:
    """It came when it came; a person may want it sent all the same."""
    world.kept.put(world.bucket, "inbound/lost", f"To: {HOUSE}\r\n\r\n".encode())
    name = mail_id("lost", HOUSE)
    assert f"mailtumble mail retry {name}" in run(command, "--s3", "--redrive").stdout


def test_what_can_not_be_redriven_is_said_with_what_to_do(world: SmallWorld) -> None:
    """The rest is."""
    world.kept.put(world.bucket, "inbound/a", b"Subject: x\r\n\r\n")
    world.kept.put(world.bucket, "inbound/b", f"To: {HOUSE}\r\n\r\n".encode())
    report, said = outcome("--s3", "--redrive")
    first, second = report["unannounced"]
    assert "aws s3 cp" in first["problem"]
    assert second["recipients"] == [HOUSE]
    assert said == "1 message was never announced, and could not be redriven"


def test_redrive_needs_s3(world: SmallWorld, fail: Exit) -> None:
    """A wrong call."""
    del world
    assert fail("verify", "--redrive") == (
        2,
        "mailtumble: --redrive processes what --s3 finds: give both options\n",
    )


def test_a_terminal_is_shown_a_bar(
    world: SmallWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, full at the end; nothing of it where stderr is no terminal."""
    del world
    with verify._bar() as progress:
        progress(1.0)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with verify._bar() as progress:
        progress(0.5)
        progress(1.0)
    shown = capsys.readouterr().err
    assert "Reading the stream" in shown
    assert "100%" in shown


def take_in_and_send(world: SmallWorld, count: int) -> None:
    """So many mails, each to a target that accepts it; the sender's calls are made up."""
    world.repository.put(ONE, ("ann@far.example",), "house")
    for number in range(count):
        ses_id = f"ses-in-{number}"
        event = received(
            ses_message_id=ses_id, recipient=ONE, subject_line=f"mail {number}", object_key=ses_id
        )
        world.append(mail_id(ses_id, ONE), event, cause=ses_id)
    world.work()
    for item in world.items.scan("queue"):
        # As the sender does it: the entry goes, the claim of its round comes.
        key = {"bucket": str(item["bucket"]), "position": str(item["position"])}
        claim = {"attempt_id": item["attempt_id"], "subject": item["subject"], "round": 0}
        world.items.transact([Delete("queue", key), Put("claims", claim)])
    for record in world.events.records():
        for event in codec.decode(record.data).events:
            if isinstance(event, SendScheduled):
                name = record.subject.partition(":")[2]
                for told in (started(event.attempt_id), accepted(event.attempt_id)):
                    world.append(name, told, cause=event.attempt_id)
    world.work()
