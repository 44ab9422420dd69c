"""Find mail, commands and timers that are still open past their deadline.

Deadlines come from the independent model and from the timers' own items. They are checked as of the
moment up to which core and sender have read the stream. A record that they have not read yet may
close the item; if they do not read it at all, :mod:`mailtumble.audit.reading` reports that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mailtumble.audit.replay import Replay
from mailtumble.audit.retention import Retention
from mailtumble.audit.stored import timer_name
from mailtumble.ports.store import Item
from mailtumble.worker.views import iso
from schemas.ids import mail_of
from schemas.values import MINUTE_US

GRACE_US: Final = 15 * MINUTE_US
"""How long after its deadline something may still be open, unless the caller chooses another time.

A worker that starts has to take over its shards, and a shard may wait this long at a record of a
newer version (rule 5). Items that became due in an outage end within minutes: per shard, a sender
ends 66 expired attempts per turn, and a tick fires up to 2,000 timers.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """Something that should have happened by now.

    Attributes:
        name: what it is about: ``mail <id>``, another subject, or a timer in words.
        what: what has to happen, in words.
        due_at: the deadline (microseconds UTC).
    """

    name: str
    what: str
    due_at: int

    def told(self) -> str:
        """Return one line of text."""
        return f"{self.name} is open past its deadline: {self.what}, since {iso(self.due_at)}"


def overdue_mail(replay: Replay, as_of: int, grace_us: int, known: Retention) -> Iterator[Overdue]:
    """Yield everything that is open past its deadline, according to the model.

    Args:
        replay: the replay of core; its model has folded everything that core has read.
        as_of: the time up to which core and sender have read the stream (microseconds UTC).
        grace_us: how long after its deadline something may still be open (microseconds).
        known: what the stream still holds; messages that began before that are skipped.
    """
    for subject, due in replay.model.due():
        mail_id = mail_of(subject)
        if known.trimmed and (mail_id is None or mail_id in known.headless):
            continue
        # What is due at once has been due since the last record of the subject.
        due_at = due.at or replay.heard_at(subject)
        if due_at + grace_us <= as_of:
            name = subject if mail_id is None else f"mail {mail_id}"
            of_target = f" (target {due.target})" if due.target >= 0 else ""
            yield Overdue(name=f"{name}{of_target}", what=due.what, due_at=due_at)


def overdue_timers(items: Iterable[Item], as_of: int, grace_us: int) -> Iterator[Item]:
    """Yield the timers that should have fired by a moment (microseconds UTC) and its grace."""
    for item in items:
        due_at = item.get("due_at")
        if isinstance(due_at, int) and due_at + grace_us <= as_of:
            yield item


def of_timer(item: Item) -> Overdue:
    """Return the finding for a timer that should have fired."""
    due_at = item.get("due_at")
    return Overdue(
        name=f"timer {timer_name(item)}",
        what="it has to fire",
        due_at=due_at if isinstance(due_at, int) else 0,
    )
