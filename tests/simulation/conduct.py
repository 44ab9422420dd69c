"""Judge every step of the sender with the independent model.

At each commit, the model reads as far as the sender has read, so it knows which attempts wait and
whether they may be sent. At each claim, it says whether the attempt could be sent then, according
to what the claiming process had read and had been told.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mailtumble.sender import application as sender
from mailtumble.worker import core
from processors.audit.model import Attempt, Conditions, Model, State
from schemas.ids import address_subject, mail_of
from schemas.values import SECOND_US
from tests.simulation.readings import Readings, quarantined
from tests.simulation.witness import Answered, Called, Committed, Fenced, Told

if TYPE_CHECKING:
    from tests.simulation.world import World

SENDER: Final = f"{sender.NAME}#{sender.GENERATION}"
PAUSES: Final = "pauses#"
QUEUED: Final = ("attempt_id", "round", "due_at", "expires_at", "cancelled")
NONE: Final = Conditions()
LEARNS_US: Final = 10 * SECOND_US
"""How long a process whose clock was set may take to learn AWS's time again: two replies tell it,
and the attempts that it chose before them are claimed within seconds."""


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A claim that was made.

    Attributes:
        name: the attempt's id.
        round: which round was claimed.
        owner: by whom.
        why: why the attempt could not be sent then; "" if it could.
        reasons: what would have justified ending it without a call.
    """

    name: str
    round: int
    owner: str
    why: str
    reasons: frozenset[str]


