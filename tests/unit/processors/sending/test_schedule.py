"""When a mail may leave: windows in every time zone, through spring's gap and autumn's doubling."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, reset_tzpath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processors.sending.schedule import (
    CALENDAR_ENDS_AT,
    Span,
    Window,
    due_at,
    next_moment,
    parse_window,
)
from schemas.errors import BadInput, InvariantBroken
from schemas.values import DAY_US, HOUR_US, MINUTE_US, SECOND_US

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Africa/Casablanca"),
    # Half an hour of summer time; 45 minutes off; begins at midnight; the farthest zones.
    *("Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago", "Pacific/Kiritimati"),
    *("Pacific/Chatham", "Etc/GMT+12"),
)
# To 2037, which every system's table covers.
FROM, UNTIL = (
    (datetime(year, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) for year in (2000, 2037)
)
TIMES = st.integers(FROM, UNTIL)
# Clocks change by night: a window in those hours shall not be rare.
MINUTES = st.integers(0, 4 * 60) | st.integers(0, 24 * 60 - 1)
SPANS = st.builds(
    Span,
    st.frozensets(st.integers(0, 6), min_size=1),
    MINUTES,
    MINUTES | st.just(24 * 60),
)


def _changes(zone: str) -> list[int]:
    """About when, to the hour, clocks change there in the years 2024 to 2026."""
    first = (datetime(2024, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    offsets = [
        (at, _wall(at, zone) - _wall(at, "UTC"))
        for at in range(first, first + 3 * 365 * DAY_US, HOUR_US)
    ]
    return [at for (_, before), (at, after) in pairwise(offsets) if before != after]


@cache
def _times(zone: str) -> st.SearchStrategy[int]:
    near = [st.integers(at - 4 * HOUR_US, at + 4 * HOUR_US) for at in _changes(zone)]
    return st.one_of(TIMES, *near)


@st.composite
def _asked(draw: st.DrawFn) -> tuple[Window, int]:
    """A window, and a moment that is often one at which clocks there change."""
    zone = draw(st.sampled_from(ZONES))
    spans = draw(st.lists(SPANS, min_size=1, max_size=3))
    return Window(tuple(spans), zone), draw(_times(zone))


def _at(text: str, zone: str = "UTC", fold: int = 0) -> int:
    """The moment that a clock on the wall there shows, in microseconds UTC."""
    wall = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return (wall.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def _wall(at: int, zone: str) -> datetime:
    moment = EPOCH + timedelta(microseconds=at)
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def _latest_wall(at: int, zone: str) -> datetime:
    """The latest time that a clock there has shown by ``at``: a clock set back has shown more."""
    past = range(at - at % MINUTE_US - 1, at - 3 * HOUR_US, -MINUTE_US)
    return max(_wall(each, zone) for each in (at, *past))


def _shows(window: Window, wall: datetime) -> bool:
    """Whether a window is open when a clock that never goes back shows that time."""
    for span in window.spans:
        for ago in (0, 1):
            day = wall.date() - timedelta(days=ago)
            minutes = (wall - datetime.combine(day, datetime.min.time())) / timedelta(minutes=1)
            ends = span.ends + (24 * 60 if span.ends <= span.begins else 0)
            if day.weekday() in span.days and span.begins <= minutes < ends:
                return True
    return False


def _is_open(window: Window, at: int) -> bool:
    return _shows(window, _latest_wall(at, window.zone))


def _left_out(window: Window, at: int) -> bool:
    """Whether clocks leap at that moment over a time at which the window would be open."""
    before, after = _wall(at - 1, window.zone), _wall(at, window.zone)
    count = (after - before) // timedelta(minutes=1)
    return any(_shows(window, after - timedelta(minutes=each)) for each in range(1, count + 1))


# ----------------------------------------------------------------- what holds of every window


@given(_asked())
def test_the_next_moment_lies_within_the_window(asked: tuple[Window, int]) -> None:
    """A clock on the wall there agrees; it is the same moment when asked for again."""
    window, at = asked
    found = next_moment(window, at)
    assert _is_open(window, found) or _left_out(window, found)
    assert next_moment(window, found) == found


@given(_asked(), st.integers(0, 8 * DAY_US))
def test_no_earlier_moment_would_have_done(asked: tuple[Window, int], later: int) -> None:
    """Between the moment asked for and the answer the window is closed."""
    window, at = asked
    found = next_moment(window, at)
    if found == at:
        assert _is_open(window, at) or _left_out(window, at)
        return
    assert not _is_open(window, at)
    assert not _is_open(window, found - 1)
    assert not _is_open(window, at + later % (found - at))


@given(_asked(), st.integers(0, 30 * DAY_US))
def test_who_asks_later_never_goes_earlier(asked: tuple[Window, int], later: int) -> None:
    """Monotone, and never before what was asked for."""
    window, at = asked
    assert at <= next_moment(window, at) <= next_moment(window, at + later)


@given(_asked())
def test_a_week_brings_every_window_round(asked: tuple[Window, int]) -> None:
    """The wait has a bound, so that a mail's lifetime can be set beside it."""
    window, at = asked
    assert next_moment(window, at) - at <= 8 * DAY_US


