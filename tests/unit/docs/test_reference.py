"""The reference pages say what the code does: they are the code's own answer."""

from __future__ import annotations

import html
import inspect
import re
import subprocess
import sys
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.local.stack import LOCAL_SETTINGS
from mailtumble.moderation_rules import KEYS, read_rules
from mailtumble.settings import Settings, load_settings
from processors import mail
from processors.moderation.rules import Facts, judge_mail
from schemas.events import EVENT_TYPES, Event
from schemas.structure import personal_fields
from schemas.values import DAY_US, ENDED, ModerationAction, OnExpiry, Status, Verdicts
from tests.event_strategies import events
from tools.reference import commands, pages, statuses

EVENTS, COMMANDS, SETTINGS, STATUSES, RULES = (
    (pages.FOLDER / name).read_text(encoding="utf-8")
    for name in ("events.md", "commands.md", "settings.md", "statuses.md", "moderation-rules.md")
)


def _rows(page: str, width: int) -> list[list[str]]:
    """The cells of every table row of so many columns, headings left out."""
    # A bar with a backslash before it belongs to a cell.
    lines = [
        re.split(r"(?<!\\)\|", line.strip("|"))
        for line in page.splitlines()
        if line.startswith("| ")
    ]
    return [[cell.strip() for cell in cells] for cells in lines if len(cells) == width]


def test_no_page_is_stale() -> None:
    """After a change of events, folds, settings or commands: python -m tools.reference."""
    assert list(pages.stale()) == []


def test_a_stale_page_is_noticed(tmp_path: Path) -> None:
    """One that was changed by hand, and those that are missing."""
    (tmp_path / "events.md").write_text(EVENTS.replace("microseconds", "seconds"), encoding="utf-8")
    (tmp_path / "commands.md").write_text(COMMANDS, encoding="utf-8")
    assert list(pages.stale(tmp_path)) == [
        "events.md",
        "metrics.md",
        "moderation-rules.md",
        "settings.md",
        "statuses.md",
    ]


