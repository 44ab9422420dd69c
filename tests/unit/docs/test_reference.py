"""The reference pages say what the code does: they are the code's own answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors import mail
from schemas.events import EVENT_TYPES, Event
from schemas.structure import personal_fields
from schemas.values import ENDED, Status
from tests.event_strategies import events
from tools import reference

EVENTS = (reference.FOLDER / "events.md").read_text(encoding="utf-8")
STATUSES = (reference.FOLDER / "statuses.md").read_text(encoding="utf-8")


def _rows(page: str, width: int) -> list[list[str]]:
    """The cells of every table row of so many columns, headings left out."""
    lines = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in cells] for cells in lines if len(cells) == width]


def test_no_page_is_stale() -> None:
    """After a change of events or folds: python -m tools.reference."""
    assert reference.stale() == []


def test_a_stale_page_is_noticed(tmp_path: Path) -> None:
    """One that was changed by hand, and one that is missing."""
    (tmp_path / "events.md").write_text(EVENTS.replace("microseconds", "seconds"), encoding="utf-8")
    assert reference.stale(tmp_path) == ["events.md", "statuses.md"]


def test_the_check_is_a_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It writes what is missing, and with --check it only complains."""
    folder = tmp_path / "reference"
    monkeypatch.setattr(reference, "FOLDER", folder)
    monkeypatch.setattr(reference.stale, "__defaults__", (folder,))
    assert reference.main(["--check"]) == 1
    assert not folder.exists()
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    assert "events.md is stale" in capsys.readouterr().out


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
    silent = {name.strip("`") for name in reference.silent()}
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
    ],
)
def test_some_rows_that_everybody_relies_on(
    event: str, begun: str, status: str, column: str
) -> None:
    """A change of the fold may make a page stale; these few have to stay true."""
    found = [row for row in _rows(STATUSES, 5) if row[0] == event and begun in row[1].split(", ")]
    assert [event, status, status, column] in [[row[0], *row[2:]] for row in found]


def test_the_histories_behind_the_table_reach_every_status_but_held() -> None:
    """Every status that a target can have today is a starting point; nothing leads to held."""
    histories = (*reference.BEFORE_TARGETS, *reference.WITH_TARGET)
    begun = {mail.fold(mail.INITIAL, history).status for history in histories}
    reached = {
        after
        for group in (reference.BEFORE_TARGETS, reference.WITH_TARGET, reference.OLDER)
        for ways in reference.transitions(group).values()
        for after in ways
    }
    assert begun | reached == set(Status) - {Status.HELD}
    assert set(Status) - begun == {Status.HELD, Status.UNROUTABLE}


@given(st.lists(events(), max_size=12))
def test_every_target_stands_in_one_column(told: list[Event]) -> None:
    """Whatever is told: received = ended by kind + open, for each mail's targets."""
    state = mail.fold(mail.INITIAL, told)
    statuses = [target.status for target in state.sending.targets]
    columns = [reference.column(status) for status in statuses]
    ended = sum(each.startswith("ended: ") for each in columns)
    assert ended == sum(status in ENDED for status in statuses)
    assert ended + columns.count("open") == len(statuses)
