"""``mailtumble moderation``: held mail is listed, read, approved and rejected, once."""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING

import pytest

from mailtumble.cli.moderation import command
from schemas.events import CommandGiven, MailApproved, MailRejected
from schemas.values import DAY_US, Command
from tests.samples import bounced
from tests.unit.mailtumble.cli.small_world import HOUSE, NEWS

if TYPE_CHECKING:
    from tests.unit.mailtumble.cli.conftest import Ask, Call, Exit, Run
    from tests.unit.mailtumble.cli.small_world import SmallWorld

CARE = "care@house.example"
"""An alias that is moderated."""


@pytest.fixture
def held(world: SmallWorld) -> list[str]:
    """Three held mails: two by the rule newsletter, one by its alias; and one that is not."""
    world.repository.put(CARE, ("cat@far.example",), "house", moderated=True)
    mails = [
        world.receive(1, sender=NEWS),
        world.receive(2, CARE),
        world.receive(3, sender="other@news.example"),
    ]
    world.receive(4)
    return mails


def _given(world: SmallWorld) -> list[CommandGiven]:
    return [event for event in world.told() if isinstance(event, CommandGiven)]


class TestList:
    """``moderation list``."""

    def test_it_has_the_fields_of_held_mail(self, world: SmallWorld, run: Run) -> None:
        """What a moderator decides by; a mail that is not held is not among them."""
        world.receive(1)
        mail = world.receive(2, sender=NEWS)
        (row,) = json.loads(run(command, "list", "--json").stdout)
        assert row == {
            "mail_id": mail,
            "held_rule": "newsletter",
            "held_reason": "read it first",
            "held_until": "2025-10-12T08:53:21.500000Z",
            "received_at": "2025-10-09T08:53:21.000000Z",
            "envelope_sender": NEWS,
            "recipient": HOUSE,
            "subject": "mail 2",
            "size_bytes": 2048,
        }

    def test_the_one_whose_time_ends_first_is_on_top(self, held: list[str], run: Run) -> None:
        """That is the one to look at."""
        rows = json.loads(run(command, "list", "--json").stdout)
        assert [row["mail_id"] for row in rows] == held
        assert [row["held_rule"] for row in rows] == [
            "newsletter",
            "moderated alias",
            "newsletter",
        ]

    def test_for_people_it_is_a_table(self, held: list[str], run: Run) -> None:
        """One line a mail."""
        lines = run(command, "list").stdout.splitlines()
        assert lines[0].split() == ["MAIL", "RULE", "UNTIL", "FROM", "TO", "SUBJECT"]
        assert lines[1].startswith(f"{held[0]}  newsletter       2025-10-12 08:53  {NEWS}")
        assert len(lines) == 4

    def test_what_is_decided_is_gone(self, held: list[str], run: Run) -> None:
        """Approved or rejected, it is not held any more."""
        run(command, "approve", held[0])
        run(command, "reject", held[1])
        rows = json.loads(run(command, "list", "--json").stdout)
        assert [row["mail_id"] for row in rows] == [held[2]]

    def test_nothing_held_is_said(self, world: SmallWorld, run: Run) -> None:
        """On stderr; JSON stays JSON."""
        world.receive()
        result = run(command, "list")
        assert (result.stdout, result.stderr) == (
            "",
            "No mail is held. What core has not read yet is undecided: mailtumble queue status.\n",
        )
        assert json.loads(run(command, "list", "--json").stdout) == []