def test_the_check_is_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It writes what is missing, and with --check it only complains."""
    folder = tmp_path / "reference"
    assert pages.main(["--check"], folder) == 1
    assert not folder.exists()
    assert pages.main([], folder) == 0
    assert pages.main(["--check"], folder) == 0
    assert "events.md is stale" in capsys.readouterr().out


@pytest.mark.programs
def test_the_check_runs_as_it_is_documented() -> None:
    """As make lint runs it."""
    command = [sys.executable, "-m", "tools.reference", "--check"]
    ran = subprocess.run(
        command, cwd=pages.FOLDER.parents[1], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
def test_every_event_is_listed_with_its_personal_fields_marked(kind: type[Event]) -> None:
    """Name, first sentence, and each field that can be sealed."""
    _, _, part = EVENTS.partition(f"### {kind.__name__} (version ")
    part = part.partition("\n### ")[0]
    assert str(kind.__doc__).splitlines()[0] in part
    marked = {row[0].strip("`") for row in _rows(part, 4) if row[2] == "yes"}
    assert marked == personal_fields(kind)


def test_every_status_has_a_meaning_and_a_column() -> None:
    """The ended ones a column each, the others are open."""
    rows = {row[0].strip("`"): row for row in _rows(STATUSES, 3) if row[0] != "status"}
    assert list(rows) == [str(status) for status in Status]
    for status in Status:
        _, meaning, column = rows[str(status)]
        assert meaning
        assert column == (f"ended: {status}" if status in ENDED else "open")


def test_every_event_stands_in_a_table_or_among_the_silent_ones() -> None:
    """No event is forgotten."""
    named = {row[0].split("`")[1] for row in _rows(STATUSES, 5) if row[0] != "event"}
    silent = {name.strip("`") for name in statuses.silent()}
    assert named | silent == {kind.__name__ for kind in EVENT_TYPES}
    assert not named & silent


@pytest.mark.parametrize(
    ("event", "begun", "status", "column"),
    [
        ("`SendAccepted`", "sending", "completed", "ended: completed"),
        ("`BounceReceived`", "completed", "bounced", "ended: bounced"),
        ("`SendDeferred` (not called)", "sending", "scheduled", "open"),
        ("`SendUnknown`", "sending", "unknown", "open"),
        ("`RouteNotFound`", "deferred", "unroutable", "ended: unroutable"),
        ("`MailHeld`", "received", "held", "open"),
        ("`MailApproved`", "held", "received", "open"),
        ("`MailRejected`", "held", "rejected", "ended: rejected"),
        ("`MailExpired`", "held", "expired", "ended: expired"),
        ("`TargetReopened`", "bounced", "received", "open"),
        ("`RouteReopened`", "unroutable", "received", "open"),
        ("`RecordRedriven`", "parked", "received", "open"),
        ("`SendSuppressed`", "scheduled", "rejected", "ended: rejected"),
        ("`SendCancelled`", "scheduled", "expired", "ended: expired"),
        ("`SendCancelled`", "scheduled", "rejected", "ended: rejected"),
    ],
)
def test_some_rows_that_everybody_relies_on(
    event: str, begun: str, status: str, column: str
) -> None:
    """A change of the fold may make a page stale; these few have to stay true."""
    found = [row for row in _rows(STATUSES, 5) if row[0] == event and begun in row[1].split(", ")]
    assert [event, status, status, column] in [[row[0], *row[2:]] for row in found]


def test_the_histories_behind_the_table_reach_every_status() -> None:
    """Every status is a starting point, with a target or without; an event leads to each."""
    begun, targets = (
        {mail.fold(mail.INITIAL, history).status for history in histories}
        for histories in (statuses.BEFORE_TARGETS, statuses.WITH_TARGET)
    )
    assert targets == set(Status) - {Status.UNROUTABLE}
    assert begun == {
        Status.RECEIVED,
        Status.DEFERRED,
        Status.PARKED,
        Status.UNROUTABLE,
        Status.EXPIRED,
        Status.REJECTED,
    }
    assert statuses.unreached() == []
    assert "Events lead to each of them." in STATUSES


def test_a_history_has_targets_or_none() -> None:
    """The tables are told apart by that."""
    for history in statuses.BEFORE_TARGETS:
        assert not mail.fold(mail.INITIAL, history).sending.targets
    for history in (*statuses.WITH_TARGET, *statuses.OLDER):
        assert len(mail.fold(mail.INITIAL, history).sending.targets) == 1


def test_only_events_about_something_else_are_silent() -> None:
    """Each says what somebody wants, why, or that all is over; none says where a mail stands."""
    assert {name.strip("`") for name in statuses.silent()} == {
        "ModerationDecided",
        "SendCancelRequested",
        "SendTimeSet",
        "SendRescheduled",
        "MailCompleted",
        "AddressBounced",
        "AddressComplained",
        "AddressDelivered",
        "AddressSuppressed",
        "AddressReleased",
        "TimerFired",
        "QuotaObserved",
        "CommandGiven",
        "CommandAnswered",
        "SendingPaused",
        "SendingRestored",
        "SendingResumed",
        "SendingStopped",
        "AliasChanged",
        "AliasRemoved",
        "WorkerStarted",
    }


@given(st.lists(events(), max_size=12))
def test_every_target_stands_in_one_column(told: list[Event]) -> None:
    """Whatever is told: received = ended by kind + open, for each mail's targets."""
    state = mail.fold(mail.INITIAL, told)
    found = [target.status for target in state.sending.targets]
    columns = [statuses.column(status) for status in found]
    ended = sum(each.startswith("ended: ") for each in columns)
    assert ended == sum(status in ENDED for status in found)
    assert ended + columns.count("open") == len(found)


@pytest.mark.parametrize("known", fields(Settings), ids=lambda known: known.name)
def test_every_setting_is_listed(known: Field[Any]) -> None:
    """With its variable, its default, what is local, what is allowed and what it means."""
    (row,) = [row for row in _rows(SETTINGS, 6) if row[0] == f"`{known.name}`"]
    _, variable, default, local, allowed, meaning = row
    assert variable == f"`MAILTUMBLE_{known.name.upper()}`"
    assert default == (f"`{known.default}`" if known.default != "" else "(empty)")
    assert local.strip("`") == LOCAL_SETTINGS.get(variable.strip("`"), "")
    assert allowed == known.metadata["allowed"]
    assert html.unescape(meaning) == known.metadata["meaning"]


def test_what_is_set_locally_are_settings() -> None:
    """Each stands in the column, and each is allowed."""
    assert set(LOCAL_SETTINGS) <= {row[1].strip("`") for row in _rows(SETTINGS, 6)}
    load_settings(LOCAL_SETTINGS)


