"""Suppression as a story: what an address did, and whether mail still goes there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.bounces import decider as bounces
from processors.bounces.decider import BOUNCES_MAX, INITIAL, Address, SuppressionRules
from schemas.events import (
    AddressBounced,
    AddressComplained,
    AddressDelivered,
    AddressReleased,
    AddressSuppressed,
    CommandAnswered,
    CommandGiven,
    Event,
)
from schemas.structure import from_plain, to_plain
from schemas.values import DAY_US, HOUR_US, Command, SuppressionReason
from tests.event_strategies import events
from tests.samples import after, obeyed, ordered, refused

BOB = "bob@example.org"
RULES = SuppressionRules()
"""Three transient bounces in a week suppress for a day; the other reasons for good."""


def bounced(at: float, *, permanent: bool = False) -> AddressBounced:
    """A mail came back, so many seconds after the first one."""
    return AddressBounced(
        address=BOB,
        mail_id="m",
        happened_at=after(at),
        bounce_type="Permanent" if permanent else "Transient",
        diagnostic="smtp; 550 no such user",
    )


def complained(at: float) -> AddressComplained:
    """Bob calls it spam."""
    return AddressComplained(address=BOB, mail_id="m", happened_at=after(at))


def delivered(at: float) -> AddressDelivered:
    """A mail reached Bob."""
    return AddressDelivered(address=BOB, mail_id="m", happened_at=after(at))


def suppressed(
    reason: SuppressionReason, until: int = 0, detail: str = "smtp; 550 no such user"
) -> AddressSuppressed:
    """Nothing is sent to Bob any more."""
    return AddressSuppressed(address=BOB, reason=reason, detail=detail, until=until)


RELEASED = AddressReleased(address=BOB, detail="a mail was delivered")


class Story:
    """What happens to one address, told step by step."""

    def __init__(self, rules: SuppressionRules = RULES) -> None:
        """Begin with an address of which nothing is on record."""
        self._rules = rules
        self.state = INITIAL
        self.decided: tuple[Event, ...] = ()

    def given(self, *events_: Event) -> Story:
        """Let all this have happened."""
        for event in events_:
            self.state = bounces.evolve(self.state, event)
        return self

    def when(self, fact: Event, *, at: float = 0) -> Story:
        """Learn of a fact, so many seconds after the first one."""
        self.given(fact)
        self.decided = bounces.decide(self.state, fact, now=after(at), rules=self._rules)
        return self

    def then(self, *expected: Event) -> Story:
        """Expect these very events to be decided, and let them have happened."""
        assert self.decided == expected
        return self.given(*self.decided)

    def then_nothing(self) -> Story:
        """Expect the decider to leave it at that."""
        return self.then()

    def now_suppressed(self, at: float) -> Story:
        """Expect that nothing is sent to the address at that time."""
        assert self.state.is_suppressed(after(at))
        return self

    def now_free(self, at: float) -> Story:
        """Expect that it gets mail at that time."""
        assert not self.state.is_suppressed(after(at))
        return self


def told(command: Command, **changes: object) -> CommandGiven:
    """An operator wants something of Bob's address."""
    return ordered(command, detail=BOB, **changes)


def test_a_permanent_bounce_suppresses_at_once() -> None:
    """For good, unless the settings give it a time."""
    story = Story().when(bounced(1, permanent=True), at=2)
    story.then(suppressed(SuppressionReason.PERMANENT)).now_suppressed(9e9)
    for_a_day = SuppressionRules(permanent_for_us=DAY_US)
    story = Story(for_a_day).when(bounced(1, permanent=True), at=2)
    story.then(suppressed(SuppressionReason.PERMANENT, after(2) + DAY_US))
    story.now_suppressed(86_401).now_free(86_402)


def test_a_complaint_suppresses_at_once() -> None:
    """Whoever calls it spam gets no more of it."""
    story = Story().when(complained(1), at=2)
    story.then(suppressed(SuppressionReason.COMPLAINT, detail="")).now_suppressed(9e9)
    for_an_hour = SuppressionRules(complaint_for_us=HOUR_US)
    story = Story(for_an_hour).when(complained(1), at=2)
    story.then(suppressed(SuppressionReason.COMPLAINT, after(2) + HOUR_US, detail=""))