class TestShow:
    """``moderation show``."""

    MAIL = b"From: eve@news.example\r\nSubject: hi\r\n\r\nRead\tthis \x1b[2J now\r\n"

    def test_it_reads_the_mail(self, world: SmallWorld, run: Run) -> None:
        """As text that steers no terminal; held or not."""
        for number, sender in ((1, NEWS), (2, "ann@example.net")):
            mail = world.receive(number, sender=sender)
            world.kept.put("mail", f"inbound/ses-in-{number}", self.MAIL)
            text = run(command, "show", mail[:8]).stdout
            assert text == (
                "From: eve@news.example\nSubject: hi\n\n[text/plain]\nRead    this \\x1b[2J now\n\n"
            )

    def test_json_has_id_status_and_text(self, world: SmallWorld, run: Run) -> None:
        """For a page of somebody's own."""
        mail = world.receive(sender=NEWS)
        world.kept.put("mail", "inbound/ses-in-1", self.MAIL)
        printed = run(command, "show", mail, "--json").stdout
        shown = json.loads(printed)
        assert (shown["mail_id"], shown["status"]) == (mail, "held")
        assert shown["text"].endswith("[text/plain]\nRead\tthis \x1b[2J now\r\n")
        assert "\x1b" not in printed

    def test_a_mail_whose_bytes_are_gone_is_a_failure(self, world: SmallWorld, fail: Exit) -> None:
        """A line that names the place."""
        mail = world.receive(sender=NEWS)
        code, text = fail("moderation", "show", mail)
        assert (code, text) == (1, "mailtumble: s3://mail/inbound/ses-in-1 does not exist\n")

    def test_a_mail_that_never_came_in_has_nothing_to_read(
        self, world: SmallWorld, fail: Exit
    ) -> None:
        """Feedback may be about another set-up's mail: all there is of it is an id."""
        world.append("not-ours", bounced())
        world.work()
        code, text = fail("moderation", "show", "not-ours")
        assert code == 1
        assert text == "mailtumble: where the bytes of mail not-ours lie is not known\n"

    def test_an_unknown_id_is_a_failure(self, world: SmallWorld, fail: Exit) -> None:
        """It is named."""
        world.receive(sender=NEWS)
        code, text = fail("moderation", "show", "nope")
        assert (code, text.count("\n")) == (1, 1)
        assert "nope" in text


