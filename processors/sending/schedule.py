"""When a mail may leave: not before a moment, after a delay, within days and hours of a time zone.

``"Mon-Fri 08:00-18:00 Europe/Berlin"``, ``"Mon,Wed,Fri 22:00-06:00 UTC"``,
``"Mon-Fri 08:00-18:00; Sat 10:00-14:00 Europe/Berlin"``, ``"daily 00:00-24:00 Asia/Tokyo"``.

A time of day is reached when the clock there first shows it **or a later one**. So what begins in
the hour that spring leaves out begins at the first moment after it, and what begins in autumn's
doubled hour begins in the first of the two, once; ends go by the same rule.

The rules of time zones change. What is decided here is payload of ``SendScheduled``, and a replay
never decides again: an update of the tz database (the system's, else the package tzdata's) does
no harm.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.errors import BadInput, InvariantBroken
from schemas.values import Schedule

DAY_NAMES: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
EVERY_DAY: Final = "daily"
ABBREVIATION: Final = 3
"""Days may be shortened to this many letters."""

DAY_MINUTES: Final = 24 * 60
HOUR_MINUTES: Final = 60
TEXT_LENGTH_MAX: Final = 200

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
CALENDAR_ENDS_AT: Final = (datetime(9999, 12, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
"""Python's calendar ends with 9999; a month before that leaves room for a window's days."""

# IANA's names begin in upper case; "localtime" and "right/UTC" beside them in the same folder
# are other things.
_ZONE: Final = re.compile(r"[A-Z][A-Za-z0-9_+/-]*")
_SPAN: Final = re.compile(r"(.*) ([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})")


@dataclass(frozen=True, slots=True)
class Span:
    """Hours on some days of the week. Times are minutes after midnight.

    Attributes:
        days: on which it begins, 0 is Monday; at least one.
        begins: from 0 to 1439.
        ends: from 0 to 1440, not included; where not later than ``begins``, on the next day.
    """

    days: frozenset[int]
    begins: int
    ends: int


@dataclass(frozen=True, slots=True)
class Window:
    """Days and hours in which mail may leave, in a time zone: at least one span."""

    spans: tuple[Span, ...]
    zone: str
    """Its name at IANA."""


@lru_cache(maxsize=1024)
def parse_window(text: str) -> Window:
    """Read a window as a person writes it: days, hours; more of them after semicolons; the zone.

    Raises:
        BadInput: it can't be read so, or there is no such zone.
    """
    if len(text) > TEXT_LENGTH_MAX:
        raise BadInput(f"a window of {len(text)} characters: give at most {TEXT_LENGTH_MAX}")
    # One space at most, and none around what parts and joins.
    tidy = re.sub(r"\s*([-,;])\s*", r"\1", " ".join(text.split()))
    spans, _, zone = tidy.rpartition(" ")
    try:
        _zone_of(zone)
        return Window(tuple(_span(part) for part in spans.split(";")), zone)
    except BadInput as error:
        raise BadInput(
            f"window {text!r}: {error}; write it like 'Mon-Fri 08:00-18:00 Europe/Berlin' "
            "or 'Mon-Fri 08:00-18:00; Sat,Sun 10:00-14:00 UTC'"
        ) from error


def next_moment(window: Window, at: int) -> int:
    """The first moment from ``at`` on that lies within the window. Microseconds UTC.

    Of a span that the hour left out in spring swallows whole, the first moment after that hour
    remains: its mail goes then, not a week later. Outside the years 1970 to 9999 there are no
    windows: ``at`` itself.
    """
    if not 0 <= at < CALENDAR_ENDS_AT:
        return at
    zone = _zone_of(window.zone)
    return min(_next_of(span, at, zone) for span in window.spans)


def window_problem(schedule: Schedule) -> str:
    """What is wrong with the window of a schedule that came from outside; "" where nothing is."""
    try:
        if schedule.window:
            parse_window(schedule.window)
    except BadInput as error:
        return str(error)
    return ""


def due_at(at: int, *, received_at: int, not_before: int, delay_us: int, window: str) -> int:
    """When a mail is due that is decided upon at ``at``. Microseconds UTC.

    Args:
        at: the time of the decision.
        received_at: when the mail came in.
        not_before: the earliest moment asked for; 0 for none.
        delay_us: how long after its receipt the mail is to wait at least.
        window: as in :func:`parse_window`; empty for any time.

    A window that can't be read (any more: a time zone may go) is none: it was checked where it
    came in, and a mail late or early is better than a worker that ends at it.
    """
    earliest = max(at, not_before, received_at + delay_us)
    if not window:
        return earliest
    try:
        return next_moment(parse_window(window), earliest)
    except BadInput:
        return earliest


def _span(text: str) -> Span:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise BadInput(f"{text!r} is not days and hours")
    days, *times = found.groups()
    begins, ends = _minutes(*times[:2]), _minutes(*times[2:])
    if begins == DAY_MINUTES:
        raise BadInput("nothing begins at 24:00, which is 00:00 of the next day")
    return Span(frozenset(day for part in days.split(",") for day in _days(part)), begins, ends)


def _minutes(hours: str, minutes: str) -> int:
    total = int(hours) * HOUR_MINUTES + int(minutes)
    if int(minutes) >= HOUR_MINUTES or total > DAY_MINUTES:
        raise BadInput(f"{hours}:{minutes} is no time of day")
    return total


def _days(text: str) -> Iterator[int]:
    if text.lower() == EVERY_DAY:
        yield from range(len(DAY_NAMES))
        return
    first, dash, last = text.partition("-")
    day = _day(first)
    end = _day(last) if dash else day
    yield day
    while day != end:
        day = (day + 1) % len(DAY_NAMES)
        yield day


def _day(name: str) -> int:
    if len(name) >= ABBREVIATION:
        for number, full in enumerate(DAY_NAMES):
            if full.startswith(name.lower()):
                return number
    raise BadInput(f"{name!r} is no day of the week")


def _next_of(span: Span, at: int, zone: ZoneInfo) -> int:
    today = _moment(at).astimezone(zone).date()
    for day in _days_around(today):
        if day.weekday() in span.days:
            begins_at = _reached_at(day, span.begins, zone)
            overnight = DAY_MINUTES if span.ends <= span.begins else 0
            ends_at = _reached_at(day, span.ends + overnight, zone)
            if at < max(ends_at, begins_at + 1):
                return max(at, begins_at)
    raise InvariantBroken(f"{span} has no day of the week")


def _days_around(today: date) -> Iterator[date]:
    # From yesterday, which may reach over midnight, to this day in a week, and one more for a
    # clock that was set back by a whole day (islands that changed over the date line).
    return (today + timedelta(days=offset) for offset in range(-1, 9))


def _reached_at(day: date, minutes: int, zone: ZoneInfo) -> int:
    """When the clock of a zone first shows that time of that day, or a later one."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    # Of a doubled hour this is the first; what is left out lies between the two readings.
    found = _microseconds(wall.replace(tzinfo=zone))
    if _wall(found, zone) == wall:
        return found
    before = _microseconds(wall.replace(tzinfo=zone, fold=1))
    moments = range(before, found + 1)
    return moments[bisect_left(moments, wall, key=lambda at: _wall(at, zone))]


def _wall(at: int, zone: ZoneInfo) -> datetime:
    return _moment(at).astimezone(zone).replace(tzinfo=None, fold=0)


def _moment(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


def _microseconds(moment: datetime) -> int:
    return (moment.astimezone(UTC) - EPOCH) // MICROSECOND


@lru_cache(maxsize=1024)
def _zone_of(name: str) -> ZoneInfo:
    """The zone: read once, then kept."""
    try:
        if _ZONE.fullmatch(name):
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # OSError: the name of a folder of zones.
        pass
    raise BadInput(f"there is no time zone {name!r}")
