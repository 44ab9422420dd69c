"""Verification: compare the tables with a replay of the stream, while the workers run.

::

    core has read up to   c1 ──────────────────────── c2
                           │ read stream │ read items │
    the replay stands at  c1

Every item is written in one transaction with the cursor, so an item that is read in between shows
the state at some point from c1 to c2. An item that no record from c1 to c2 changes must be as the
replay says at c1. The few items that such a record does change are compared in a next round, which
reads only these items.

Other modules do the rest. :mod:`mailtumble.audit.sender` compares the tables of the sender, which
has its own cursor and makes claims that no cursor shows. The independent model checks the fold that
builds the views; :mod:`mailtumble.audit.overdue` asks it what is open past its deadline.
:mod:`mailtumble.audit.reading` checks that the applications read at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mailtumble.audit.comparison import Difference, Kind, differences
from mailtumble.audit.conditions import disputed_conditions
from mailtumble.audit.counters import disputed_counters
from mailtumble.audit.forgotten import ForgottenMail
from mailtumble.audit.overdue import (
    Overdue,
    of_timer,
    overdue_mail,
    overdue_timers,
)
from mailtumble.audit.reading import Reading, Watch
from mailtumble.audit.replay import TIMERS, CoreReplay, LookAhead
from mailtumble.audit.retention import Retention, beginning, retention, shown
from mailtumble.audit.sender import Limits, SenderAudit
from mailtumble.audit.stored import MAILS, Stored, only
from mailtumble.audit.tapes import Positions, Progress, Tapes
from mailtumble.ports.store import Item, ItemStore
from mailtumble.ports.stream import EventStream
from mailtumble.ports.world import Clock
from mailtumble.worker.writes import Address
from processors.audit.balance import NOTHING, Booked, Sum, total
from schemas.ids import mail_subject
from schemas.values import ENDED, SECOND_US

ROUNDS_MAX: Final = 5

DEFAULT: Final = Limits()
"""The limits if no setting changes them."""

ARCHIVE_SLACK_US: Final = 10 * SECOND_US
"""How long the archive may take to write a segment once it has finished collecting records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The findings of a verification.

    Attributes:
        sum: opening + received = ended + open, counted per target.
        records: how many records the projections were compared with.
        waiting: how many more records the stream holds that core has not read.
        mails: how many messages the compared records are about.
        differences: the differences, item by item.
        overdue: what is open past its deadline.
        reading: how far each application has read, and whether it advances.
        moving: how many items changed in every round, so that they could not be compared.
        unchecked: how many items are older than the oldest records, so that they can't be compared.
        unreadable: the subjects whose stored state this release can't read, because a newer one has
            written it; they are not checked by it.
        announced: bucket and key of the messages that the stream or the view knows.
    """

    sum: Sum
    records: int
    waiting: int
    mails: int
    differences: tuple[Difference, ...]
    overdue: tuple[Overdue, ...]
    reading: tuple[Reading, ...]
    moving: int
    unchecked: int
    unreadable: frozenset[str]
    announced: frozenset[tuple[str, str]]

    @property
    def agrees(self) -> bool:
        """Whether the tables agree with the stream, and nothing is open past its deadline."""
        return self.sum.holds and not self.differences and not self.overdue

    @property
    def ok(self) -> bool:
        """Whether everything agrees, and every application makes progress."""
        return self.agrees and not any(each.stalled for each in self.reading)

    def complaints(self) -> list[str]:
        """Return one line for each problem of tables and deadlines; empty if there is none."""
        found = [] if self.sum.holds else [f"the sum does not hold: {self.sum}"]
        found.extend(each.told() for each in self.differences)
        found.extend(each.told() for each in self.overdue)
        return found


class Verification:
    """One verification of a generation of the projections and of the sender's tables."""

    def __init__(
        self,
        stream: EventStream,
        store: ItemStore,
        generation: str,
        clock: Clock,
        progress: Progress = lambda share: None,  # noqa: ARG005 - nobody listens
        *,
        limits: Limits = DEFAULT,
    ) -> None:
        """Create it without reading anything.

        Args:
            stream: the event stream.
            store: the tables.
            generation: of the projections.
            clock: tells the time, and waits between reads.
            progress: hears which share of the stream is read.
            limits: how long things may take.
        """
        self._clock = clock
        self._store = store
        self._claimed_for_us = limits.claimed_for_us
        self._grace_us = limits.grace_us
        self._tapes = Tapes(stream, clock, progress)
        self._generation = generation
        self._stored = Stored(store, generation)
        self._ahead = LookAhead(self._tapes)
        self._replay = CoreReplay(self._tapes, self._ahead, generation)
        self._sender = SenderAudit(store, self._tapes, self._ahead, clock, limits)
        gathers_us = {"archive": limits.archive_every_us + ARCHIVE_SLACK_US}
        self._watch = Watch(
            store, clock, generation, gathers_us, limits.watch_s, limits.upgrade_wait_us
        )
        self._by_core: Positions = {}
        self._by_sender: Positions = {}
        self._read_at = 0
        self._unread_at: list[int] = []
        self._found: list[Difference] = []
        self._lines: list[Booked] = []
        self._announced: set[tuple[str, str]] = set()
        self._unchecked = 0
        self._unreadable: set[str] = set()

    def run(self) -> Verdict:
        """Read, replay, compare; again for what was changing meanwhile.

        Raises:
            RetryableError: the stream or the tables do not answer.
            MailtumbleError: the tables belong to another stream.
        """
        with self._tapes:
            return self._run()

    def _run(self) -> Verdict:
        self._read_up()
        stored = self._stored.items()
        mails = self._stored.mail_items(stored)
        self._announced.update(_object(item) for item in mails.values())
        others = self._stored.spans(stored, self._replay.aggregate)
        begins = beginning(self._tapes, self._by_core)
        known = retention(
            self._tapes,
            self._replay,
            mails,
            begins,
            others,
            self._clock.now(),
            is_sure=not self._stored.unreadable,
        )
        everything = {**self._replay.expected(), **stored}
        moving = self._settle({*everything}, stored, known)
        going_on = self._settle_sender(None)
        rounds = 1
        while (moving or going_on) and rounds < ROUNDS_MAX:
            rounds += 1
            self._read_up()
            everything.update(only(self._replay.expected(), moving))
            moving = self._settle(moving, self._stored.some(only(everything, moving)), known)
            if going_on:
                going_on = self._settle_sender(going_on)
        self._lines.extend(self._as_expected(moving))
        self._found.extend(disputed_conditions(self._replay, self._generation))
        self._found.extend(disputed_counters(self._replay))
        overdue = self._overdue(stored, known)
        reading = self._watch.look(self._tapes, self._tapes.shards())
        self._ahead.look()
        return self._verdict(len(moving) + len(going_on), tuple(overdue), reading)

    def _read_up(self) -> None:
        """See how far core and sender have read; read all there is, and replay so far."""
        self._read_at = self._clock.now()
        shards = self._tapes.shards()
        by_core, by_sender = self._stored.positions(shards), self._sender.positions(shards)
        self._by_core, self._by_sender = by_core, by_sender
        self._tapes.read_to_end(_farther(by_core, by_sender))
        self._ahead.look()
        self._replay.advance(by_core)
        self._sender.replay.advance(by_sender)
        # An application that has not read anything yet is not waited for.
        began = [(by_core, self._replay), (by_sender, self._sender.replay)]
        unread = [replay.unread_at() for positions, replay in began if positions]
        self._unread_at = [each for each in unread if each is not None]

    def _settle(
        self, places: set[Address], stored: Mapping[Address, Item], known: Retention
    ) -> set[Address]:
        """Compare what has not moved since; returns what has."""
        positions = self._stored.positions(self._tapes.shards())
        self._tapes.read_until(positions)
        moving = places & self._replay.touched(positions)
        expected = self._replay.expected()
        still = places - moving
        told = {each for each in still if known.tells(each, stored.get(each), expected.get(each))}
        self._unchecked += len(still) - len(told)
        self._found.extend(differences(told, stored, expected, self._stored.name))
        for place in sorted(still):
            if place[0] == MAILS:
                item = stored.get(place)
                mail_id = self._stored.name(place, item or {})
                self._enter(mail_id, item, known, is_told=place in told)
                if place in told and place in expected:
                    self._found.extend(self._disputes(mail_id, expected[place]))
        return moving

    def _settle_sender(self, subjects: set[str] | None) -> set[str]:
        """Compare the sender's tables; returns the mail that the sender was going on with."""
        look = self._sender.look(subjects)
        positions = self._sender.positions(self._tapes.shards())
        self._tapes.read_until(positions)
        touched = self._sender.replay.touched_subjects(positions)
        begins = beginning(self._tapes, self._by_sender)
        return self._sender.settle(look, subjects, touched, begins)

    def _disputes(self, mail_id: str, item: Item) -> Iterator[Difference]:
        """Name the targets of a mail that core's own fold shows otherwise than the model says."""
        mail = self._replay.model.mails.get(mail_id)
        by_model = tuple(str(each) for each in mail.statuses) if mail else ()
        by_view = shown(item)
        if by_view == by_model:
            return
        for index in range(max(len(by_view), len(by_model))):
            stored, expected = by_view[index : index + 1], by_model[index : index + 1]
            if stored != expected:
                yield Difference(
                    kind=Kind.DISPUTED,
                    table=MAILS,
                    key=mail_id,
                    attribute=f"status of target {index}",
                    stored=stored[0] if stored else None,
                    expected=expected[0] if expected else None,
                )

    def _overdue(self, stored: Mapping[Address, Item], known: Retention) -> list[Overdue]:
        """Name what is open past its deadline, as of what core and sender have read."""
        as_of = min((self._read_at, *self._unread_at))
        grace_us = self._grace_us + self._claimed_for_us
        found = list(overdue_mail(self._replay, as_of, grace_us, known))
        found.extend(self._forgotten(stored, known, as_of - grace_us))
        timers = (item for place, item in stored.items() if place[0] == TIMERS)
        late = overdue_timers((*timers, *self._sender.deadlines), as_of, self._grace_us)
        found.extend(map(of_timer, self._stored.still_there(TIMERS, list(late))))
        return sorted(found, key=lambda each: (each.name, each.due_at))

    def _forgotten(
        self, stored: Mapping[Address, Item], known: Retention, due_before: int
    ) -> list[Overdue]:
        """Check the open mail whose beginning the stream has dropped, by its stored states."""
        begins = beginning(self._tapes, self._by_sender)
        check = ForgottenMail(self._store, self._generation, self._replay, self._sender, begins)
        mails = self._stored.mail_items(stored).items() if known.trimmed else ()
        check.check(
            (
                name
                for name, item in mails
                if name in known.headless and not ENDED.issuperset(shown(item))
            ),
            due_before,
        )
        self._found.extend(check.found)
        self._unreadable |= check.unreadable
        return check.overdue

    def _enter(self, name: str, item: Item | None, known: Retention, *, is_told: bool) -> None:
        """Enter a mail into the sum."""
        entry = self._replay.entries.get(name)
        statuses = shown(item) if item is not None else ()
        if is_told:
            # Without an entry nothing came in, and something is shown.
            self._lines.append(Booked(name=name, entry=entry or NOTHING, shown=statuses))
        elif name in known.headless and self._replay.heard_at(mail_subject(name)):
            # The stream still tells a part of it.
            self._lines.append(Booked(name=name, entry=None, shown=statuses))
        else:
            still_open = tuple(each for each in statuses if each not in ENDED)
            self._lines.append(Booked(name=name, entry=None, shown=still_open))

    def _as_expected(self, moving: Iterable[Address]) -> Iterable[Booked]:
        """Mails that were changing all the time are taken to show what the stream says."""
        for place in moving:
            name = self._stored.name(place, {})
            entry = self._replay.entries.get(name)
            if place[0] == MAILS and entry is not None:
                shown_by_stream = tuple(str(each) for each in entry.standing)
                yield Booked(name=name, entry=entry, shown=shown_by_stream)

    def _verdict(
        self, moving: int, overdue: tuple[Overdue, ...], reading: Sequence[Reading]
    ) -> Verdict:
        unread: dict[tuple[str, str], Any] = {
            **self._sender.replay.unread,
            **self._replay.unread,
        }
        skipped = [
            Difference(
                kind=Kind.SKIPPED,
                table="stream",
                key=f"{shard_id} {sequence_number}",
                attribute=None,
                stored=None,
                expected=problem,
            )
            for (shard_id, sequence_number), problem in sorted(unread.items())
        ]
        return Verdict(
            sum=total(self._lines),
            records=self._replay.records,
            waiting=self._ahead.records - self._replay.records,
            mails=len(self._replay.entries),
            differences=(*self._found, *self._sender.found, *skipped),
            overdue=overdue,
            reading=tuple(reading),
            moving=moving,
            unchecked=self._unchecked + self._sender.unchecked,
            unreadable=frozenset(
                self._unreadable | self._stored.unreadable | self._sender.unreadable
            ),
            announced=frozenset(self._announced | self._ahead.announced),
        )


def _farther(one: Positions, other: Positions) -> Positions:
    """Return for each shard the position that lies farther on."""
    return {each: max(one.get(each, ""), other.get(each, "")) for each in {*one, *other}}


def _object(mail: Item) -> tuple[str, str]:
    return str(mail.get("bucket")), str(mail.get("object_key"))