def test_the_example_of_a_file_is_one(tmp_path: Path) -> None:
    """It can be copied as it stands."""
    _, _, rest = SETTINGS.partition("```toml\n")
    file = tmp_path / "mailtumble.toml"
    file.write_text(rest.partition("```")[0], encoding="utf-8")
    settings = load_settings({"MAILTUMBLE_CONFIG": str(file)})
    assert settings.region == "eu-west-1"


@pytest.mark.parametrize("context", list(commands.contexts()), ids=lambda each: each.command_path)
def test_every_command_is_listed(context: click.Context) -> None:
    """With its help, and every option in its own table or in that of the common ones."""
    _, _, part = COMMANDS.partition(f"# {context.command_path}\n")
    part = html.unescape(part.partition("\n## ")[0].partition("\n### ")[0])
    help_text = inspect.cleandoc(context.command.help or "")
    assert help_text.partition("\n\n")[0] in part
    for line in commands.examples(context.command):
        assert line in part.splitlines()
    _, _, shared = COMMANDS.partition("## Options of every command\n")
    listed = {row[0] for row in _rows(part + shared.partition("\n## ")[0], 2)}
    for option in context.command.get_params(context):
        if isinstance(option, click.Option):
            names = ", ".join(sorted(option.opts, key=len))
            assert any(each.startswith(f"`{names}") for each in listed), names


class TestModerationRules:
    """The page of the file of moderation rules."""

    @pytest.mark.parametrize("key", KEYS)
    def test_every_key_is_listed(self, key: str) -> None:
        """With what it takes, the action it goes with, and what it means."""
        (row,) = [row for row in _rows(RULES, 5) if row[0] == f"`{key}`"]
        _, allowed, _, action, meaning = map(html.unescape, row)
        assert allowed == KEYS[key].allowed
        assert action == (f'`action = "{KEYS[key].only}"`' if KEYS[key].only else "")
        assert meaning
        assert ":class:" not in meaning

    def test_every_value_has_a_meaning(self) -> None:
        """Of the actions, and of what comes in the end."""
        rows = [row[0].strip('`"') for row in _rows(RULES, 2) if row[1] and row[0] != "value"]
        assert rows == [*map(str, ModerationAction), *map(str, OnExpiry)]

    @pytest.mark.parametrize(
        ("changes", "action", "rule", "tags"),
        [
            ({}, "pass", "", ()),
            ({"moderated": True}, "hold", "moderated alias", ()),
            ({"verdicts": Verdicts(virus="FAIL", spf="PASS")}, "reject", "virus", ()),
            (
                {"envelope_sender": "a@house.example", "moderated": True,
                 "verdicts": Verdicts(spf="PASS", spam="GRAY")},
                "pass", "our own servers", (),
            ),
            ({"envelope_sender": "a@house.example"}, "pass", "", ()),
            ({"verdicts": Verdicts(spam="GRAY")}, "hold", "spam", ()),
            ({"headers": (("list-id", "x"),)}, "pass", "", ("list",)),
            (
                {"headers": (("List-ID", "x"),), "size_bytes": 10_000_001},
                "hold", "large", ("list",),
            ),
            ({"size_bytes": 10_000_000}, "pass", "", ()),
        ],
    )  # fmt: skip
    def test_the_example_does_what_is_said_of_it(
        self, tmp_path: Path, changes: dict[str, Any], action: str, rule: str, tags: tuple[str, ...]
    ) -> None:
        """It can be copied as it stands."""
        _, _, rest = RULES.partition("```toml\n")
        file = tmp_path / "rules.toml"
        file.write_text(rest.partition("```")[0], encoding="utf-8")
        facts: dict[str, Any] = {
            "envelope_sender": "eve@else.example",
            "recipient": "info@house.example",
            "size_bytes": 2048,
            "verdicts": Verdicts(),
            "moderated": False,
            "headers": (),
        }
        verdict = judge_mail(read_rules(file), Facts(**{**facts, **changes}))
        assert (verdict.action, verdict.rule, verdict.tags) == (action, rule, tags)
        if rule == "spam":
            assert verdict.expires_after_us == DAY_US
            assert verdict.on_expiry is OnExpiry.REJECT
        if rule == "large":
            assert verdict.expires_after_us == 3 * DAY_US
            assert verdict.on_expiry is OnExpiry.APPROVE
