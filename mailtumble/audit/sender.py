"""Compare the sender's queue, claims and deadlines with a replay of what the sender has read.

For every attempt that waits in round r according to the independent model, one of these holds::

    queue entry of round r                      nobody has claimed it yet
    claim of round r + its timer                claimed, and the stream does not show an outcome yet

The claim of every round that was announced, or that another round followed, is kept for 400 days.

A claim moves an attempt from the first line to the second in one transaction that the sender's
cursor does not show. So the tables are read in the order queue, claims, timers: an attempt that
left the queue before it was read is found in the claims, and its deadline in the timers. What the
sender commits in the meantime shows in its cursor. Messages with such records are compared again
in the next round, as :mod:`mailtumble.audit.verification` does with core's items.

Cost: a scan of ``queue`` and ``timers``, which hold open messages only, and one item of ``claims``
for each attempt on the stream, 100 per call.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from mailtumble.audit.comparison import Difference, Kind, differences, missing
from mailtumble.audit.overdue import GRACE_US
from mailtumble.audit.reading import WATCH_S
from mailtumble.audit.replay import TIMERS, LookAhead, Replay
from mailtumble.audit.retention import Beginning
from mailtumble.audit.stored import positions, timer_name
from mailtumble.audit.tapes import Positions, Tapes
from mailtumble.ports.store import Item, ItemStore, Key, Put
from mailtumble.ports.stream import Shard
from mailtumble.ports.world import Clock
from mailtumble.sender.application import GENERATION, NAME, SenderApplication
from mailtumble.sender.claims import KEPT_US
from mailtumble.sender.entry import called_off_key, entry_of, queue_key
from mailtumble.worker.memory import read_if_known
from mailtumble.worker.timers import prefix_of, put
from mailtumble.worker.upgrades import UPGRADE_WAIT_US
from mailtumble.worker.writes import Address, address
from processors.audit.model import Attempt, State
from processors.kernel import Timer
from processors.sending.dispatch import Attempt as Folded
from processors.sending.dispatch import Dispatch, Phase
from schemas.ids import bucket, mail_of, mail_subject
from schemas.values import HOUR_US, MINUTE_US, SECOND_US, TimerKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long things may take, by the settings of the workers and by who asks.

    Attributes:
        claimed_for_us: how long a claim outlasts its ``send_before`` (microseconds).
        claims_kept_us: how long a claim is surely kept after its ``send_before`` (microseconds).
        archive_every_us: how long the archive gathers records before it writes a segment
            (microseconds).
        watch_s: how long a reader may stay where it is while records wait (seconds).
        grace_us: how long after its deadline something may still be open (microseconds).
        upgrade_wait_us: how long a shard waits for an upgrade (microseconds).
    """

    claimed_for_us: int = 12 * SECOND_US
    claims_kept_us: int = KEPT_US - HOUR_US
    """A claim is made at most an hour before (the setting ``send_window_s``)."""
    archive_every_us: int = MINUTE_US
    watch_s: float = WATCH_S
    grace_us: int = GRACE_US
    upgrade_wait_us: int = UPGRADE_WAIT_US


QUEUE: Final = "queue"
CLAIMS: Final = "claims"
CLAIMS_READ: Final = 2_000
"""Claims that are in memory at a time while they are read: 20 calls."""

Round = tuple[str, int]
"""An attempt's id, and the number of a round."""


@dataclass(slots=True)
class Look:
    """What the tables held, in the order in which it was read.

    ``entries``: queue entries by subject and address. ``claimed``: the highest claimed round of an
    attempt, with that claim's ``send_before``. ``timers``: deadlines of claims.
    """

    entries: dict[str, dict[Address, Item]] = field(default_factory=dict)
    claimed: dict[str, tuple[int, int]] = field(default_factory=dict)
    timers: dict[Round, Item] = field(default_factory=dict)


