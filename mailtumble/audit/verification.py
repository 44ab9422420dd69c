"""Verification: the projections against a replay of the stream, while the workers go on.

::

    core has read up to   c1 ──────────────────────── c2
                           │ read stream │ read items │
    the replay stands at  c1

Every item is written in one transaction with the cursor, so an item that is read in between is
as of some point from c1 to c2. What no record from c1 to c2 touches has to be as the replay says
at c1; what one does touch is compared in a next round, that has to read only these few items.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from mailtumble.audit.comparison import Difference, Kind, differences
from mailtumble.audit.replay import Replay
from mailtumble.audit.retention import Retention, retention, shown
from mailtumble.audit.stored import Stored, only
from mailtumble.audit.tapes import Progress, Tapes
from mailtumble.ports.store import Item, ItemStore
from mailtumble.ports.stream import EventStream
from mailtumble.ports.world import Clock
from mailtumble.worker.writes import Address
from processors.audit.balance import NOTHING, Booked, Sum, total
from schemas.values import ENDED

ROUNDS_MAX: Final = 5
MAILS: Final = "mails"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found.

    Attributes:
        sum: opening + received = ended + open, per target.
        records: how many records the projections were held against.
        waiting: how many more stand on the stream that core has not read.
        mails: how many mails these records are about.
        differences: item by item.
        moving: items that were changing in every round; nothing is said of them.
        unchecked: items that are older than what the stream keeps; nothing is said of them.
        announced: bucket and key of the mails that the stream or the view knows.
    """

    sum: Sum
    records: int
    waiting: int
    mails: int
    differences: tuple[Difference, ...]
    moving: int
    unchecked: int
    announced: frozenset[tuple[str, str]]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.sum.holds and not self.differences


class Verification:
    """One generation of the projections, verified once."""

    def __init__(
        self,
        stream: EventStream,
        store: ItemStore,
        generation: str,
        clock: Clock,
        progress: Progress = lambda share: None,  # noqa: ARG005 - nobody listens
    ) -> None:
        """Nothing is read yet."""
        self._clock = clock
        self._tapes = Tapes(stream, clock, progress)
        self._stored = Stored(store, generation)
        self._replay = Replay(self._tapes, generation)
        self._found: list[Difference] = []
        self._lines: list[Booked] = []
        self._announced: set[tuple[str, str]] = set()
        self._unchecked = 0

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
        known = retention(self._tapes, self._replay, mails, self._clock.now())
        everything = {**self._replay.items, **stored}
        moving = self._settle({*everything}, stored, known)
        rounds = 1
        while moving and rounds < ROUNDS_MAX:
            rounds += 1
            self._read_up()
            moving = self._settle(moving, self._stored.some(only(everything, moving)), known)
        self._lines.extend(self._as_expected(moving))
        self._replay.look_ahead()
        return self._verdict(len(moving))

    def _read_up(self) -> None:
        """See how far core has read; read all there is, and replay so far."""
        positions = self._stored.positions(self._tapes.shards())
        self._tapes.read_to_end(positions)
        self._replay.look_ahead()
        self._replay.advance(positions)

    def _settle(
        self, places: set[Address], stored: Mapping[Address, Item], known: Retention
    ) -> set[Address]:
        """Compare what has not moved since; returns what has."""
        positions = self._stored.positions(self._tapes.shards())
        self._tapes.read_until(positions)
        moving = places & self._replay.touched(positions)
        expected = self._replay.items
        still = places - moving
        told = {each for each in still if known.tells(each, stored.get(each), expected.get(each))}
        self._unchecked += len(still) - len(told)
        self._found.extend(differences(told, stored, expected, self._stored.name))
        for place in still:
            if place[0] == MAILS:
                self._enter(place, stored.get(place), known, is_told=place in told)
        return moving

    def _enter(self, place: Address, item: Item | None, known: Retention, *, is_told: bool) -> None:
        """Enter a mail into the sum."""
        name = self._stored.name(place)
        entry = self._replay.entries.get(name)
        statuses = shown(item) if item is not None else ()
        if is_told:
            # Without an entry nothing came in, and something is shown.
            self._lines.append(Booked(name=name, entry=entry or NOTHING, shown=statuses))
        elif name in known.headless:
            self._lines.append(Booked(name=name, entry=None, shown=statuses))
        else:
            still_open = tuple(each for each in statuses if each not in ENDED)
            self._lines.append(Booked(name=name, entry=None, shown=still_open))

    def _as_expected(self, moving: Iterable[Address]) -> Iterable[Booked]:
        """Mails that were changing all the time are taken to show what the stream says."""
        for place in moving:
            name = self._stored.name(place)
            entry = self._replay.entries.get(name)
            if place[0] == MAILS and entry is not None:
                shown_by_stream = tuple(str(each) for each in entry.standing)
                yield Booked(name=name, entry=entry, shown=shown_by_stream)

    def _verdict(self, moving: int) -> Verdict:
        skipped = [
            Difference(
                kind=Kind.SKIPPED,
                table="stream",
                key=f"{shard_id} {sequence_number}",
                attribute=None,
                stored=None,
                expected=problem,
            )
            for (shard_id, sequence_number), problem in sorted(self._replay.unread.items())
        ]
        return Verdict(
            sum=total(self._lines),
            records=self._replay.records,
            waiting=self._replay.waiting,
            mails=len(self._replay.entries),
            differences=(*self._found, *skipped),
            moving=moving,
            unchecked=self._unchecked,
            announced=frozenset(self._announced | self._replay.announced),
        )


def _object(mail: Item) -> tuple[str, str]:
    return str(mail.get("bucket")), str(mail.get("object_key"))