@dataclass
class Knowledge:
    """What each sender had been told about pauses and addresses, and what the tables held when.

    ``history``: for each place in the chronicle, the conditions by generation of core's views.
    """

    history: list[dict[str, Conditions]] = field(default_factory=list)
    _addresses: dict[tuple[object, str], tuple[Told, int, str]] = field(default_factory=dict)
    _polls: dict[str, list[tuple[Told, int, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def hear(self, told: Told, place: int) -> None:
        """Note a reply that reached a process."""
        for key in told.keys:
            first, _, rest = key.partition("#")
            if key.startswith(PAUSES):
                self._polls[told.process].append((told, place, rest))
            elif told.table == "addresses":
                self._addresses[told.thread, rest] = told, place, first

    def about(
        self, place: int, thread: object, owner: str, address: str
    ) -> tuple[tuple[Conditions, ...], tuple[Conditions, ...]]:
        """Return what the claiming process may have known about the address and about pauses.

        Both are as of the moments between which the tables were read. The address is looked up
        right after the pauses were considered. A process that did not look may have known anything.
        """
        looked = self._addresses.get((thread, address_subject(address, "")))
        if looked is None:
            now = next(iter(self.history[place].values()), NONE)
            return (now,), (NONE,)
        told, until, generation = looked
        polls = [each for each in self._polls[owner] if each[1] < told.since]
        paused = self._between(polls[-1][0].since, *polls[-1][1:]) if polls else (NONE,)
        return self._between(told.since, until, generation), paused

    def _between(self, since: int, until: int, generation: str) -> tuple[Conditions, ...]:
        places = (max(since - 1, 0), until)
        return tuple(self.history[place].get(generation, NONE) for place in places)


@dataclass
class Conduct:
    """Reads the chronicle from its beginning, and advances the models along with it."""

    world: World
    log: Readings
    complaints: list[str] = field(default_factory=list)
    claims: list[Claimed] = field(default_factory=list)
    _knowledge: Knowledge = field(default_factory=Knowledge)
    _models: dict[str, Model] = field(default_factory=dict)
    _read: Counter[str] = field(default_factory=Counter)
    _held: dict[str, Conditions] = field(default_factory=dict)
    _queue: dict[str, tuple[object, ...]] = field(default_factory=dict)
    _claimed: set[tuple[str, int]] = field(default_factory=set)
    _lost: dict[tuple[object, str], int] = field(default_factory=dict)

    def read(self) -> None:
        """Go through the chronicle."""
        for place, seen in enumerate(self.world.witness.chronicle):
            match seen:
                case Committed():
                    self._committed(place, seen)
                case Told():
                    self._knowledge.hear(seen, place)
                case Fenced():
                    self._fenced(seen)
                case Called() | Answered():
                    pass
            if len(self._knowledge.history) == place:
                self._knowledge.history.append(self._held)

    def _committed(self, place: int, seen: Committed) -> None:
        for position, item in seen.queue:
            self._queue.pop(position, None)
            if item is not None:
                self._queue[position] = tuple(item[name] for name in QUEUED)
        if seen.cursor is not None:
            self._advance(*seen.cursor)
        self._knowledge.history.append(self._held)
        for item in seen.claims:
            self._judge_claim(place, seen, item)
        if seen.cursor is not None and seen.cursor[0].startswith(f"{SENDER}#"):
            self._compare_queue()
        for item in seen.mails:
            self._compare_view(item)

    def _advance(self, cursor: str, sequence: str) -> None:
        """Advance the model of an application and generation to where the application has read."""
        reader, _, shard = cursor.rpartition("#")
        application, _, generation = reader.partition("#")
        if application not in (sender.NAME, core.NAME):
            return
        if reader not in self._models:
            self._models[reader] = Model(application, quarantined(self.log, application))
        model, records = self._models[reader], self.log.get(shard, [])
        first = self._read[cursor]
        while first < len(records) and records[first].stored.sequence_number <= sequence:
            records[first].give(model)
            first += 1
        self._read[cursor] = first
        if application == core.NAME:
            self._held = {**self._held, generation: model.conditions(self.world.clock.now())}

    def _compare_queue(self) -> None:
        """Check that exactly the attempts that wait and are not claimed are queued."""
        entries = {row[0]: row for row in self._queue.values()}
        for mail in self._models[SENDER].mails.values():
            for attempt in mail.attempts.values():
                entry = entries.get(attempt.id)
                if attempt.state is not State.WAITING:
                    if entry is not None:
                        self._complain(f"queue: {attempt.id} is {attempt.state}, and queued")
                elif not attempt.stranded and (attempt.id, attempt.round) not in self._claimed:
                    wanted = _wanted(attempt)
                    if entry != wanted:
                        self._complain(f"queue: {attempt.id} is {entry}, it has to be {wanted}")

    def _compare_view(self, item: Any) -> None:  # noqa: ANN401
        """Check that each item that core writes shows the log as far as core has read it."""
        generation, name = str(item["mail_key"]).split("#", 1)
        model = self._models.get(f"{core.NAME}#{generation}")
        if model is None or name not in model.mails:
            self._complain(f"view: {name} is shown, of which core has read nothing")
            return
        shown = tuple(str(each["status"]) for each in item["targets"]) or (str(item["status"]),)
        wanted = tuple(map(str, model.mails[name].statuses))
        if shown != wanted:
            self._complain(f"view: {name} showed {shown} while the log said {wanted}")

    def _judge_claim(self, place: int, seen: Committed, item: Any) -> None:  # noqa: ANN401
        name, number, owner = str(item["attempt_id"]), int(item["round"]), str(item["owner"])
        self._claimed.add((name, number))
        model = self._models.get(SENDER)
        mail = model.mails.get(mail_of(str(item["subject"])) or "") if model else None
        attempt = mail.attempts.get(name) if mail else None
        why, reasons = "it was never scheduled", set()
        if mail is not None and attempt is not None:
            # Clocks are set now and then: the claimant's clock or the world's may justify it.
            own, true = int(item["claimed_at"]), seen.at
            times = (own, true, *self._misread(owner, true))
            arrived_at = mail.received.received_at if mail.received else 0
            address, paused = self._knowledge.about(place, seen.thread, owner, attempt.address)
            pauses = [each.pause(attempt.tenant, attempt.address, arrived_at) for each in paused]
            suppressed = [each.is_suppressed(attempt.address, min(own, true)) for each in address]
            why = _why(attempt, number, times)
            why = why or ("its address is suppressed" if all(suppressed) else "")
            why = why or (pauses[0] if all(pauses) else "")
            reasons = {
                *({"cancelled"} if attempt.cancelled else ()),
                *({"over"} if any(now >= attempt.expires_at for now in times) else ()),
                *({"suppressed"} if any(suppressed) else ()),
            }
        self.claims.append(
            Claimed(name=name, round=number, owner=owner, why=why, reasons=frozenset(reasons))
        )

    def _misread(self, owner: str, true: int) -> list[int]:
        """Return what the owner's clock may have said shortly before, because somebody set it."""
        return [
            true + by_us
            for name, at, by_us in self.world.supervisor.clock_steps
            if name == owner and 0 <= true - at <= LEARNS_US
        ]

    def _fenced(self, seen: Fenced) -> None:
        key = seen.thread, seen.cursor
        if self._lost.get(key) == seen.epoch:
            self._complain(f"fence: {seen.process} goes on with {seen.cursor}, which it has lost")
        if seen.lost:
            self._lost[key] = seen.epoch

    def _complain(self, text: str) -> None:
        if text not in self.complaints:
            self.complaints.append(text)


def _wanted(attempt: Attempt) -> tuple[object, ...]:
    return (attempt.id, attempt.round, attempt.due_at, attempt.expires_at, attempt.cancelled)


def _why(attempt: Attempt, number: int, times: tuple[int, ...]) -> str:
    """Return why the attempt could not be sent in this round, by any of the clocks."""
    if number != attempt.round:
        return f"round {number} is claimed, it is in round {attempt.round}"
    if attempt.is_announced:
        return "its round was announced before"
    whys = [attempt.may_leave(now) for now in times]
    return whys[0] if all(whys) else ""
