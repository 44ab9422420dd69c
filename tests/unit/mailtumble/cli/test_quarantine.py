"""``mailtumble quarantine``: what could not be processed can be seen, and driven again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mailtumble.cli.main import COMMANDS
from mailtumble.cli.quarantine import command
from mailtumble.intake.service import Intake, IntakePorts
from mailtumble.ports.stream import OutgoingRecord
from schemas import codec
from schemas.events import RecordRedriven

if TYPE_CHECKING:
    from mailtumble.ports.stream import StoredRecord
    from schemas.envelope import EventEnvelope
    from tests.unit.mailtumble.cli.conftest import Exit, Run
    from tests.unit.mailtumble.cli.small_world import SmallWorld

GARBAGE = b"\xff\x1b[2Jno record"


@pytest.fixture(autouse=True)
def _command_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "quarantine", ("mailtumble.cli.quarantine", ""))


def _spoil(world: SmallWorld, mail: str) -> None:
    """Bytes on a mail's subject that nobody can read: core and sender put them aside."""
    world.events.append([OutgoingRecord(f"mail:{mail}", GARBAGE)])
    world.work()


def _spoil_queue(world: SmallWorld, body: str) -> None:
    world.intake.send([body])
    ports = IntakePorts(world.intake, world.events, world.kept, world.bucket, world.clock)
    assert Intake(ports).step(0) == 1
    world.work()


def _listed(run: Run) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads(run(command, "list", "--json").stdout)
    return rows


def test_list_says_what_and_why(world: SmallWorld, run: Run) -> None:
    """Each application's own item, open at first."""
    mail = world.receive()
    _spoil(world, mail)
    rows = _listed(run)
    assert {row["application"] for row in rows} == {"core", "sender"}
    assert {row["subject"] for row in rows} == {f"mail:{mail}"}
    assert {row["state"] for row in rows} == {"open"}
    assert all("not msgpack" in row["reason"] for row in rows)
    names = ["id", "quarantined_at", "application", "subject", "reason", "state"]
    assert list(rows[0]) == names
    table = run(command, "list").stdout.splitlines()
    assert len(table) == 3
    assert table[0].split() == ["ID", "STATE", "SINCE", "BY", "SUBJECT", "REASON"]


def test_an_empty_quarantine_is_said_to_be(run: Run) -> None:
    """And JSON is an empty array."""
    assert _listed(run) == []
    assert run(command, "list").stderr == "Nothing is in quarantine.\n"
    assert run(command, "redrive", "--all").stderr == "Nothing in quarantine is open.\n"


def test_show_has_the_bytes_as_safe_text(world: SmallWorld, run: Run) -> None:
    """They can't steer the terminal; the id's beginning is enough."""
    _spoil(world, world.receive())
    name = _listed(run)[0]["id"]
    text = run(command, "show", name[:8]).stdout
    assert f"{name} (open), by " in text
    assert r"\xff\x1b[2Jno record" in text
    assert "\x1b" not in text
    shown = json.loads(run(command, "show", name, "--json").stdout)
    assert (shown["id"], shown["size_bytes"]) == (name, len(GARBAGE))


def test_redrive_puts_a_record_back_once_for_all(world: SmallWorld, run: Run) -> None:
    """The same bytes under the same key, then a RecordRedriven for each who put it aside.

    Were it put back for each of them, unmended records would double with every redrive.
    """
    mail = world.receive()
    _spoil(world, mail)
    names = {row["application"]: row["id"] for row in _listed(run)}
    said = run(command, "redrive", names["core"], names["core"][:8]).stdout
    assert said == "".join(f"{names[each]} is back on the stream\n" for each in ("core", "sender"))
    again, *told = world.events.records()[-3:]
    assert (again.subject, again.data) == (f"mail:{mail}", GARBAGE)
    for record, name in zip(map(_decoded, told), (names["core"], names["sender"]), strict=True):
        assert (record.subject, record.cause, record.decider) == (f"mail:{mail}", name, "operator")
        (event,) = record.events
        assert isinstance(event, RecordRedriven)
        assert event.quarantined == name
    world.work()
    states = {row["id"]: row["state"] for row in _listed(run)}
    assert [states.pop(name) for name in names.values()] == ["redriven"] * 2
    # Unmended they come back, under ids of their own.
    assert list(states.values()) == ["open"] * 2
    run(command, "redrive", "--all")
    world.work()
    assert [row["state"] for row in _listed(run)].count("open") == 2


def _decoded(record: StoredRecord) -> EventEnvelope:
    return codec.decode(record.data)


def test_redrive_gives_a_message_back_to_the_queue(world: SmallWorld, run: Run) -> None:
    """Byte for byte, and nothing but the word of it to the stream."""
    body = '{"no": "notification", "ü": "✓"}'
    _spoil_queue(world, body)
    assert world.intake.bodies() == []
    before = len(world.events.records())
    name = _listed(run)[0]["id"]
    assert run(command, "redrive", "--all").stdout == f"{name} is back on intake's queue\n"
    assert world.intake.bodies() == [body]
    assert len(world.events.records()) == before + 1
    world.work()
    assert _listed(run)[0]["state"] == "redriven"
    assert "open" in run(command, "redrive", "--all").stderr


def test_redrive_takes_ids_or_all(world: SmallWorld, fail: Exit) -> None:
    """Neither and both are wrong calls."""
    _spoil(world, world.receive())
    for arguments in ([], ["abcd", "--all"]):
        code, text = fail("quarantine", "redrive", *arguments)
        assert (code, text.count("\n")) == (2, 1)


def test_an_unknown_id_drives_nothing(world: SmallWorld, run: Run, fail: Exit) -> None:
    """Not even those that were named before it; too short an id counts as unknown."""
    _spoil(world, world.receive())
    name = _listed(run)[0]["id"]
    before = len(world.events.records())
    for given in ("no-such", name[:3]):
        code, text = fail("quarantine", "redrive", name, given)
        assert code == 1
        assert repr(given) in text
    assert len(world.events.records()) == before


def test_missing_bytes_are_a_failure(world: SmallWorld, run: Run, fail: Exit) -> None:
    """Named, and nothing is said to be redriven."""
    _spoil(world, world.receive())
    name = _listed(run)[0]["id"]
    world.kept._objects.clear()
    code, text = fail("quarantine", "show", name)
    assert code == 1
    assert "quarantine/" in text
