"""``mailtumble mail retry --status``: what failed, and nothing that somebody refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mailtumble.cli.mail import command
from mailtumble.cli.moderation import command as moderation
from schemas.events import (
    CommandGiven,
    SendParked,
    TargetReopened,
)
from schemas.values import Command
from tests.samples import failed
from tests.unit.mailtumble.cli.small_world import BANNED, NEWS

if TYPE_CHECKING:
    from tests.unit.mailtumble.cli.conftest import Call, Run
    from tests.unit.mailtumble.cli.small_world import SmallWorld


def _given(world: SmallWorld) -> list[CommandGiven]:
    return [event for event in world.told() if isinstance(event, CommandGiven)]


class TestRetryOfMany:
    """``mail retry --status``: what failed, not what was refused."""

    @pytest.fixture
    def mails(self, world: SmallWorld, run: Run) -> dict[str, str]:
        """Five that are rejected: by SES, by a moderator, by a rule, and cancelled in two ways."""
        mails = {"ses": world.receive(1)}
        world.refuse(mails["ses"])
        mails["moderator"] = world.receive(2, sender=NEWS)
        run(moderation, "reject", mails["moderator"], "--by", "ann", "--why", "spam")
        mails["rule"] = world.receive(3, sender=BANNED)
        mails["held"] = world.receive(4, sender=NEWS)
        run(command, "cancel", mails["held"], "--by", "bob")
        mails["queued"] = world.receive(5)
        run(command, "cancel", mails["queued"], "--by", "bob", "--why", "wrong text")
        world.claim()
        assert {world.status(each) for each in mails.values()} == {"rejected"}
        return mails

    def test_what_was_refused_is_left_out(
        self, world: SmallWorld, run: Run, mails: dict[str, str]
    ) -> None:
        """Only what SES refused is sent again; how many are left out is told, and why."""
        said = run(command, "retry", "--status", "rejected", "--yes").stdout.splitlines()
        assert said[0] == f"{mails['ses']}: 2 targets are tried again"
        assert said[1].startswith("4 left out (")
        for why in ("1 rejected by ann", "1 rejected by the rule banned", "1 rejected by bob"):
            assert why in said[1]
        assert "1 called off (cancel by bob: wrong text)" in said[1]
        assert {world.status(mails[each]) for each in mails if each != "ses"} == {"rejected"}
        (order,) = [each for each in _given(world) if each.command is Command.RETRY]
        assert order.detail == "rejected"

    def test_the_preview_shows_why_each_ended(self, run: Run, mails: dict[str, str]) -> None:
        """A column of its own, and below it what is left out."""
        said = run(command, "retry", "--status", "rejected", "--preview").stdout.splitlines()
        assert said[0].split()[:3] == ["MAIL", "STATUS", "REASON"]
        assert said[1].split()[0] == mails["ses"]
        assert "MessageRejected: said SES" in said[1]
        assert said[2] == "1 to retry"
        assert said[3].startswith("4 left out (")

    def test_the_preview_for_machines_tells_it_too(self, call: Call, mails: dict[str, str]) -> None:
        """Null where nothing was done yet, false where nothing will be."""
        _, out, _ = call("mail", "retry", "--status", "rejected", "--preview", "--json")
        told = {each["id"]: (each["accepted"], each["answer"]) for each in json.loads(out)}
        assert told[mails["ses"]] == (None, None)
        assert told[mails["rule"]] == (False, "left out: rejected by the rule banned")
        assert len(told) == 5

    def test_where_all_is_left_out_nothing_else_fits(
        self, world: SmallWorld, run: Run, mails: dict[str, str]
    ) -> None:
        """No failure, and no command."""
        del mails
        result = run(command, "retry", "--status", "rejected", "--sender", NEWS, "--yes")
        assert result.stdout.startswith("2 left out (")
        assert result.stderr == "Nothing else fits.\n"
        assert not [each for each in _given(world) if each.command is Command.RETRY]

    @pytest.mark.parametrize("which", ["moderator", "rule", "held", "queued"])
    def test_a_mail_that_is_named_is_sent_all_the_same(
        self, world: SmallWorld, run: Run, mails: dict[str, str], which: str
    ) -> None:
        """Whoever names it has seen what became of it; a preview shows it."""
        shown = run(command, "retry", mails[which], "--preview").stdout
        assert " by " in shown.splitlines()[1]
        run(command, "retry", mails[which])
        assert world.status(mails[which]) == "scheduled"

    def test_only_targets_of_that_status_are_sent_to_again(
        self, world: SmallWorld, run: Run
    ) -> None:
        """The other one was refused by SES for good, and nobody asked for it."""
        mail = world.receive()
        first, second = (job.entry for job in world.claim())
        world.append(mail, failed(first.attempt_id, first.target), cause="first")
        world.append(mail, SendParked(target=second.target, reason="a record"), cause="second")
        world.work()
        assert world.status(mail) == "parked"
        said = run(command, "retry", "--status", "parked", "--yes", "--by", "ann").stdout
        assert said == f"{mail}: 1 targets are tried again\n"
        again = [event for event in world.told() if isinstance(event, TargetReopened)]
        assert again == [TargetReopened(target=second.target, by="ann")]

    def test_a_mail_without_targets_has_a_reason_too(self, world: SmallWorld, run: Run) -> None:
        """And is looked up again."""
        mail = world.receive(1, "x@else.example")
        said = run(command, "retry", "--status", "unroutable", "--preview").stdout
        assert "nobody knows the alias" in said
        said = run(command, "retry", "--status", "unroutable", "--yes").stdout
        assert said == f"{mail}: the mail is looked up again\n"
