"""``mailtumble mail send-at|send-now|retry|expire|cancel``: obeyed, or refused with a reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mailtumble.cli.mail import command
from mailtumble.cli.moderation import command as moderation
from mailtumble.cli.queue import command as queue
from mailtumble.ports.store import Put
from schemas.events import (
    CommandGiven,
    SendCancelRequested,
    SendTimeSet,
    TargetReopened,
)
from schemas.values import DAY_US, HOUR_US, MINUTE_US, Command, Schedule, Status
from tests.unit.mailtumble.cli.small_world import NEWS, TARGETS

if TYPE_CHECKING:
    from tests.unit.mailtumble.cli.conftest import Ask, Call, Exit, Run
    from tests.unit.mailtumble.cli.small_world import SmallWorld

LATER = "later@house.example"
"""An alias whose mail leaves a day after its receipt."""


def _given(world: SmallWorld) -> list[CommandGiven]:
    return [event for event in world.told() if isinstance(event, CommandGiven)]


def _due(world: SmallWorld) -> set[int]:
    return {int(str(item["due_at"])) for item in world.items.scan("queue")}


def _receive_late(world: SmallWorld, number: int = 1) -> str:
    schedule = Schedule(delay_us=DAY_US)
    world.repository.put(LATER, ("cat@far.example",), "house", schedule=schedule)
    return world.receive(number, LATER)


class TestSendAt:
    """``mail send-at``."""

    @pytest.mark.parametrize(
        ("time", "after"),
        [
            ("+90m", 90 * MINUTE_US),
            ("+2h", 2 * HOUR_US),
            ("+1d", DAY_US),
            ("+45s", 45_000_000),
            ("2025-10-09T18:00Z", None),
            ("2025-10-09T18:00", None),
            ("2025-10-09T20:00+02:00", None),
        ],
    )
    def test_every_attempt_that_waits_is_moved(
        self, world: SmallWorld, run: Run, time: str, after: int | None
    ) -> None:
        """A length from now on, or a time with a zone; UTC where none is told."""
        mail = world.receive()
        at = 1_760_032_800_000_000 if after is None else world.clock.now() + after
        said = run(command, "send-at", mail[:8], time, "--by", "ann").stdout
        assert said == f"{mail}: its time is set: 2 attempts were waiting\n"
        assert SendTimeSet(at=at, by="ann") in world.told()
        assert _due(world) == {at}

    @pytest.mark.parametrize(
        "time",
        [
            *("", "soon", "90m", "+", "+90", "+m", "+-5m", "+1.5h", "25:00", "2025-13-01"),
            f"+{'9' * 5000}d",
        ],
    )
    def test_what_is_no_time_is_a_wrong_call(
        self, world: SmallWorld, fail: Exit, time: str
    ) -> None:
        """Exit 2, one line that shows how to write it."""
        mail = world.receive()
        code, text = fail("mail", "send-at", mail, time)
        assert code == 2
        assert text.startswith(f"mailtumble: '{time}' is no time: give 2026-12-24T18:00Z")
        assert text.count("\n") == 1
        assert _given(world) == []

    @pytest.mark.parametrize("time", ["+99999999d", "9999-12-31T23:59-12:00"])
    def test_beyond_the_calendar_nothing_is_sent(
        self, world: SmallWorld, fail: Exit, time: str
    ) -> None:
        """No view could show such a time."""
        code, text = fail("mail", "send-at", world.receive(), time)
        assert code == 2
        assert f"'{time}' is too far away" in text

    def test_a_time_that_is_over_means_now(self, world: SmallWorld, run: Run) -> None:
        """As with send-now."""
        mail = _receive_late(world)
        run(command, "send-at", mail, "1969-07-20T20:17Z")
        assert max(_due(world)) <= world.clock.now()

    def test_a_mail_that_is_held_gets_its_time_when_it_goes(
        self, world: SmallWorld, run: Run
    ) -> None:
        """It is not sent for that."""
        mail = world.receive(sender=NEWS)
        at = world.clock.now() + HOUR_US
        said = run(command, "send-at", mail, "+1h").stdout
        assert said == f"{mail}: its time is set: 0 attempts were waiting\n"
        assert (world.status(mail), _due(world)) == ("held", set())
        run(moderation, "approve", mail)
        assert _due(world) == {at}

    def test_what_was_sent_is_refused(self, world: SmallWorld, fail: Exit) -> None:
        """Exit 1 and a line that names the mail, and how it stands."""
        mail = world.receive()
        world.send()
        code, text = fail("mail", "send-at", mail, "+1h")
        assert (code, text) == (
            1,
            (f"mailtumble: refused: {mail}: nothing of the mail waits any more: 2 completed\n"),
        )


class TestSendNow:
    """``mail send-now``."""

    def test_the_schedule_of_its_alias_is_overruled(self, world: SmallWorld, run: Run) -> None:
        """It would leave tomorrow; now it is due."""
        mail = _receive_late(world)
        assert min(_due(world)) > world.clock.now() + DAY_US - HOUR_US
        said = run(command, "send-now", mail).stdout
        assert said == f"{mail}: it is sent now: 1 attempt was waiting\n"
        world.send()
        assert world.status(mail) == "completed"

    def test_an_unroutable_mail_is_refused(self, world: SmallWorld, fail: Exit) -> None:
        """It has nobody to go to."""
        mail = world.receive(1, "nobody@else.example")
        code, text = fail("mail", "send-now", mail)
        assert code == 1
        assert f"{mail}: the mail has no targets: it is unroutable" in text


class TestSendNowThoughHeld:
    """``mail send-now`` of a mail that does not leave all the same."""

    def test_a_pause_is_told(self, world: SmallWorld, run: Run) -> None:
        """And what SES has stopped; once, though two targets wait."""
        mail = world.receive()
        run(queue, "pause", "--tenant", "house", "--by", "ann")
        stop = {"scope": "", "why": "suspended", "since": 1, "probe_at": 9, "probes": 0}
        world.items.write(Put("fleet", {"name": "stops", "version": 1, "standing": [stop]}))
        said = run(command, "send-now", mail).stdout.splitlines()
        assert said[0] == f"{mail}: it is sent now: 2 attempts were waiting"
        assert said[1].startswith("but sending of house is paused since ")
        assert said[2].startswith("but sending of the whole account is stopped since ")
        assert len(said) == 3

    def test_a_moderator_is_told_of(self, world: SmallWorld, run: Run) -> None:
        """Nothing was scheduled yet."""
        mail = world.receive(sender=NEWS)
        said = run(command, "send-now", mail).stdout.splitlines()
        assert said[1:] == ["but it is held for a moderator, by the rule newsletter"]


class TestRetry:
    """``mail retry``."""

    def test_what_failed_is_tried_again(self, world: SmallWorld, run: Run) -> None:
        """Each target that ended otherwise than well."""
        mail = world.receive()
        world.refuse(mail)
        assert world.status(mail) == "rejected"
        said = run(command, "retry", mail, "--by", "ann").stdout
        assert said == f"{mail}: 2 targets are tried again\n"
        assert TargetReopened(target=1, by="ann") in world.told()
        world.send()
        assert world.status(mail) == "completed"

    def test_what_nobody_knew_is_looked_up_again(self, world: SmallWorld, run: Run) -> None:
        """The alias was added meanwhile."""
        mail = world.receive(1, "new@house.example")
        assert world.status(mail) == "unroutable"
        world.repository.put("new@house.example", TARGETS, "house")
        said = run(command, "retry", mail).stdout
        assert said == f"{mail}: the mail is looked up again\n"
        assert world.status(mail) == "scheduled"

    def test_what_went_well_is_refused(self, world: SmallWorld, fail: Exit) -> None:
        """No mail twice by mistake."""
        mail = world.receive()
        world.send()
        code, text = fail("mail", "retry", mail)
        assert (code, text) == (
            1,
            f"mailtumble: refused: {mail}: nothing of the mail has failed: 2 completed\n",
        )


class TestEnding:
    """``mail expire`` and ``mail cancel``."""

    @pytest.mark.parametrize(
        ("verb", "status"), [("expire", Status.EXPIRED), ("cancel", Status.REJECTED)]
    )
    def test_what_waits_is_taken_out_of_the_queue(
        self, world: SmallWorld, run: Run, verb: str, status: Status
    ) -> None:
        """The sender does it, by a claim."""
        mail = world.receive()
        said = run(command, verb, mail, "--by", "ann", "--why", "too late").stdout
        assert said == f"{mail}: 2 open targets are called off\n"
        asked = [event for event in world.told() if isinstance(event, SendCancelRequested)]
        assert {event.ends_as for event in asked} == {status}
        assert {event.reason for event in asked} == {f"{verb} by ann: too late"}
        assert world.claim() == []
        assert world.status(mail) == status

    @pytest.mark.parametrize(
        ("verb", "status", "answer"),
        [
            ("expire", "expired", "the mail is expired"),
            ("cancel", "rejected", "the mail is cancelled"),
        ],
    )
    def test_what_is_held_ends_at_once(
        self, world: SmallWorld, run: Run, verb: str, status: str, answer: str
    ) -> None:
        """Nothing of it was scheduled."""
        mail = world.receive(sender=NEWS)
        assert run(command, verb, mail).stdout == f"{mail}: {answer}\n"
        assert world.status(mail) == status

    @pytest.mark.parametrize("verb", ["expire", "cancel"])
    def test_what_has_ended_is_refused(self, world: SmallWorld, fail: Exit, verb: str) -> None:
        """It stays as it ended."""
        mail = world.receive()
        world.send()
        code, text = fail("mail", verb, mail)
        assert (code, text) == (
            1,
            f"mailtumble: refused: {mail}: the mail has ended: 2 completed\n",
        )


VERBS = {"retry": Command.RETRY, "expire": Command.EXPIRE, "cancel": Command.CANCEL}


@pytest.mark.parametrize("verb", VERBS)
class TestMany:
    """What all three have in common: mails chosen by how they stand."""

    @pytest.fixture
    def mails(self, world: SmallWorld) -> list[str]:
        """Two that nobody knew the alias of, from different senders, and one that waits."""
        return [
            world.receive(1, "x@else.example"),
            world.receive(2, "y@else.example", sender="bob@else.example"),
            world.receive(3),
        ]

    def test_by_status(self, world: SmallWorld, mails: list[str], call: Call, verb: str) -> None:
        """All that stand so: for each there is an answer."""
        _, out, _ = call("mail", verb, "--status", "unroutable", "--yes", "--json")
        assert {each["id"] for each in json.loads(out)} == set(mails[:2])
        assert [each.command for each in _given(world)] == [VERBS[verb]] * 2

    @pytest.mark.parametrize(
        ("choice", "chosen"),
        [
            (["--sender", "*@example.net"], 0),
            (["--sender", "BOB@*"], 1),
            (["--recipient", "x@*"], 0),
            (["--recipient", "[xy]@*", "--sender", "bob*"], 1),
        ],
    )
    def test_narrowed_by_addresses(
        self, mails: list[str], call: Call, verb: str, choice: list[str], chosen: int
    ) -> None:
        """By patterns, whatever their case."""
        _, out, _ = call("mail", verb, "--status", "unroutable", *choice, "--yes", "--json")
        assert [each["id"] for each in json.loads(out)] == [mails[chosen]]

    def test_a_preview_changes_nothing(
        self, world: SmallWorld, mails: list[str], run: Run, verb: str
    ) -> None:
        """By status or by ids, and even with --yes."""
        before = world.told()
        for choice in (["--status", "unroutable"], mails[:2]):
            lines = run(command, verb, *choice, "--preview", "--yes").stdout.splitlines()
            reason = ["REASON"] if verb == "retry" else []
            assert lines[0].split() == ["MAIL", "STATUS", *reason, "FROM", "TO", "SUBJECT"]
            assert {line.split()[0] for line in lines[1:3]} == set(mails[:2])
            assert lines[3:] == [f"2 to {verb}"]
        assert world.told() == before

    def test_without_a_terminal_yes_has_to_be_said(
        self, world: SmallWorld, mails: list[str], fail: Exit, verb: str
    ) -> None:
        """Exit 2, and nothing is given."""
        del mails
        code, text = fail("mail", verb, "--status", "unroutable")
        assert (code, text) == (
            2,
            f"mailtumble: nobody is there to ask: add --yes to {verb} these 2\n",
        )
        assert _given(world) == []

    def test_at_a_terminal_a_person_is_asked(
        self, world: SmallWorld, mails: list[str], ask: Ask, verb: str
    ) -> None:
        """And may say no."""
        del mails
        said = ask(command, verb, "--status", "scheduled", answer="n\n").stdout
        assert f"{verb.capitalize()} 1? [y/N]: n" in said
        assert _given(world) == []

    def test_none_that_stands_so_is_no_failure(
        self, world: SmallWorld, mails: list[str], run: Run, verb: str
    ) -> None:
        """A hint."""
        del mails
        result = run(command, verb, "--status", "bounced", "--yes")
        assert (result.stdout, result.stderr) == ("", "Nothing fits.\n")
        assert _given(world) == []

    @pytest.mark.parametrize(
        "choice",
        [
            [],
            ["--yes"],
            ["--sender", "*"],
            ["ID", "--status", "parked"],
            ["ID", "--sender", "*"],
            ["ID", "--recipient", "*"],
        ],
    )
    def test_mails_are_named_or_chosen(
        self, world: SmallWorld, mails: list[str], fail: Exit, verb: str, choice: list[str]
    ) -> None:
        """Neither, or both, is a wrong call."""
        given = [mails[0] if each == "ID" else each for each in choice]
        code, text = fail("mail", verb, *given)
        assert (code, text.count("\n")) == (2, 1)
        assert "name mails by their ids, or choose them by --status" in text
        assert _given(world) == []

    def test_an_unknown_id_changes_nothing(
        self, world: SmallWorld, mails: list[str], fail: Exit, verb: str
    ) -> None:
        """Exit 1, though the other one is there."""
        code, text = fail("mail", verb, mails[0], "nope")
        assert code == 1
        assert "nope" in text
        assert _given(world) == []