@given(_asked(), MINUTES)
def test_a_whole_day_is_always_open(asked: tuple[Window, int], begins: int) -> None:
    """From any time of day to the same one, clocks set forward and back included."""
    window = replace(asked[0], spans=(Span(frozenset(range(7)), begins, begins),))
    assert next_moment(window, asked[1]) == asked[1]


@given(_asked(), st.integers() | st.integers(CALENDAR_ENDS_AT - DAY_US, CALENDAR_ENDS_AT + DAY_US))
@example((parse_window("Fri 08:00-18:00 Pacific/Kiritimati"), 0), 0)
@example((parse_window("Fri 08:00-18:00 Etc/GMT+12"), 0), CALENDAR_ENDS_AT - 1)
@example((parse_window("Fri 08:00-18:00 Etc/GMT+12"), 0), 10**40)
def test_any_number_has_an_answer(asked: tuple[Window, int], at: int) -> None:
    """What was asked for absurdly stops no worker; beyond the calendar there are no windows."""
    window = asked[0]
    found = next_moment(window, at)
    if 0 <= at < CALENDAR_ENDS_AT:
        assert at <= found <= at + 8 * DAY_US
    else:
        assert found == at


# ------------------------------------------------------------------------------ known answers


@pytest.mark.parametrize(
    ("window", "asked", "answer"),
    [
        # 24 November 2026 is a Tuesday.
        ("Mon-Fri 08:00-18:00 Europe/Berlin", "2026-11-24 07:59", "2026-11-24 08:00"),
        ("Mon-Fri 08:00-18:00 Europe/Berlin", "2026-11-24 12:34:56", "2026-11-24 12:34:56"),
        ("Mon-Fri 08:00-18:00 Europe/Berlin", "2026-11-24 18:00", "2026-11-25 08:00"),
        ("Mon-Fri 08:00-18:00 Europe/Berlin", "2026-11-27 18:00", "2026-11-30 08:00"),
        ("Tue 08:00-18:00 Asia/Tokyo", "2026-11-24 18:00", "2026-12-01 08:00"),
        # Over midnight: the night belongs to the day on which it begins.
        ("Mon,Wed,Fri 22:00-06:00 UTC", "2026-11-24 05:59", "2026-11-24 05:59"),
        ("Mon,Wed,Fri 22:00-06:00 UTC", "2026-11-24 06:00", "2026-11-25 22:00"),
        ("Sun 22:00-06:00 UTC", "2026-11-23 01:00", "2026-11-23 01:00"),
        ("daily 18:00-24:00 UTC", "2026-11-24 23:59:59", "2026-11-24 23:59:59"),
        ("daily 18:00-24:00 UTC", "2026-11-25 00:00", "2026-11-25 18:00"),
        ("Mon-Fri 08:00-18:00; Sat 10:00-14:00 UTC", "2026-11-27 20:00", "2026-11-28 10:00"),
        ("Mon-Fri 08:00-18:00; Sat 10:00-14:00 UTC", "2026-11-28 14:00", "2026-11-30 08:00"),
        # Spring: 02:00 to 03:00 is left out on 29 March 2026.
        ("Sun 02:30-06:00 Europe/Berlin", "2026-03-29 01:00", "2026-03-29 03:00"),
        ("daily 00:00-02:30 Europe/Berlin", "2026-03-29 01:59", "2026-03-29 01:59"),
        ("daily 00:00-02:30 Europe/Berlin", "2026-03-29 03:00", "2026-03-30 00:00"),
        # A window that the gap swallows opens for a moment after it.
        ("Sun 02:10-02:40 Europe/Berlin", "2026-03-28 12:00", "2026-03-29 03:00"),
        ("Sun 02:10-02:40 Europe/Berlin", "2026-03-29 03:00", "2026-03-29 03:00"),
        ("Sun 02:10-02:40 Europe/Berlin", "2026-03-29 03:00:00.000001", "2026-04-05 02:10"),
        # There the day begins at 01:00, on 6 September 2026.
        ("Sun 00:00-06:00 America/Santiago", "2026-09-05 12:00", "2026-09-06 01:00"),
        # A Friday that was left out whole, when Samoa changed over the date line.
        ("Fri 08:00-18:00 Pacific/Apia", "2011-12-29 20:00", "2011-12-31 00:00"),
    ],
)
def test_known_moments(window: str, asked: str, answer: str) -> None:
    """Times of day in the window's own zone."""
    zone = window.rpartition(" ")[2]
    assert next_moment(parse_window(window), _at(asked, zone)) == _at(answer, zone)