class SenderAudit:
    """Compares the sender's tables with a replay.

    Attributes:
        replay: the sender's state of every mail, as of its own position.
        found: differences so far.
        unchecked: items of mail that began before what the stream still holds.
        unreadable: the subjects whose stored state this release can't read.
        deadlines: every deadline of a claim that the first look found.
    """

    def __init__(
        self, store: ItemStore, tapes: Tapes, ahead: LookAhead, clock: Clock, limits: Limits
    ) -> None:
        """Create it without reading anything.

        Args:
            store: the tables.
            tapes: the stream, as far as it is read.
            ahead: what is known of the whole stream.
            clock: tells the time.
            limits: by the settings of the workers.
        """
        self._store = store
        self._clock = clock
        self._limits = limits
        application = SenderApplication(0, limits.claimed_for_us, _ignore, _ignore)
        self.replay = Replay(tapes, ahead, application)
        self.found: list[Difference] = []
        self.unchecked = 0
        self.unreadable: set[str] = set()
        self.deadlines: list[Item] = []

    def positions(self, shards: Sequence[Shard]) -> Positions:
        """Return how far the sender has read each shard."""
        return positions(self._store, shards, NAME, GENERATION)

    def look(self, subjects: Collection[str] | None) -> Look:
        """Read the tables: all of them, or for some subjects only."""
        look = Look()
        for item in self._entries(subjects):
            place = address(Put(QUEUE, item))
            look.entries.setdefault(str(item.get("subject")), {})[place] = item
        self._read_claims(look, subjects)
        for item in self.timers(subjects):
            look.timers[str(item.get("attempt_id")), _number(item, "number")] = item
        if subjects is None:
            self.deadlines = list(look.timers.values())
        return look

    def settle(
        self,
        look: Look,
        subjects: Collection[str] | None,
        touched: Collection[str],
        beginning: Beginning,
    ) -> set[str]:
        """Compare what was looked at, except mail that the sender has gone on with.

        Args:
            look: what the tables held.
            subjects: what was looked at; None for everything.
            touched: subjects of records that the sender has committed since the replay's position.
            beginning: which records the stream has forgotten.

        Returns:
            The subjects that have to be looked at again.
        """
        moving: set[str] = set()
        suspects: dict[str, list[Difference]] = {}
        for subject in self._subjects(subjects) | look.entries.keys():
            if subject in touched:
                moving.add(subject)
            elif found := list(self._compare(subject, look)):
                suspects[subject] = found
        unknown = self._unknown(suspects, beginning)
        for subject, found in suspects.items():
            if subject in unknown:
                self.unchecked += len(found)
            else:
                self.found.extend(found)
        return moving

    def _unknown(self, subjects: Iterable[str], beginning: Beginning) -> set[str]:
        """Return the subjects that can't be checked, by what the sender keeps of them.

        The stream has dropped some of their records, or a newer release has stored their state.
        Asked only about mail that seems to be wrong: it costs a read each.
        """
        names = sorted(subjects)
        keys: list[Key] = [{"subject_key": f"{NAME}#{GENERATION}#{each}"} for each in names]
        items = self._store.get_all("subjects", keys) if keys else ()
        unknown: set[str] = set()
        for subject, item in zip(names, items, strict=True):
            if item is None:
                continue
            memory = read_if_known(subject, item, self.replay.aggregate(subject))
            if memory is None:
                self.unreadable.add(subject)
                unknown.add(subject)
            elif beginning.is_cut(memory.spans):
                unknown.add(subject)
        return unknown

    def _compare(self, subject: str, look: Look) -> Iterator[Difference]:
        stored = look.entries.get(subject, {})
        mail_id = mail_of(subject) or subject
        state: Dispatch = self.replay.state(subject)
        mail = self.replay.model.mails.get(mail_id)
        waiting: dict[Address, Item] = {}
        claimed: set[Address] = set()
        for attempt in mail.attempts.values() if mail else ():
            if self._is_kept(attempt):
                yield from _lost_claim(mail_id, attempt, look)
            folded = state.attempt(attempt.id)
            yield from _dispute(mail_id, attempt, folded)
            if attempt.state is not State.WAITING or folded is None or state.mail is None:
                continue
            place = _place(subject, folded)
            entry = entry_of(subject, state, folded).put().item
            # An entry says what was known when it was queued.
            waiting[place] = self.replay.items.get(place, entry)
            claim = look.claimed.get(attempt.id, (-1, 0))
            if claim[0] < attempt.round and attempt.is_announced:
                # That the claim is gone is said already; it has taken the entry out all the same.
                claim = attempt.started, attempt.send_before
            if claim[0] >= attempt.round:
                claimed.add(place)
                yield from self._lost_deadline(subject, attempt, claim, look)
        places = (stored.keys() | waiting.keys()) - claimed
        yield from differences(places, stored, waiting, entry_name)

    def _is_kept(self, attempt: Attempt) -> bool:
        """Return whether the claims of an attempt can't have expired yet."""
        since = attempt.due_at
        if attempt.started >= 0:
            # It may have been rescheduled after its claim.
            since = min(since, attempt.send_before)
        return self._clock.now() < since + self._limits.claims_kept_us

    def _lost_deadline(
        self, subject: str, attempt: Attempt, claim: tuple[int, int], look: Look
    ) -> Iterator[Difference]:
        """Name the deadline of a claim without an outcome, where it is gone."""
        number, send_before = claim
        name = attempt.id
        if (name, number) in look.timers:
            return
        due_at = send_before + self._limits.claimed_for_us
        timer = Timer(subject, TimerKind.CLAIM, name, number, due_at)
        item = put(prefix_of(NAME, GENERATION), timer).item
        yield missing(TIMERS, timer_name(item), item)

    def _subjects(self, subjects: Collection[str] | None) -> set[str]:
        """Return those of the subjects that are mail with attempts."""
        mails = self.replay.model.mails.items()
        mine = {mail_subject(name) for name, mail in mails if mail.attempts}
        return mine if subjects is None else mine & {*subjects}

    def _entries(self, subjects: Collection[str] | None) -> Iterable[Item]:
        if subjects is None:
            return self._store.scan(QUEUE)
        found = self._partitions(QUEUE, {bucket(each) for each in subjects})
        return (item for item in found if item.get("subject") in subjects)

    def timers(self, subjects: Collection[str] | None) -> Iterable[Item]:
        """Read the deadlines of claims: all of them, or those of some subjects only."""
        prefix = prefix_of(NAME, GENERATION)
        if subjects is None:
            every = self._store.scan(TIMERS)
            return (item for item in every if str(item.get("bucket")).startswith(prefix))
        found = self._partitions(TIMERS, {prefix + bucket(each) for each in subjects})
        return (item for item in found if item.get("subject") in subjects)

    def _partitions(self, table: str, names: Iterable[str]) -> Iterator[Item]:
        for name in sorted(names):
            yield from self._store.query(table, name).items

    def _read_claims(self, look: Look, subjects: Collection[str] | None) -> None:
        names: list[str] = []
        for subject in self._subjects(subjects):
            mail = self.replay.model.mails[mail_of(subject) or subject]
            names.extend(
                each.id
                for each in mail.attempts.values()
                if each.state is State.WAITING or _claimed_round(each) >= 0
            )
        for start in range(0, len(names), CLAIMS_READ):
            keys: list[Key] = [{"attempt_id": each} for each in names[start : start + CLAIMS_READ]]
            for item in self._store.get_all(CLAIMS, keys):
                if item is not None:
                    known = _number(item, "round"), _number(item, "send_before")
                    look.claimed[str(item["attempt_id"])] = known


