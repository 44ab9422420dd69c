"""How the workers are put together from ports: by ``mailtumble worker``, and by the simulation."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mailtumble.intake.notification import NO_VERIFICATION
from mailtumble.intake.service import Intake, IntakePorts, SideBySide
from mailtumble.intake.sns import Verifier
from mailtumble.ports.store import Item, ItemStore
from mailtumble.ports.stream import EventStream, Shard, StoredRecord
from mailtumble.ports.world import (
    Account,
    AliasRepository,
    Clock,
    MessageQueue,
    ObjectStore,
    Transport,
)
from mailtumble.sender.claims import ClaimTimes
from mailtumble.sender.destinations import ITEM as SLOWED
from mailtumble.sender.destinations import Destinations
from mailtumble.sender.fuse import Fuse
from mailtumble.sender.instants import Instants
from mailtumble.sender.ledger import DailyLedger
from mailtumble.sender.others import OthersWatch
from mailtumble.sender.outcomes import Logged, Outcomes
from mailtumble.sender.quota import ITEM as QUOTA
from mailtumble.sender.quota import KnownQuota, QuotaWatch
from mailtumble.sender.shard import Fleet, SenderSettings, SenderShard
from mailtumble.sender.standing import Standing
from mailtumble.sender.stops import ITEM as STOPS
from mailtumble.sender.stops import StopWatch
from mailtumble.sender.transmission import Job, Transmission
from mailtumble.sender.usage import OwnSends
from mailtumble.worker.application import Fact
from mailtumble.worker.core import Core, CoreRules
from mailtumble.worker.headers import HeaderReader
from mailtumble.worker.metrics import Meter, Tally
from mailtumble.worker.returns import ReturnsReader
from mailtumble.worker.shard import ShardProcessor, Surroundings
from mailtumble.worker.trials import Trials
from mailtumble.worker.upgrades import UPGRADE_WAIT_US
from processors.moderation.rules import header_names
from processors.sending.stops import scope_of
from schemas.errors import MailtumbleError
from schemas.events import Event, SendAccepted, SendDeferred
from schemas.values import SECOND_US, DeferReason

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """All of the world that a process may need; each worker takes what it uses.

    ``trials`` and ``meter`` are one for all its shards.
    """

    clock: Clock
    stream: EventStream
    store: ItemStore
    objects: ObjectStore
    queue: MessageQueue
    aliases: AliasRepository
    transport: Transport
    account: Account
    verifier: Verifier = NO_VERIFICATION
    dead_letters: MessageQueue | None = None
    trials: Trials = field(default_factory=Trials)
    meter: Meter = field(default_factory=Meter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the settings say, as the workers need it."""

    owner: str
    bucket: str
    archive_bucket: str = ""
    archive_every_us: int = 60 * SECOND_US
    generation: str = "g1"
    account: str = "local"
    rules: CoreRules = field(default_factory=CoreRules)
    times: ClaimTimes = field(default_factory=ClaimTimes)
    unknown_wait_us: int = 600 * SECOND_US
    quota_every_us: int = 2 * SECOND_US
    outage_probe_us: int = 5 * SECOND_US
    rate_fraction: float = 0.952
    daily_reserve: float = 0.05
    weights: Mapping[str, float] = field(default_factory=dict)
    urgent_tenants: frozenset[str] = frozenset()
    domain_limits: Mapping[str, float] = field(default_factory=dict)
    domain_slowdown: bool = False
    upgrade_wait_us: int = UPGRADE_WAIT_US


class Lane(Protocol):
    """One application on one shard, as its host drives it: one call at a time."""

    @property
    def tally(self) -> Tally:
        """What it has done since it took over."""

    @property
    def committed(self) -> str | None:
        """The last record that need not come again; what was worked off may be ahead of it."""

    def take_over(self) -> str | None:
        """Fence the predecessor off; where to read on after."""

    def process(self, records: Sequence[StoredRecord]) -> None:
        """Work a batch off."""

    def tick(self) -> None:
        """Append what is due."""

    def close(self) -> None:
        """The shard is read to its end."""

    def release(self) -> None:
        """A clean good-bye."""


def startable(
    shards: Sequence[Shard], started: Callable[[str], bool], closed: Callable[[str], bool]
) -> list[Shard]:
    """The shards to begin with now: not begun yet, every parent that is still listed closed."""
    listed = {shard.id for shard in shards}
    return [
        shard
        for shard in shards
        if not started(shard.id)
        and all(closed(parent) for parent in shard.parents if parent in listed)
    ]


def core_lane(
    shard: Shard, ports: Ports, plan: Plan, stopping: Callable[[], bool]
) -> ShardProcessor:
    """``core`` on one shard."""
    headers = HeaderReader(ports.objects, header_names(plan.rules.mail.moderation))
    returns = returns_reader(ports, plan)
    application = Core(ports.aliases, headers, plan.rules, plan.generation, returns)
    return ShardProcessor(application, shard, surroundings(ports, plan, stopping))


def returns_reader(ports: Ports, plan: Plan) -> ReturnsReader | None:
    """What the breaker has to know, for one lane; None where there is no breaker."""
    breaker = plan.rules.mail.breaker
    if breaker is None:
        return None
    return ReturnsReader(ports.store, ports.clock, plan.generation, breaker)


