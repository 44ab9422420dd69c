"""How workers are put together; and which shards may be begun: parents first, each once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from mailtumble.intake.notification import NO_VERIFICATION
from mailtumble.intake.sns import NoVerification
from mailtumble.worker.assembly import Plan, Ports, SenderParts, core_lane, intake, startable
from mailtumble.worker.core import Core, CoreRules
from mailtumble.worker.headers import HeaderReader
from mailtumble.worker.views import address_item, pauses_item
from processors.bounces.decider import Address
from processors.fleet.decider import Fleet, Pause
from processors.mail import Rules
from processors.moderation.rules import Rule
from processors.sending.lanes import Lane
from schemas import codec
from schemas.events import QuotaObserved
from schemas.ids import address_subject
from schemas.values import ModerationAction, SuppressionReason
from tests.fakes import (
    InMemoryAliases,
    InMemoryItems,
    InMemoryObjects,
    InMemoryProvider,
    InMemoryQueue,
    InMemoryStream,
    VirtualClock,
)


def _ids(stream: InMemoryStream, started: set[str], closed: set[str]) -> list[str]:
    shards = startable(stream.shards(), started.__contains__, closed.__contains__)
    return [shard.id for shard in shards]


def test_a_child_starts_when_all_its_parents_are_closed() -> None:
    """A record of the parent is always processed before one of the same subject on the child."""
    stream = InMemoryStream(VirtualClock(), shards=2)
    left, right = (shard.id for shard in stream.shards())
    child = stream.merge(left, right)
    assert _ids(stream, set(), set()) == [left, right]
    assert _ids(stream, {left, right}, {left}) == []
    assert _ids(stream, {left, right}, {left, right}) == [child]
    assert _ids(stream, {left, right, child}, {left, right}) == []


def test_a_parent_that_is_no_longer_listed_holds_nobody_up() -> None:
    """Its records have left the stream; there is nothing to wait for."""
    stream = InMemoryStream(VirtualClock(), shards=1)
    (parent,) = (shard.id for shard in stream.shards())
    children = stream.split(parent)
    listed = [shard for shard in stream.shards() if shard.id != parent]
    found = startable(listed, lambda _: False, lambda _: False)
    assert [shard.id for shard in found] == list(children)


def _ports(**changes: Any) -> Ports:  # noqa: ANN401 - some of them
    clock = VirtualClock()
    provider = InMemoryProvider(clock)
    ports = Ports(
        clock=clock,
        stream=InMemoryStream(clock, shards=1),
        store=InMemoryItems(),
        objects=InMemoryObjects(),
        queue=InMemoryQueue(clock),
        aliases=InMemoryAliases(),
        transport=provider,
        account=provider,
    )
    return replace(ports, **changes)


def test_a_sender_learns_of_pauses_before_it_learns_that_it_may_send() -> None:
    """Without a quota it sends nothing: so it never sends without having asked who is paused."""
    ports = _ports()
    ports.store.write(pauses_item("g1", Fleet({"shop": Pause("ann")})))
    parts = SenderParts(ports, Plan(owner="sender-1", bucket="mail"), lambda: False)
    assert parts.quota.known is None
    parts.poll()
    parts.outcomes.flush()
    (told,) = cast("InMemoryStream", ports.stream).records()
    assert [type(event) for event in codec.decode(told.data).events] == [QuotaObserved]
    assert parts.quota.known is not None
    assert parts.fleet.standing.held_since(Lane("shop", "", "")) == 0


def test_the_sender_knows_addresses_by_cores_key() -> None:
    """Core writes the view under it."""
    ports = _ports()
    rules = CoreRules(address_key="secret")
    plan = Plan(owner="sender-1", bucket="mail", generation="g7", rules=rules)
    subject = address_subject("bob@example.org", "secret")
    state = Address(address="bob@example.org", reason=SuppressionReason.MANUAL)
    ports.store.write_all([address_item("g7", subject, state)])
    standing = SenderParts(ports, plan, lambda: False).fleet.standing.of(["bob@example.org"], 0)
    assert standing["bob@example.org"].suppressed == "by hand"


def test_core_reads_the_header_fields_of_its_own_rules() -> None:
    """Their names in lower case; without any, it reads none."""
    rule = Rule(name="r", action=ModerationAction.HOLD, headers=(("List-Id", "*"),))
    rules = CoreRules(mail=Rules(moderation=(rule,)))
    for given, names in ((rules, {"list-id"}), (CoreRules(), set())):
        ports = _ports()
        plan = Plan(owner="core-1", bucket="mail", rules=given)
        lane = core_lane(ports.stream.shards()[0], ports, plan, lambda: False)
        assert isinstance(lane.application, Core)
        headers = lane.application._headers
        assert isinstance(headers, HeaderReader)
        assert headers._names == names


def test_intake_checks_signatures_and_minds_dead_letters_if_it_is_given_the_means() -> None:
    """As a worker is; what plays without SNS has neither."""
    service = intake(_ports(), Plan(owner="", bucket="mail"))
    assert service._ports.verifier is NO_VERIFICATION
    assert service._ports.dead_letters is None
    verifier, dead = NoVerification(), InMemoryQueue(VirtualClock())
    ports = _ports(verifier=verifier, dead_letters=dead)
    service = intake(ports, Plan(owner="", bucket="mail"))
    assert service._ports.verifier is verifier
    assert service._ports.dead_letters is dead