def _claimed_round(attempt: Attempt) -> int:
    """Return the highest round whose claim the stream proves; -1: it proves none.

    ``SendStarted`` follows its claim, and only a claim that failed leads to another round.
    """
    return max(attempt.started, attempt.round - 1)


def _lost_claim(mail_id: str, attempt: Attempt, look: Look) -> Iterator[Difference]:
    """Name a claim that is gone: what keeps its attempt from being sent again."""
    name, due = attempt.id, _claimed_round(attempt)
    number, _ = look.claimed.get(name, (-1, 0))
    if number >= due:
        return
    key = f"mail {mail_id}, attempt {name}, round {due}"
    if number < 0:
        expected = {"attempt_id": name, "subject": mail_subject(mail_id), "round": due}
        yield missing(CLAIMS, key, expected)
        return
    yield Difference(
        kind=Kind.DIFFERENT, table=CLAIMS, key=key, attribute="round", stored=number, expected=due
    )


def _dispute(mail_id: str, attempt: Attempt, folded: Folded | None) -> Iterator[Difference]:
    """Name an attempt of which the sender's own fold and the model say different things."""
    key = f"mail {mail_id}, attempt {attempt.id}"
    by_fold = None if folded is None else _seen(folded)
    for name, by_model in _seen_by_model(attempt).items():
        if by_fold is None or by_fold[name] != by_model:
            yield Difference(
                kind=Kind.DISPUTED,
                table=NAME,
                key=key,
                attribute=name,
                stored=None if by_fold is None else by_fold[name],
                expected=by_model,
            )


def _seen(attempt: Folded) -> dict[str, int]:
    return {
        "waits": attempt.phase is Phase.WAITING,
        "round": attempt.round,
        "started": attempt.started,
        "cancelled": attempt.cancelled,
        "due_at": attempt.scheduled.due_at,
        "expires_at": attempt.scheduled.expires_at,
    }


def _seen_by_model(attempt: Attempt) -> dict[str, int]:
    return {
        "waits": attempt.state is State.WAITING,
        "round": attempt.round,
        "started": attempt.started,
        "cancelled": attempt.cancelled,
        "due_at": attempt.due_at,
        "expires_at": attempt.expires_at,
    }


def _place(subject: str, attempt: Folded) -> Address:
    """Return where the queue entry of a waiting attempt lies."""
    scheduled = attempt.scheduled
    if attempt.cancelled:
        key = called_off_key(subject, scheduled.attempt_id)
    else:
        key = queue_key(subject, attempt.lane, scheduled.due_at, scheduled.attempt_id)
    return QUEUE, "\x1f".join((key["bucket"], key["position"]))


def entry_name(place: Address, item: Item) -> str:
    """Return which attempt a queue entry is for, in words."""
    attempt = item.get("attempt_id") or place[1].rpartition("#")[2]
    return f"mail {item.get('mail_id', '')}, attempt {attempt}"


def _number(item: Item, name: str) -> int:
    value = item.get(name)
    return value if isinstance(value, int) else 0


def _ignore(*_: object) -> None:
    """Hear nothing: a replay commits nothing."""
