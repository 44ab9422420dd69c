"""What holds mail that waits: a pause, a drain, a stop of SES, or a day's quota that is used up."""

from __future__ import annotations

from dataclasses import dataclass

from mailtumble.day import Day
from mailtumble.outlook import Outlook
from mailtumble.ports.store import Item
from mailtumble.sender.entry import Entry
from mailtumble.sender.standing import scopes
from mailtumble.worker.horizon import number
from mailtumble.worker.views import PAUSED_AT, iso
from processors.fleet.decider import Pause, whose_sending
from processors.sending import stops
from processors.sending.stops import Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One reason why mail does not leave.

    ``how``: ``paused``, ``drained``, ``stopped`` or ``day``. ``what``: whose sending it is, in
    words. ``why``: by whom, or what SES says. ``since``, ``until``: microseconds UTC; None: that
    is not known.
    """

    how: str
    what: str
    why: str = ""
    since: int | None = None
    until: int | None = None

    @property
    def told(self) -> str:
        """The reason in words."""
        since = "" if self.since is None else f" since {short(self.since)}"
        match self.how:
            case "day":
                end = "" if self.until is None else f"; it frees from {short(self.until)} on"
                return f"{self.what} is used up{end}"
            case "stopped":
                return f"{self.what} is stopped{since} ({self.why})"
            case _:
                return f"{self.what} is {self.how}{since}, by {self.why}"

    @property
    def plain(self) -> dict[str, str | None]:
        """The same for machines."""
        since, until = (None if at is None else iso(at) for at in (self.since, self.until))
        return {
            "how": self.how,
            "what": self.what,
            "why": self.why or None,
            "since": since,
            "until": until,
        }


def short(at: int) -> str:
    """A time for people, to the second."""
    return f"{iso(at)[:19].replace('T', ' ')} UTC"


def holds(outlook: Outlook, entry: Entry) -> list[Hold]:
    """All that holds a mail in the queue now; none where it leaves by itself."""
    found = [
        of_pause(scope, pause, outlook.paused_at)
        for scope, pause in outlook.paused.items()
        if scope in scopes(entry.lane) and entry.received_at >= pause.since
    ]
    found += [of_stop(each) for each in outlook.stops.values() if each.covers(entry.lane)]
    urgent = outlook.is_urgent(entry)
    if not outlook.day.has_room(urgent=urgent):
        found.append(of_day(outlook.day, urgent=urgent))
    return found


def of_day(day: Day, *, urgent: bool) -> Hold:
    """A day's quota that is used up."""
    kept = "" if urgent else ", but for what is kept for urgent mail,"
    return Hold(how="day", what=f"the day's quota{kept}", until=day.frees_at(1, urgent=urgent))


def of_pause(scope: str, pause: Pause, begun: Item) -> Hold:
    """A pause or a drain; ``begun``: the item that tells when each was read from the stream."""
    how = "drained" if pause.drains else "paused"
    at = begun.get(f"{PAUSED_AT}{scope}")
    since = pause.since or (number(begun, f"{PAUSED_AT}{scope}") if at is not None else None)
    return Hold(how=how, what=whose_sending(scope), why=pause.told, since=since)


def of_stop(stop: Stop) -> Hold:
    """A stop of SES."""
    what = stops.whose_sending(stop.scope)
    return Hold(how="stopped", what=what, why=stop.why, since=stop.since)