def test_transient_bounces_suppress_when_there_are_several_in_the_window() -> None:
    """The third one within a week, for a day; the time over, mail goes there again."""
    story = Story().when(bounced(1), at=1).then_nothing().when(bounced(2), at=2).then_nothing()
    story.now_free(2)
    story.when(bounced(3), at=5)
    story.then(suppressed(SuppressionReason.TRANSIENT, after(5) + DAY_US))
    story.now_suppressed(5).now_suppressed(86_404).now_free(86_405)


def test_transient_bounces_that_lie_apart_suppress_nobody() -> None:
    """A bounce a week old doesn't count any more, to the microsecond."""
    week_s = 7 * 86_400
    story = Story().given(bounced(0), bounced(1)).when(bounced(week_s), at=week_s).then_nothing()
    Story().given(bounced(0), bounced(1)).when(bounced(week_s - 0.000001)).then(
        suppressed(SuppressionReason.TRANSIENT, after(0) + DAY_US)
    )
    assert story.state.bounces == (after(0), after(1), after(week_s))


def test_bounces_that_are_told_late_count_where_they_belong() -> None:
    """In whatever order three of a week are told, the third one suppresses."""
    for order in ((3, 1, 2), (2, 3, 1), (1, 3, 2)):
        story = Story()
        for at in order[:2]:
            story.when(bounced(at)).then_nothing()
        story.when(bounced(order[2]), at=9)
        story.then(suppressed(SuppressionReason.TRANSIENT, after(9) + DAY_US))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_no_more_bounces_are_kept_than_count(times: list[float]) -> None:
    """The latest twenty, in their order."""
    state = INITIAL
    for at in times:
        state = bounces.evolve(state, bounced(at))
    assert len(state.bounces) <= BOUNCES_MAX
    assert state.bounces == tuple(sorted(after(at) for at in times))[-BOUNCES_MAX:]


def test_what_is_suppressed_for_longer_is_not_suppressed_again() -> None:
    """A fourth bounce while the mail in the air comes back tells nothing new."""
    story = Story().given(bounced(1, permanent=True), suppressed(SuppressionReason.PERMANENT))
    story.when(bounced(2, permanent=True)).then_nothing()
    story.when(complained(3)).then_nothing()
    for at in (4, 5, 6):
        story.when(bounced(at)).then_nothing()


def test_a_worse_reason_takes_the_place_of_a_passing_one() -> None:
    """Suppressed for a day, and then for good."""
    story = Story().given(bounced(1), bounced(2)).when(bounced(3), at=3)
    story.given(*story.decided).when(bounced(4, permanent=True), at=4)
    story.then(suppressed(SuppressionReason.PERMANENT)).now_suppressed(9e9)


def test_a_passing_suppression_is_prolonged_by_another_bounce() -> None:
    """The day counts from the last one; and after it, one more suppresses again."""
    story = Story().given(bounced(1), bounced(2)).when(bounced(3), at=3)
    story.given(*story.decided).when(bounced(60), at=60)
    story.then(suppressed(SuppressionReason.TRANSIENT, after(60) + DAY_US))
    story.now_free(90_000).when(bounced(90_000), at=90_000)
    story.then(suppressed(SuppressionReason.TRANSIENT, after(90_000) + DAY_US))


BOUNCED: list[tuple[tuple[Event, ...], int]] = [
    ((bounced(10), suppressed(SuppressionReason.TRANSIENT, after(10) + DAY_US)), 10),
    ((bounced(10, permanent=True), suppressed(SuppressionReason.PERMANENT)), 10),
    ((bounced(5), bounced(10)), 10),
]


@pytest.mark.parametrize(("before", "at"), BOUNCED)
def test_a_delivery_afterwards_releases(before: tuple[Event, ...], at: int) -> None:
    """The address takes mail: its bounces are forgotten with their consequence."""
    story = Story().given(*before).when(delivered(at + 1)).then(RELEASED).now_free(at + 1)
    assert story.state.is_clean


@pytest.mark.parametrize(("before", "at"), BOUNCED)
def test_a_delivery_from_before_says_nothing(before: tuple[Event, ...], at: int) -> None:
    """It is told late: what came back after it counts."""
    story = Story().given(*before)
    standing = story.state
    for when in (at, at - 1):
        story.when(delivered(when), at=99).then_nothing()
    assert story.state == standing


