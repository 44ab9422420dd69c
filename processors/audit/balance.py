"""The sum of rule 7: opening + received = ended, by kind, + open; per target.

Its two sides come from different places, so that it can fail::

    what came in          the payloads: MailReceived is one target, RouteResolved says how many
    whether it is over    MailCompleted, until TargetReopened or RouteReopened
    by kind               the states that the accepted events fold to
                                        against
    ended and open        what the live items of the view ``mails`` say

A target that gets lost on its way into the view is missed on the right side; a mail that says it
is completed and shows an open target is a fault, whatever the total.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from processors.mail import Mail
from schemas.events import Event, MailCompleted, RouteReopened, RouteResolved, TargetReopened
from schemas.values import ENDED, Status

PROBLEMS_MAX: Final = 100
"""So many mails are named; the numbers tell of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One mail, by the events alone.

    ``received``: the targets that came in with it. ``completed``: ``MailCompleted`` holds.
    ``standing``: the statuses of its targets; the mail's own where it has none.
    ``claim``: how many targets the last ``MailCompleted`` spoke of, or None.
    """

    received: int = 0
    completed: bool = False
    claim: int | None = None
    standing: tuple[Status, ...] = ()


NOTHING: Final = Entry()


def book(entry: Entry, events: Sequence[Event], after: Mail) -> Entry:
    """Enter an accepted record's events; ``after`` is the state with them folded."""
    # A mail is there from the first that is heard of it, be that only that it can't be read.
    entry = replace(entry, received=entry.received or 1)
    for event in events:
        match event:
            case RouteResolved(targets=targets):
                entry = replace(entry, received=len(targets))
            case MailCompleted(ended=ended):
                entry = replace(entry, completed=True, claim=sum(ended.values()))
            case TargetReopened() | RouteReopened():
                entry = replace(entry, completed=False, claim=None)
            case _:
                pass
    return replace(entry, standing=statuses(after))


def statuses(mail: Mail) -> tuple[Status, ...]:
    """Where a mail counts: its targets' statuses, its own where it has none (yet)."""
    return tuple(target.status for target in mail.sending.targets) or (mail.unrouted,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """One mail's line of the sum.

    ``shown``: the statuses that its item shows; none where there is no item. ``entry`` is None
    where the events don't tell the mail from its beginning: it is an opening one.
    """

    name: str
    entry: Entry | None
    shown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Numbers of targets.

    ``ended`` and ``open`` by status as the items show them; ``due`` the same as the events say.
    ``problems``: what is wrong with single mails.
    """

    opening: int
    received: int
    ended: Mapping[str, int]
    open: Mapping[str, int]
    due: Mapping[str, int]
    problems: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether both sides are equal, in total, by kind, and for each mail."""
        shown = {**self.ended, **self.open}
        adds_up = self.opening + self.received == sum(shown.values())
        return adds_up and shown == self.due and not self.problems


def total(lines: Iterable[Booked]) -> Sum:
    """Add the mails up."""
    opening = received = 0
    shown: Counter[str] = Counter()
    due: Counter[str] = Counter()
    problems: list[str] = []
    for line in lines:
        shown.update(line.shown)
        if line.entry is None:
            opening += len(line.shown)
            due.update(line.shown)
            continue
        received += line.entry.received
        due.update(str(status) for status in line.entry.standing)
        problem = _problem(line.entry, line.shown)
        if problem and len(problems) < PROBLEMS_MAX:
            problems.append(f"mail {line.name}: {problem}")
    return Sum(
        opening=opening,
        received=received,
        ended=_part(shown, ended=True),
        open=_part(shown, ended=False),
        due=dict(due),
        problems=tuple(problems),
    )


def _problem(entry: Entry, shown: tuple[str, ...]) -> str:
    if len(shown) != entry.received:
        return f"{entry.received} targets came in, its item shows {len(shown)}"
    if entry.claim not in (None, entry.received):
        return f"{entry.received} targets came in, it was completed with {entry.claim}"
    waiting = sorted({status for status in shown if status not in ENDED})
    if entry.completed and waiting:
        return f"it is completed, and its item shows a target that is {', '.join(waiting)}"
    return ""


def _part(counts: Mapping[str, int], *, ended: bool) -> dict[str, int]:
    return {each: count for each, count in sorted(counts.items()) if (each in ENDED) is ended}
