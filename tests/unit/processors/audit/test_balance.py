"""The sum can fail, and it fails where a mail is lost between the events and the view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from processors import mail
from processors.audit.balance import NOTHING, Booked, Entry, book, total
from schemas.events import MailCompleted, RouteNotFound, RouteReopened, TargetReopened
from schemas.values import Status
from tests.samples import accepted, bounced, received, resolved, scheduled

if TYPE_CHECKING:
    from schemas.events import Event

TWO = resolved("ann@far.example", "bob@far.example")


def entry(*events: Event) -> Entry:
    """What one mail adds, each event in a record of its own."""
    found, state = NOTHING, mail.INITIAL
    for event in events:
        state = mail.evolve(state, event)
        found = book(found, (event,), state)
    return found


def line(given: Entry, *shown: str) -> Booked:
    """Its line of the sum, by an item that shows these statuses."""
    return Booked(name="m1", entry=given, shown=shown)


def test_a_mail_is_one_target_until_its_route_says_more() -> None:
    """What comes in is counted from the payloads."""
    assert entry(received()).received == 1
    assert entry(received(), TWO).received == 2
    assert entry(received(), RouteNotFound(tried=())).received == 1


def test_a_mail_that_can_not_be_read_has_come_in_all_the_same() -> None:
    """Feedback about it, or its quarantine, is the first that is heard of it."""
    assert entry(bounced()).received == 1


def test_what_has_ended_and_what_is_open_add_up_to_what_came_in() -> None:
    """Per target and kind."""
    told = total(
        [
            line(
                entry(
                    received(),
                    TWO,
                    scheduled("a0"),
                    scheduled("a1", target=1),
                    accepted("a0"),
                    accepted("a1", 1),
                    MailCompleted(ended={"completed": 2}),
                    bounced("a1", 1),
                ),
                "completed",
                "bounced",
            ),
            line(entry(received(), resolved(), scheduled()), "scheduled"),
        ]
    )
    assert told.holds
    assert (told.opening, told.received) == (0, 3)
    assert told.ended == {"bounced": 1, "completed": 1}
    assert told.open == {"scheduled": 1}


@pytest.mark.parametrize(
    ("shown", "problem"),
    [
        ((), "1 targets came in, its item shows 0"),
        (("completed", "completed"), "1 targets came in, its item shows 2"),
        (("scheduled",), "it is completed, and its item shows a target that is scheduled"),
    ],
)
def test_a_target_that_the_view_has_lost_invented_or_reopened_is_named(
    shown: tuple[str, ...], problem: str
) -> None:
    """Each is a fault of its own, whatever the total."""
    done = entry(
        received(), resolved(), scheduled(), accepted(), MailCompleted(ended={"completed": 1})
    )
    told = total([line(done, *shown)])
    assert not told.holds
    assert told.problems == (f"mail m1: {problem}",)


def test_kinds_that_were_exchanged_are_a_fault_though_the_total_is_right() -> None:
    """One more bounced, one less completed."""
    done = entry(received(), resolved(), scheduled(), accepted())
    told = total([line(done, "bounced")])
    assert told.problems == ()
    assert not told.holds
    assert (told.ended, told.due) == ({"bounced": 1}, {"completed": 1})


def test_a_completion_that_speaks_of_other_targets_is_a_fault() -> None:
    """What core says at the end has to be about all that came in."""
    done = entry(received(), TWO, MailCompleted(ended={"completed": 1}))
    told = total([line(done, "received", "received")])
    assert told.problems == ("mail m1: 2 targets came in, it was completed with 1",)


def test_what_a_person_reopens_is_open_again() -> None:
    """It is no fault then that a completed mail has an open target."""
    again = entry(
        received(),
        resolved(),
        MailCompleted(ended={"completed": 1}),
        TargetReopened(target=0, by="op"),
    )
    assert total([line(again, "received")]).holds
    routed_again = entry(
        received(),
        RouteNotFound(tried=()),
        MailCompleted(ended={"unroutable": 1}),
        RouteReopened(by="op", expires_at=0),
    )
    assert total([line(routed_again, "received")]).holds


def test_mails_from_before_are_taken_as_they_show() -> None:
    """Nothing is known of them but their items."""
    told = total([Booked(name="old", entry=None, shown=(Status.COMPLETED, Status.SCHEDULED))])
    assert told.holds
    assert told.opening == 2