def surroundings(ports: Ports, plan: Plan, stopping: Callable[[], bool]) -> Surroundings:
    """What a shard processor works with."""
    return Surroundings(
        ports.stream,
        ports.store,
        ports.objects,
        plan.bucket,
        ports.clock,
        stopping,
        ports.trials,
        plan.upgrade_wait_us,
    )


class SenderParts:
    """What the lanes of one sender process share: instants, the quota, the way out."""

    def __init__(self, ports: Ports, plan: Plan, stopping: Callable[[], bool]) -> None:
        """Put them together."""
        self._ports = ports
        self._plan = plan
        self._around = surroundings(ports, plan, stopping)
        self._settings = SenderSettings(
            owner=plan.owner,
            times=plan.times,
            unknown_wait_us=plan.unknown_wait_us,
            weights=plan.weights,
            urgent_tenants=plan.urgent_tenants,
        )
        self.quota = QuotaWatch(
            ports.store,
            ports.account,
            ports.clock,
            every_us=plan.quota_every_us,
            fraction=plan.rate_fraction,
        )
        store, clock = ports.store, ports.clock
        self.ledger = DailyLedger(store, plan.account, self.quota, clock, plan.daily_reserve)
        self.fleet = Fleet(
            Instants(store, plan.account, self.quota.rate_milli, self.ledger.share),
            Standing(store, plan.generation, plan.rules.address_key),
            StopWatch(store, clock, plan.outage_probe_us),
            Destinations(
                store,
                plan.account,
                clock,
                self.quota.rate_milli,
                plan.domain_limits,
                slows_down=plan.domain_slowdown,
            ),
        )
        self._others = OthersWatch(
            store,
            lambda: OwnSends(store, plan.generation, [each.id for each in ports.stream.shards()]),
        )
        self.outcomes = Outcomes(ports.stream, clock)
        self._store = store
        self._known_quota: Item | None = None
        self.transmission = Transmission(
            ports.objects, ports.transport, ports.clock, plan.unknown_wait_us
        )

    def lane(self, shard: Shard) -> SenderShard:
        """``sender`` on one shard."""
        return SenderShard(
            shard, self._around, self.fleet, self._settings, self.outcomes, self._fuse()
        )

    def _fuse(self) -> Fuse | None:
        rules, returns = self._plan.rules, returns_reader(self._ports, self._plan)
        if rules.mail.breaker is None or returns is None:
            return None
        return Fuse(rules.mail.breaker, returns, rules.address_key)

    def poll(self) -> None:
        """:meth:`learn`, and :meth:`ask`."""
        self.learn()
        self.ask()

    def learn(self) -> None:
        """Learn of pauses, stops, slow domains and the quota, in one read.

        What is to be told of it goes with the outcomes: what the fleet knows by now can't be told
        by a later look.
        """
        fleet = self.fleet
        keys = [fleet.standing.key, STOPS, SLOWED, QUOTA]
        pauses, stops, slowed, quota = self._store.get_all("fleet", keys)
        fleet.standing.learn(pauses)
        fleet.stops.learn(stops)
        fleet.destinations.learn(slowed)
        overdue = fleet.stops.overdue(paused=bool(fleet.standing.paused))
        self._tell(overdue, fleet.stops.logged)
        self.quota.learn(quota)
        self._known_quota = quota

    def ask(self) -> None:
        """Ask SES what the account allows, if it is time and nobody else does.

        Apart from :meth:`learn`: while SES does not answer, pauses and stops have to be heard of.
        """
        stops, quota = self.fleet.stops, self._known_quota
        asked = self.quota.poll(quota)
        self._tell(asked.facts, self.quota.logged)
        if asked.known is None:
            return
        self._tell(stops.account(enabled=asked.known.sending_enabled), stops.logged)
        self._look_at_others(asked.known, quota)

    def _look_at_others(self, known: KnownQuota, before: Item | None) -> None:
        """What others send; what can't be told of it now must not cost what SES has just said."""
        try:
            self._others.look(known, before)
        except MailtumbleError as error:
            logger.warning("what others send from the account is not known: %s", error)

    def _tell(self, facts: Sequence[Fact], logged: Logged) -> None:
        for fact in facts:
            self.outcomes.add(fact, logged)

    def heed(self, job: Job, outcome: Event) -> None:
        """Let the whole fleet slow down, stop, or go on by what SES has answered.

        Raises RetryableError: the fleet can't be told now.
        """
        lane, stops = job.entry.lane, self.fleet.stops
        self._tell(stops.heard(outcome), stops.logged)
        match outcome:
            case SendAccepted(called_at=called_at):
                self._tell(stops.accepted(lane, called_at), stops.logged)
            case SendDeferred(reason=DeferReason.THROTTLED, called_at=called_at):
                self.quota.refused(called_at)
            case SendDeferred(reason=DeferReason.DAILY_QUOTA):
                self.quota.day_is_over()
            case SendDeferred(reason=reason, detail=detail):
                scope = scope_of(reason, lane.source)
                if scope is not None:
                    self._tell(stops.refused(scope, detail), stops.logged)
            case _:
                pass


def intake(ports: Ports, plan: Plan, side_by_side: SideBySide = map) -> Intake:
    """The way from the queue to the stream."""
    return Intake(
        IntakePorts(
            ports.queue,
            ports.stream,
            ports.objects,
            plan.bucket,
            ports.clock,
            side_by_side,
            ports.verifier,
            ports.dead_letters,
            ports.meter,
        )
    )
