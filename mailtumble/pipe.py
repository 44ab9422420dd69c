"""Count the mail at every stage of the system, as ``queue status`` shows it.

Each stage is counted where counting is cheap. The result says how exact the count is and how old: a
view is as old as its application is behind the stream.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from mailtumble import throughput
from mailtumble.audit.progress import Progress, ShardState, progress
from mailtumble.audit.unread import Unread, unread
from mailtumble.drains import UnderWay
from mailtumble.outlook import Outlook
from mailtumble.ports.world import QueueDepth
from mailtumble.sender.application import NAME as SENDER
from mailtumble.wiring import Wiring
from mailtumble.worker.core import NAME as CORE
from schemas.errors import MailtumbleError
from schemas.events import MailReceived, SendScheduled
from schemas.values import DAY_US, SECOND_US

HELD_INDEX: Final = "by_held"
HELD_COUNTED_MAX: Final = 1_000
"""How many held messages are counted at most; the precision of more is "at least"."""


class Precision(enum.StrEnum):
    """How exact a count is."""

    EXACT = "exact"
    APPROXIMATE = "approximate"
    """Counted by SQS, which may be a minute late, or counted in records that nobody has read.

    A reader skips repeated records and void decisions among them.
    """
    AT_LEAST = "at least"
    """Counting stopped at a bound, so there may be more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """How many messages, or targets of messages, are at one stage.

    Attributes:
        count: the number; None if it is not known.
        precision: how exact the count is.
        age_s: the age of the data (seconds); None if it is not known.
    """

    count: int | None
    precision: Precision = Precision.EXACT
    age_s: float | None = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """How far an application has read the stream.

    Attributes:
        name: the name of the application.
        is_running: whether it has a cursor.
        behind_s: the age of the oldest record that it has not read (seconds); None: not known.
        shards: the number of shards in each state.
    """

    name: str
    is_running: bool
    behind_s: float | None
    shards: dict[ShardState, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipe:
    """The stages by name, in the order in which mail passes them, and the applications."""

    stages: dict[str, Stage]
    applications: tuple[Application, ...]


def read_pipe(wired: Wiring, outlook: Outlook, under_way: UnderWay) -> Pipe:
    """Count the mail at each stage.

    Beyond what ``outlook`` and ``under_way`` have read, this costs 2 calls of SQS, a scan of
    ``cursors`` (an item per application and shard), the calls of
    :func:`mailtumble.audit.unread.unread`, a query of at most :data:`HELD_COUNTED_MAX` held
    messages, and 25 counters per shard.

    Raises:
        RetryableError: a table does not answer. If only SQS does not answer, its counts are None.
    """
    stream, store, generation = wired.stream(), wired.store(), wired.settings.generation
    shards = stream.shards()
    applications = progress(store, shards, generation)
    left = unread(stream, applications, wired.clock)
    core, sender = left[CORE], left[SENDER]
    core_s, sender_s = _seconds(core.behind_us), _seconds(sender.behind_us)
    held = store.query("mails", generation, index=HELD_INDEX, limit=HELD_COUNTED_MAX)
    now = wired.clock.now()
    sent = throughput.sent_between(
        store, generation, [each.id for each in shards], now - DAY_US, now
    )
    queue = _bounded(complete=outlook.complete)
    timers = _bounded(complete=under_way.complete)
    return Pipe(
        stages={
            **_in_sqs(wired),
            "undecided": Stage(
                count=core.events[MailReceived] + under_way.looked_up,
                precision=_estimated(
                    core.events[MailReceived], complete=core.complete and under_way.complete
                ),
            ),
            "held": Stage(
                count=len(held.items), precision=_bounded(complete=not held.more), age_s=core_s
            ),
            "scheduled": Stage(
                count=sender.events[SendScheduled],
                precision=_estimated(sender.events[SendScheduled], complete=sender.complete),
            ),
            "waiting": Stage(count=len(outlook.entries), precision=queue, age_s=sender_s),
            "due": Stage(count=outlook.due, precision=queue, age_s=sender_s),
            "in_flight": Stage(count=under_way.claimed, precision=timers, age_s=sender_s),
            "unknown": Stage(count=under_way.unknown, precision=timers, age_s=core_s),
            "done": Stage(count=sent.accepted, age_s=core_s),
        },
        applications=tuple(_application(each, left[each.application]) for each in applications),
    )


def _in_sqs(wired: Wiring) -> dict[str, Stage]:
    intake, dead = _depth(wired, "intake"), _depth(wired, "intake-dead-letters")
    counts = {
        "in_sqs": None if intake is None else intake.visible,
        "receiving": None if intake is None else intake.in_flight,
        "dead_letters": None if dead is None else dead.visible + dead.in_flight,
    }
    return {
        name: Stage(count=count, precision=Precision.APPROXIMATE) for name, count in counts.items()
    }


def _depth(wired: Wiring, queue: str) -> QueueDepth | None:
    try:
        return wired.queue(queue).depth()
    except MailtumbleError:
        return None


def _application(found: Progress, left: Unread) -> Application:
    states = [each.state for each in found.shards]
    return Application(
        name=found.application,
        is_running=found.is_running,
        behind_s=_seconds(left.behind_us),
        shards={state: states.count(state) for state in ShardState if state in states},
    )


def _bounded(*, complete: bool) -> Precision:
    return Precision.EXACT if complete else Precision.AT_LEAST


def _estimated(unread: int, *, complete: bool) -> Precision:
    """Return how exact a count is that includes a number of unread records."""
    return Precision.APPROXIMATE if unread and complete else _bounded(complete=complete)


def _seconds(us: int | None) -> float | None:
    return None if us is None else round(us / SECOND_US, 1)