def test_in_the_doubled_hour_a_window_begins_once() -> None:
    """25 October 2026, 02:00 to 03:00 twice in Berlin: begins in the first, open in the second."""
    zone = "Europe/Berlin"
    window = parse_window(f"Sun 02:30-04:00 {zone}")
    begins = _at("2026-10-25 02:30", zone)
    assert begins == _at("2026-10-25 00:30")
    assert next_moment(window, _at("2026-10-25 01:00", zone)) == begins
    again = _at("2026-10-25 02:10", zone, fold=1)
    assert again == _at("2026-10-25 01:10")
    assert next_moment(window, again) == again


def test_in_the_doubled_hour_a_window_ends_once() -> None:
    """It is over when the clock first shows its end; set back, the clock doesn't open it again."""
    zone = "Europe/Berlin"
    window = parse_window(f"Sun 01:00-02:30 {zone}")
    assert next_moment(window, _at("2026-10-25 02:29", zone)) == _at("2026-10-25 02:29", zone)
    for late in (_at("2026-10-25 02:30", zone), _at("2026-10-25 02:10", zone, fold=1)):
        assert next_moment(window, late) == _at("2026-11-01 01:00", zone)


@given(TIMES, st.integers(0, 60 * DAY_US), st.integers(0, 10 * DAY_US))
def test_without_a_window_the_latest_demand_decides(at: int, later: int, delay: int) -> None:
    """The decision, the earliest moment, the delay since receipt: none is cut short."""
    for not_before in (0, at - later, at + later):
        found = due_at(at, received_at=at - later, not_before=not_before, delay_us=delay, window="")
        assert found == max(at, not_before, at - later + delay)


def test_a_window_moves_what_the_other_demands_give() -> None:
    """First the delay, then the window: never before either."""
    friday = _at("2026-11-27 17:00")
    facts = {"received_at": friday, "not_before": 0, "window": "Mon-Fri 08:00-18:00 UTC"}
    assert due_at(friday, delay_us=0, **facts) == friday
    assert due_at(friday, delay_us=2 * HOUR_US, **facts) == _at("2026-11-30 08:00")
    facts["not_before"] = _at("2026-12-01 07:59:59")
    assert due_at(friday, delay_us=2 * HOUR_US, **facts) == facts["not_before"] + SECOND_US