class TestByIds:
    """A person names the mails."""

    def test_approved_mail_goes(self, world: SmallWorld, held: list[str], run: Run) -> None:
        """Who and why stand on the log; the others wait on."""
        said = run(command, "approve", held[0][:8], "--by", "ann", "--why", "a customer").stdout
        assert said == f"{held[0]}: the mail is approved\n"
        assert [world.status(mail) for mail in held] == ["scheduled", "held", "held"]
        assert MailApproved(by="ann", why="a customer") in world.told()

    def test_rejected_mail_ends(
        self, world: SmallWorld, held: list[str], run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By the user's name, where none is told."""
        monkeypatch.setattr(getpass, "getuser", lambda: "moe")
        said = run(command, "reject", held[1], held[2], "--why", "spam").stdout
        assert said == "".join(f"{mail}: the mail is rejected\n" for mail in held[1:])
        assert [world.status(mail) for mail in held] == ["held", "rejected", "rejected"]
        assert MailRejected(by="moe", why="spam") in world.told()

    def test_json_has_an_answer_for_each(self, held: list[str], run: Run) -> None:
        """A mail that was named twice is asked about once."""
        said = run(command, "approve", held[0], held[2], held[0][:8], "--json").stdout
        assert json.loads(said) == [
            {"id": mail, "accepted": True, "answer": "the mail is approved"}
            for mail in (held[0], held[2])
        ]

    def test_the_second_decision_is_refused(
        self, world: SmallWorld, held: list[str], run: Run, call: Call
    ) -> None:
        """Exit 1 and one line: which mail, and what was decided; what could be done is done."""
        run(command, "approve", held[0], "--by", "ann")
        code, out, err = call("moderation", "reject", held[0], held[1], "--by", "bob")
        assert code == 1
        assert out == f"{held[1]}: the mail is rejected\n"
        assert err == (f"mailtumble: refused: {held[0]}: the mail is not held: approved by ann\n")
        assert [world.status(mail) for mail in held[:2]] == ["scheduled", "rejected"]

    def test_a_refusal_in_json_is_an_answer(self, held: list[str], run: Run, call: Call) -> None:
        """JSON on stdout as ever; exit 1 all the same."""
        run(command, "reject", held[0], "--by", "ann")
        code, out, err = call("moderation", "approve", held[0], "--json")
        assert code == 1
        assert json.loads(out) == [
            {
                "id": held[0],
                "accepted": False,
                "answer": "the mail is not held: rejected by ann",
            }
        ]
        assert err.count("\n") == 1

    def test_what_no_rule_holds_is_refused(self, world: SmallWorld, fail: Exit) -> None:
        """It goes anyway."""
        mail = world.receive()
        code, text = fail("moderation", "approve", mail)
        assert (code, text) == (
            1,
            f"mailtumble: refused: {mail}: the mail is not held: no rule holds it\n",
        )

    def test_names_that_steer_a_terminal_do_not_reach_it(
        self, held: list[str], run: Run, fail: Exit
    ) -> None:
        """An error repeats what somebody else gave as his name."""
        run(command, "approve", held[0], "--by", "\x1b[2Jann")
        _, text = fail("moderation", "approve", held[0])
        assert r"approved by \x1b[2Jann" in text

    def test_an_unknown_id_changes_nothing(
        self, world: SmallWorld, held: list[str], fail: Exit
    ) -> None:
        """All mails are found before the first command is given."""
        code, text = fail("moderation", "approve", held[0], "nope")
        assert code == 1
        assert "nope" in text
        assert _given(world) == []

    def test_without_core_the_command_waits_on_the_log(
        self, world: SmallWorld, held: list[str], fail: Exit
    ) -> None:
        """Exit 1 after a minute; core obeys when it is back."""
        world.asleep = True
        before = world.clock.now()
        code, text = fail("moderation", "approve", *held[:2])
        assert code == 1
        assert text.startswith("mailtumble: 2 of 2 commands are not answered yet: is core at work?")
        assert text.count("\n") == 1
        assert 60 <= (world.clock.now() - before) / 1_000_000 < 61
        world.work()
        assert [world.status(mail) for mail in held] == ["scheduled", "scheduled", "held"]

    def test_the_clock_may_have_decided_before(
        self, world: SmallWorld, held: list[str], fail: Exit
    ) -> None:
        """Three days were enough."""
        world.clock.advance(3 * DAY_US / 1_000_000 + 10)
        world.tick()
        code, text = fail("moderation", "approve", held[0])
        assert code == 1
        assert f"{held[0]}: the mail is not held: expired by the rule newsletter" in text


class TestMany:
    """A person chooses the mails by what they are."""

    @pytest.mark.parametrize(
        ("choice", "chosen"),
        [
            (["--all"], [0, 1, 2]),
            (["--rule", "newsletter"], [0, 2]),
            (["--rule", "moderated alias"], [1]),
            (["--sender", "*@NEWS.example"], [0, 2]),
            (["--sender", NEWS], [0]),
            (["--recipient", "care@*"], [1]),
            (["--rule", "newsletter", "--sender", "other@*"], [2]),
            (["--all", "--sender", "other@*"], [2]),
        ],
    )
    def test_all_that_fit_are_decided(
        self, world: SmallWorld, held: list[str], run: Run, choice: list[str], chosen: list[int]
    ) -> None:
        """Of several conditions each narrows the choice."""
        run(command, "reject", *choice, "--yes")
        assert [world.status(mail) == "rejected" for mail in held] == [
            place in chosen for place in range(3)
        ]

    def test_the_null_sender_can_be_chosen(self, world: SmallWorld, run: Run) -> None:
        """As it is shown."""
        world.repository.put(CARE, ("cat@far.example",), "house", moderated=True)
        bounce = world.receive(1, CARE, sender="")
        other = world.receive(2, CARE)
        run(command, "reject", "--sender", "<>", "--yes")
        assert (world.status(bounce), world.status(other)) == ("rejected", "held")

    @pytest.mark.parametrize("more", [[], ["--yes"], ["--why", "no"]])
    def test_a_preview_changes_nothing(
        self, world: SmallWorld, held: list[str], run: Run, more: list[str]
    ) -> None:
        """It shows what would be done, by whatever the mails are chosen."""
        before = world.told()
        for choice in (["--rule", "newsletter"], [held[0], held[2][:8]]):
            lines = run(command, "approve", *choice, "--preview", *more).stdout.splitlines()
            assert lines[0].startswith("MAIL")
            assert [line.split()[0] for line in lines[1:]] == [held[0], held[2], "2"]
            assert lines[-1] == "2 to approve"
        assert world.told() == before

    def test_a_preview_in_json_has_no_answers_yet(
        self, world: SmallWorld, held: list[str], run: Run
    ) -> None:
        """The same shape, with null."""
        said = run(command, "approve", "--all", "--preview", "--json").stdout
        assert json.loads(said) == [{"id": mail, "accepted": None, "answer": None} for mail in held]
        assert _given(world) == []

    def test_a_long_preview_is_cut(self, world: SmallWorld, run: Run) -> None:
        """The number is told."""
        for number in range(23):
            world.receive(number, sender=NEWS)
        lines = run(command, "reject", "--all", "--preview").stdout.splitlines()
        assert len(lines) == 1 + 20 + 2
        assert lines[-2:] == ["... and 3 more", "23 to reject"]

    def test_without_a_terminal_nobody_can_be_asked(
        self, world: SmallWorld, held: list[str], call: Call
    ) -> None:
        """A wrong call: exit 2, one line on stderr, nothing given."""
        code, out, err = call("moderation", "approve", "--all")
        assert code == 2
        assert held[0] in out
        assert err == "mailtumble: nobody is there to ask: add --yes to approve these 3\n"
        assert _given(world) == []

    def test_json_is_for_nobody_who_can_be_asked(
        self, world: SmallWorld, held: list[str], call: Call
    ) -> None:
        """Nor does a question stand in the middle of it."""
        code, out, err = call("moderation", "approve", "--all", "--json")
        assert (code, out) == (2, "")
        assert err == ("mailtumble: with --json nobody is asked: add --yes to approve these 3\n")
        assert [world.status(mail) for mail in held] == ["held"] * 3

    def test_at_a_terminal_a_person_is_asked(
        self, world: SmallWorld, held: list[str], ask: Ask
    ) -> None:
        """No: nothing is done. Yes: all of it."""
        said = ask(command, "approve", "--all", answer="n\n").stdout
        assert "3 to approve\nApprove 3? [y/N]: n\n" in said
        assert _given(world) == []
        said = ask(command, "approve", "--all", answer="y\n").stdout
        assert said.endswith("".join(f"{mail}: the mail is approved\n" for mail in held))
        assert [each.command for each in _given(world)] == [Command.APPROVE] * 3

    @pytest.mark.parametrize("more", [[], ["--yes"], ["--preview"]])
    def test_nothing_that_fits_is_no_failure(
        self, world: SmallWorld, held: list[str], run: Run, more: list[str]
    ) -> None:
        """A hint, or an empty array."""
        result = run(command, "approve", "--rule", "no such", *more)
        assert (result.stdout, result.stderr) == ("", "Nothing fits.\n")
        said = run(command, "approve", "--rule", "no such", "--json", *more).stdout
        assert json.loads(said) == []
        assert [world.status(mail) for mail in held] == ["held"] * 3

    def test_many_refusals_are_one_line(
        self, world: SmallWorld, fail: Exit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first twenty by name, the others by their number."""
        mails = [world.receive(number) for number in range(23)]
        monkeypatch.setattr(getpass, "getuser", lambda: "moe")
        code, text = fail("moderation", "reject", *mails)
        assert (code, text.count("\n")) == (1, 1)
        assert text.count("no rule holds it") == 20
        assert text.endswith("; and 3 more\n")


@pytest.mark.parametrize("verb", ["approve", "reject"])
@pytest.mark.parametrize(
    "choice",
    [
        [],
        ["--yes"],
        ["--why", "x"],
        ["ID", "--all"],
        ["ID", "--rule", "newsletter"],
        ["ID", "--sender", "*"],
        ["ID", "--recipient", "*"],
    ],
)
def test_mails_are_named_or_chosen(
    world: SmallWorld, fail: Exit, verb: str, choice: list[str]
) -> None:
    """Neither, or both, is a wrong call: exit 2 and one line."""
    mail = world.receive(sender=NEWS)
    code, text = fail("moderation", verb, *(mail if each == "ID" else each for each in choice))
    assert (code, text) == (
        2,
        "mailtumble: name mails by their ids, or choose by --all, --rule, --sender, --recipient\n",
    )
    assert _given(world) == []
