"""The model agrees with the printed tables of statuses, and with the fold that it checks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors import mail
from processors.audit.model import MailModel
from schemas.values import Status
from tests.samples import (
    accepted,
    bounced,
    deferred,
    delivered,
    fact,
    failed,
    received,
    rejected,
    resolved,
    scheduled,
    started,
    unknown,
)
from tools.reference import statuses as reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.events import Event

PAGE = Path(__file__).parents[5] / "docs" / "reference" / "statuses.md"
EVERY_HISTORY = [history for histories in reference.ALL for history in histories]
EVERY_EVENT = dict(reference._told())


def model(events: Sequence[Event]) -> MailModel:
    """A message of which these events were accepted, each in a record of its own."""
    found = MailModel()
    for number, event in enumerate(events):
        found.take(fact(event, name=f"fact-{number}"), arrived_at=number)
    return found


def printed_rows(heading: str) -> list[tuple[str, set[str], str]]:
    """The rows of a table of the page: event, statuses before, status of the target after."""
    section = PAGE.read_text().partition(f"## {heading}")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \| (.*?) \| (.*?) \| .* \| .* \|$", section, re.MULTILINE)
    return [(name, set(before.split(", ")), after) for name, before, after in rows]


@pytest.mark.parametrize(
    ("heading", "histories"),
    [
        ("Before a mail has targets", reference.BEFORE_TARGETS),
        ("What is told of a target's current attempt", reference.WITH_TARGET),
        ("What is told of an older attempt", reference.OLDER),
    ],
)
def test_the_model_follows_every_row_of_the_printed_tables(
    heading: str, histories: Sequence[Sequence[Event]]
) -> None:
    """Each row holds from each of its statuses, for some history that leads there."""
    rows = printed_rows(heading)
    assert len(rows) > 5
    for name, befores, after in rows:
        event = EVERY_EVENT[name]
        reached = {
            "nothing" if not history else str(model(history).status)
            for history in histories
            if model((*history, event)).status == after
        }
        assert befores <= reached, f"{name} leads to {after} only from {reached}"


@pytest.mark.parametrize("history", EVERY_HISTORY)
def test_model_and_fold_agree_about_every_event_after_every_history(
    history: tuple[Event, ...],
) -> None:
    """Also where the page is silent, because an event changes nothing."""
    for name, event in EVERY_EVENT.items():
        if not reference._can_follow(history, event):
            continue
        folded = mail.fold(mail.INITIAL, (*history, event))
        assert model((*history, event)).status is folded.status, name


REPORTS = st.sampled_from(
    [
        report
        for attempt in ("attempt-1", "attempt-2")
        for report in (
            started(attempt),
            started(attempt, 1),
            deferred(reference.DeferReason.NOT_CALLED, attempt),
            deferred(reference.DeferReason.TRANSIENT, attempt),
            deferred(reference.DeferReason.TRANSIENT, attempt, 1),
            unknown(attempt),
            accepted(attempt),
            delivered(attempt),
            bounced(attempt),
            rejected(attempt),
            failed(attempt),
        )
    ]
)


@given(st.lists(REPORTS, max_size=6), st.lists(REPORTS, max_size=6))
def test_model_and_fold_agree_in_whatever_order_reports_come(
    before: list[Event], after: list[Event]
) -> None:
    """The second attempt is scheduled somewhere in between."""
    second = scheduled("attempt-2", number=2)
    history = (received(), resolved(), scheduled(), *before, second, *after)
    folded = mail.fold(mail.INITIAL, history)
    assert model(history).statuses == tuple(each.status for each in folded.sending.targets)


def test_a_message_has_one_status_for_each_target() -> None:
    """Its own is that of the least finished one."""
    two = resolved("ann@far.example", "bob@far.example")
    other = scheduled("other", target=1)
    found = model((received(), two, scheduled(), other, accepted("other", target=1)))
    assert found.statuses == (Status.SCHEDULED, Status.COMPLETED)
    assert found.status is Status.SCHEDULED