# --------------------------------------------------------------------------- what is written


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("Mon-Fri 08:00-18:00", [({0, 1, 2, 3, 4}, 480, 1080)]),
        ("mon,WED,Friday 22:00-6:00", [({0, 2, 4}, 1320, 360)]),
        ("Sat-Mon 0:00-24:00", [({5, 6, 0}, 0, 1440)]),
        ("Daily 09:00-17:00", [({0, 1, 2, 3, 4, 5, 6}, 540, 1020)]),
        ("Mon-Sun 00:00-00:00", [({0, 1, 2, 3, 4, 5, 6}, 0, 0)]),
        ("Mon-Mon 09:00-17:00", [({0}, 540, 1020)]),
        ("Tues,Thurs - Sat 09:00-17:00", [({1, 3, 4, 5}, 540, 1020)]),
        (
            " Mon - Fri  08:00 - 18:00 ;Sat , Sun 10:00-14:00",
            [(set(range(5)), 480, 1080), ({5, 6}, 600, 840)],
        ),
    ],
)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Etc/GMT-5", "America/Port-au-Prince"])
def test_what_a_person_writes(text: str, zone: str, spans: list[tuple[set[int], int, int]]) -> None:
    """Days alone, in lists and ranges, also round the week; hours; several of both."""
    wanted = tuple(Span(frozenset(days), begins, ends) for days, begins, ends in spans)
    assert parse_window(f"{text} {zone}") == Window(wanted, zone)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "there is no time zone ''"),
        ("Mon-Fri 08:00-18:00", "there is no time zone '08:00-18:00'"),
        ("Mon-Fri 08:00-18:00 Europe/Atlantis", "there is no time zone 'Europe/Atlantis'"),
        ("Mon-Fri 08:00-18:00 Europe", "there is no time zone 'Europe'"),
        ("Mon-Fri 08:00-18:00 utc", "there is no time zone 'utc'"),
        ("Mon-Fri 08:00-18:00 localtime", "there is no time zone 'localtime'"),
        ("Mon-Fri 08:00-18:00 ../UTC", "there is no time zone '../UTC'"),
        ("Mon-Fri 08:00-18:00 Europe//Berlin", "there is no time zone"),
        ("08:00-18:00 UTC", "'08:00-18:00' is not days and hours"),
        ("Mon-Fri 8-18 UTC", "'Mon-Fri 8-18' is not days and hours"),
        ("Mon 08:00-18:00;; Tue 08:00-18:00 UTC", "'' is not days and hours"),
        ("Mon-Fri 08:00-18:00 UTC; Sat 10:00-14:00 UTC", "'Mon-Fri 08:00-18:00 UTC' is not"),
        ("Mon-Fri 08:00-24:01 UTC", "24:01 is no time of day"),
        ("Mon-Fri 08:60-09:00 UTC", "08:60 is no time of day"),
        ("Mon-Fri 24:00-06:00 UTC", "nothing begins at 24:00"),
        ("Mo-Fri 08:00-18:00 UTC", "'Mo' is no day of the week"),
        ("Montag 08:00-18:00 UTC", "'Montag' is no day of the week"),
        ("Mon- 08:00-18:00 UTC", "is no"),
        ("Mon-, Tue 08:00-18:00 UTC", "'' is no day of the week"),
        ("Mon,, Tue 08:00-18:00 UTC", "'' is no day of the week"),
        ("Mon-Wed-Fri 08:00-18:00 UTC", "'Wed-Fri' is no day of the week"),
        ("daily-Fri 08:00-18:00 UTC", "'daily' is no day of the week"),
        ("Mon-Fri \N{ARABIC-INDIC DIGIT EIGHT}:00-18:00 UTC", "is not days and hours"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, complaint: str) -> None:
    """The complaint shows the window, what is wrong with it, and how one is written."""
    with pytest.raises(BadInput) as caught:
        parse_window(text)
    words = str(caught.value)
    assert words.startswith(f"window {text!r}: ")
    assert complaint in words
    assert "write it like 'Mon-Fri 08:00-18:00 Europe/Berlin'" in words


def test_a_window_without_end_is_not_even_read() -> None:
    """Limits on everything: the text stands in an alias's item."""
    with pytest.raises(BadInput, match="a window of 201 characters: give at most 200"):
        parse_window("x" * 201)


WORDS = st.sampled_from(
    [
        *("Mon", "fri", "daily", "Sun-Tue", "08:00-18:00", "24:00-9:60", "UTC", "Asia/Tokyo"),
        *",;- :",
    ]
)


@given(st.text() | st.lists(WORDS, max_size=8).map(" ".join) | st.lists(WORDS).map("".join))
@example("Mon 08:00-18:00 \x00")
@example("Mon 08:00-18:00 " + "A/" * 90)
def test_any_text_is_a_window_or_a_mistake(text: str) -> None:
    """Nothing else is raised; what was read can be asked."""
    try:
        window = parse_window(text)
    except BadInput:
        return
    assert next_moment(window, FROM) >= FROM


def test_a_window_made_by_hand_is_held_to_the_same() -> None:
    """No zone is a mistake in the input, no day one in the program."""
    every_day = Span(frozenset(range(7)), 0, 60)
    with pytest.raises(BadInput, match="no time zone 'Nowhere'"):
        next_moment(Window((every_day,), "Nowhere"), FROM)
    with pytest.raises(InvariantBroken, match="no day of the week"):
        next_moment(Window((Span(frozenset(), 0, 60),), "UTC"), FROM)


def test_zones_are_found_without_the_system() -> None:
    """The package tzdata has them: in a slim container there is nothing else."""
    asked = [_at(f"2026-{month:02}-15 12:00") for month in range(1, 13)]
    system = [_wall(at, "Europe/Berlin") for at in asked]
    reset_tzpath([])
    try:
        zone = ZoneInfo.no_cache("Europe/Berlin")
        assert [
            (EPOCH + timedelta(microseconds=at)).astimezone(zone).replace(tzinfo=None)
            for at in asked
        ] == system
    finally:
        reset_tzpath()


def test_windows_of_a_week_follow_one_another() -> None:
    """Seven openings of a daily window: a day apart, but where the clocks change."""
    window = parse_window("daily 08:00-08:01 Europe/Berlin")
    at, found = _at("2026-03-26 00:00"), []
    while len(found) < 7:
        found.append(next_moment(window, at))
        at = found[-1] + MINUTE_US
    hours = [(after - before) / HOUR_US for before, after in pairwise(found)]
    assert hours == [24, 24, 23, 24, 24, 24]