def test_a_delivery_to_an_address_with_nothing_on_record_says_nothing() -> None:
    """As of most addresses, most of the time."""
    Story().when(delivered(1)).then_nothing()


def test_a_delivery_does_not_overrule_an_operator() -> None:
    """Nor a bounce that an operator's wish already covers."""
    story = (
        Story()
        .when(told(Command.SUPPRESS))
        .given(suppressed(SuppressionReason.MANUAL, detail="ann"))
    )
    story.when(delivered(9)).then_nothing().now_suppressed(9)
    story.when(bounced(10, permanent=True)).then_nothing().when(delivered(11)).then_nothing()


def test_an_operator_suppresses() -> None:
    """For good, or until a time; the reason stands with the address."""
    Story().when(told(Command.SUPPRESS, why="moved")).then(
        suppressed(SuppressionReason.MANUAL, detail="ann: moved"), obeyed(f"{BOB} is suppressed")
    ).now_suppressed(9e9)
    Story().when(told(Command.SUPPRESS, at=after(60))).then(
        suppressed(SuppressionReason.MANUAL, after(60), detail="ann"),
        obeyed(f"{BOB} is suppressed"),
    ).now_suppressed(59).now_free(60)


def test_an_operator_makes_a_passing_suppression_last() -> None:
    """Of repeated bounces, or an operator's own until a time."""
    for reason in (SuppressionReason.TRANSIENT, SuppressionReason.MANUAL):
        story = Story().given(suppressed(reason, after(60)))
        story.when(told(Command.SUPPRESS), at=1).then(
            suppressed(SuppressionReason.MANUAL, detail="ann"), obeyed(f"{BOB} is suppressed")
        )


@pytest.mark.parametrize("reason", SuppressionReason)
def test_what_is_suppressed_for_good_can_not_be_suppressed(reason: SuppressionReason) -> None:
    """The answer says why it is."""
    story = Story().given(suppressed(reason))
    story.when(told(Command.SUPPRESS)).then(refused(f"{BOB} is suppressed already ({reason})"))


@pytest.mark.parametrize("reason", SuppressionReason)
def test_an_operator_releases(reason: SuppressionReason) -> None:
    """Whatever the reason, also one that is over; the next bounces count anew."""
    for until in (0, after(60)):
        story = Story().given(bounced(1), bounced(2), bounced(3), suppressed(reason, until))
        (
            story.when(told(Command.RELEASE, why="mended"), at=90)
            .then(
                AddressReleased(address=BOB, detail="ann: mended"),
                obeyed(f"{BOB} gets mail again"),
            )
            .now_free(90)
            .when(bounced(91))
            .then_nothing()
        )


def test_bounces_on_record_can_be_forgotten() -> None:
    """An address that is not suppressed, but would be by the next bounce."""
    story = Story().given(bounced(1), bounced(2)).when(told(Command.RELEASE))
    story.then(AddressReleased(address=BOB, detail="ann"), obeyed(f"{BOB} gets mail again"))


def test_a_clean_address_can_not_be_released() -> None:
    """There is nothing to forget."""
    Story().when(told(Command.RELEASE)).then(refused(f"{BOB} is not suppressed"))


@pytest.mark.parametrize(
    "command", [each for each in Command if each not in {Command.SUPPRESS, Command.RELEASE}]
)
def test_an_address_can_not_be_told_what_is_meant_for_others(command: Command) -> None:
    """It is no mail and no fleet."""
    Story().when(told(command)).then(refused(f"an address can't {command}"))


@given(st.lists(events(), max_size=10), events(), st.integers(0, 2**53))
def test_anything_can_be_told_of_an_address(before: list[Event], fact: Event, now: int) -> None:
    """Nothing raises; deciding twice is the same; every command has one answer; it is stored."""
    state: Address = INITIAL
    for event in (*before, fact):
        state = bounces.evolve(state, event)
    decided = bounces.decide(state, fact, now=now, rules=RULES)
    assert bounces.decide(state, fact, now=now, rules=RULES) == decided
    answers = [event for event in decided if isinstance(event, CommandAnswered)]
    assert len(answers) == isinstance(fact, CommandGiven)
    assert from_plain(Address, to_plain(state)) == state
