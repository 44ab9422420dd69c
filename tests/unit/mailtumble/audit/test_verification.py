"""A verification says what is wrong, and says nothing where nothing is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mailtumble.audit.comparison import Kind
from mailtumble.audit.verification import Verification
from mailtumble.ports.store import Delete, Put, Update
from mailtumble.worker.assembly import Plan, Ports, core_lane
from mailtumble.worker.core import CoreRules
from processors.mail import Rules
from schemas.errors import MailtumbleError
from schemas.events import CommandGiven, RecordRedriven
from schemas.ids import mail_id
from schemas.values import Command
from tests.fakes import InMemoryItems, InMemoryStream
from tests.samples import complained
from tests.unit.mailtumble.audit.conftest import GARBAGE, attempts
from tests.unit.mailtumble.cli.small_world import HOUSE, RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailtumble.ports.store import Item
    from mailtumble.worker.shard import ShardProcessor
    from tests.unit.mailtumble.audit.conftest import Verify
    from tests.unit.mailtumble.cli.small_world import SmallWorld

FIRST, SECOND, FIFTH = (mail_id(f"ses-in-{number}", HOUSE) for number in (1, 2, 5))


def change(world: SmallWorld, table: str, **changes: Any) -> Item:  # noqa: ANN401 - values
    """Change one item of a table by hand; as it was before."""
    item = dict(world.items.scan(table)[0])
    world.items.write(Put(table, {**item, **changes}))
    return item


def drop(world: SmallWorld, table: str, key: str) -> None:
    """Remove one item of a table."""
    world.items.write(Delete(table, {key: str(world.items.scan(table)[0][key])}))


def test_a_world_in_order_is_found_so(world: SmallWorld, verify: Verify) -> None:
    """Every kind of projection has items here, and all of them equal the replay's."""
    verdict = verify()
    assert verdict.ok
    assert verdict.differences == ()
    assert (verdict.moving, verdict.unchecked, verdict.waiting) == (0, 0, 0)
    assert verdict.records == len(world.events.records())
    assert verdict.mails == 6
    told = verdict.sum
    assert (told.opening, told.received) == (0, 10)
    assert told.ended == {"bounced": 1, "completed": 3, "parked": 1, "unroutable": 1}
    assert told.open == {"held": 2, "scheduled": 2}
    for table in ("mails", "throughput", "quarantine", "addresses", "fleet"):
        assert world.items.scan(table)


@pytest.mark.parametrize(
    ("tamper", "kind", "table", "attribute"),
    [
        (lambda w: change(w, "mails", status="parked"), Kind.DIFFERENT, "mails", "status"),
        (lambda w: change(w, "mails", extra=1), Kind.DIFFERENT, "mails", "extra"),
        (lambda w: change(w, "mails", mail_key="g1#x"), Kind.UNEXPECTED, "mails", None),
        (lambda w: drop(w, "mails", "mail_key"), Kind.MISSING, "mails", None),
        (lambda w: change(w, "addresses", bounces=7), Kind.DIFFERENT, "addresses", "bounces"),
        (lambda w: drop(w, "addresses", "address_key"), Kind.MISSING, "addresses", None),
        (lambda w: drop(w, "quarantine", "quarantine_id"), Kind.MISSING, "quarantine", None),
        (lambda w: change(w, "quarantine", state="x"), Kind.DIFFERENT, "quarantine", "state"),
    ],
)
def test_each_kind_of_tampering_is_named(
    world: SmallWorld,
    verify: Verify,
    tamper: Callable[[SmallWorld], object],
    kind: Kind,
    table: str,
    attribute: str | None,
) -> None:
    """Table, attribute, and what would be right."""
    tamper(world)
    verdict = verify()
    assert not verdict.ok
    (found,) = verdict.differences
    assert (found.kind, found.table, found.attribute) == (kind, table, attribute)
    assert found.stored != found.expected


def test_a_counter_that_is_off_by_one_is_named(world: SmallWorld, verify: Verify) -> None:
    """With both numbers."""
    item = world.items.scan("throughput")[0]
    key = {"shard": str(item["shard"]), "minute": str(item["minute"])}
    world.items.write(Update("throughput", key, add={"accepted": 1}))
    (found,) = verify().differences
    assert found.attribute == "accepted"
    assert found.stored == int(found.expected) + 1  # type: ignore[arg-type]
    assert found.told().startswith("throughput shardId-")


def test_pauses_are_compared_and_other_items_of_the_fleet_are_not(
    world: SmallWorld, verify: Verify
) -> None:
    """The quota and the like are nobody's projection."""
    world.items.write(Put("fleet", {"name": "something", "paused": []}))
    assert verify().ok
    world.items.write(Update("fleet", {"name": "pauses#g1"}, set={"paused": []}))
    (found,) = verify().differences
    assert found.told().startswith("fleet pauses: paused is []; the stream says [{'scope': 'x', ")


def test_another_generation_is_not_looked_at(world: SmallWorld, verify: Verify) -> None:
    """Its items are its own."""
    item = world.items.scan("mails")[0]
    world.items.write(Put("mails", {**item, "mail_key": "g2#x", "status": "parked"}))
    assert verify().ok


def test_the_sum_fails_with_the_view(world: SmallWorld, verify: Verify) -> None:
    """A mail whose item has lost a target came in with more than it shows."""
    (item,) = [each for each in world.items.scan("mails") if each["mail_id"] == FIRST]
    targets: Any = item["targets"]
    world.items.write(Put("mails", {**item, "targets": targets[:1]}))
    verdict = verify()
    assert not verdict.sum.holds
    assert verdict.sum.problems == (f"mail {FIRST}: 2 targets came in, its item shows 1",)


def test_a_record_that_core_put_aside_is_not_folded_and_its_successors_are(
    world: SmallWorld, verify: Verify
) -> None:
    """A readable one, at which workers died; what is decided later builds on it all the same."""
    core = OtherCore(world)
    mail = world.receive(6)
    core.step()
    core.step(poison=True)
    core.work()
    assert world.status(mail) == "parked"
    retry = CommandGiven(command_id="c2", command=Command.RETRY, by="op", why="", detail="")
    world.append(mail, retry)
    core.work()
    assert world.status(mail) == "scheduled"
    verdict = verify()
    assert verdict.complaints() == []


def test_an_unreadable_record_that_was_passed_over_in_silence_is_named(
    world: SmallWorld, verify: Verify
) -> None:
    """A worker that skips it breaks rule 5."""
    (number,) = world.events.append([GARBAGE])
    (shard,) = [
        s for s in world.events.shards() if world.events.records(s.id)[-1].data == GARBAGE.data
    ]
    world.items.write(
        Update("cursors", {"cursor": f"core#g1#{shard.id}"}, set={"sequence": number})
    )
    (found,) = verify().differences
    assert found.kind is Kind.SKIPPED
    assert found.key == f"{shard.id} {number}"
    assert "is not in quarantine" in found.told()


def test_what_core_has_not_read_yet_is_no_difference(world: SmallWorld, verify: Verify) -> None:
    """It waits; that nobody reads it is another matter."""
    world.append(FIRST, complained(attempts(world, FIRST)[0]))
    verdict = verify()
    assert verdict.complaints() == []
    assert verdict.waiting == 1
    assert verdict.records == len(world.events.records()) - 1


def test_a_split_shard_is_read_through_its_children(world: SmallWorld, verify: Verify) -> None:
    """A mail's records go on in a child, and its item says so."""
    core = OtherCore(world)
    for shard in world.events.shards():
        world.events.split(shard.id)
    for mail in (FIRST, SECOND):
        world.append(mail, complained(attempts(world, mail)[1]))
    core.work()
    verdict = verify()
    assert verdict.complaints() == []
    assert verdict.records == len(world.events.records())
    (item,) = [each for each in world.items.scan("mails") if each["mail_id"] == FIRST]
    spans: Any = item["spans"]
    assert len({shard_id for shard_id, _, _ in spans}) == 2


def test_a_child_that_begins_meanwhile_is_not_ahead_of_its_parent(
    world: SmallWorld, verify: Verify
) -> None:
    """Core reads a parent to its end and a child from its beginning, between two cursors."""
    core = OtherCore(world)
    world.append(FIRST, complained(attempts(world, FIRST)[0]))
    world.receive(6)
    for shard in world.events.shards():
        world.events.split(shard.id)
    for mail in (FIRST, SECOND):
        world.append(mail, complained(attempts(world, mail)[1]))

    class Overtaken(InMemoryItems):
        def get(self, table: str, key: Any) -> Item | None:  # noqa: ANN401 - a key
            found = super().get(table, key)
            if table == "cursors":
                core.work()
            return found

    overtaken = Overtaken()
    overtaken._tables = world.items._tables
    verdict = verify(overtaken)
    assert verdict.complaints() == []


def test_mails_are_known_by_the_stream_and_by_the_view(world: SmallWorld, verify: Verify) -> None:
    """By the stream before core has read them, by the view when the stream forgets them."""
    OtherCore(world)
    world.receive(6)
    for shard in world.events.shards():
        world.events.trim(shard.id, world.events.records(shard.id)[1].sequence_number)
    known = {key for bucket, key in verify().announced if bucket == world.bucket}
    assert known == {f"inbound/ses-in-{number}" for number in range(1, 7)}


class Moving(InMemoryItems):
    """Tables that somebody changes whenever mails are looked at, so many times."""

    def __init__(self, world: SmallWorld, times: int) -> None:
        """Over the world's own tables."""
        super().__init__()
        self._tables = world.items._tables
        self.world = world
        self.times = times

    def scan(self, table: str) -> Sequence[Item]:
        """Change, then tell."""
        self._move(table)
        return super().scan(table)

    def get_all(self, table: str, keys: Sequence[Any]) -> Sequence[Item | None]:
        """Change, then tell."""
        self._move(table)
        return super().get_all(table, keys)

    def _move(self, table: str) -> None:
        if table == "mails" and self.times:
            self.times -= 1
            told = complained(attempts(self.world, FIRST)[0])
            self.world.append(FIRST, told, cause=f"move {self.times}")
            self.world.receive(100 + self.times)


def test_what_moves_meanwhile_is_looked_at_again(world: SmallWorld, verify: Verify) -> None:
    """Mail comes in and goes on while the items are read: nothing is wrong, all is checked."""
    verdict = verify(Moving(world, 2))
    assert verdict.ok, verdict.differences
    assert verdict.moving == 0
    assert verdict.mails >= 6


def test_what_never_rests_is_told_to_be_so(world: SmallWorld, verify: Verify) -> None:
    """It is left out, and everything else is compared."""
    (item,) = [each for each in world.items.scan("mails") if each["mail_id"] == FIFTH]
    world.items.write(Put("mails", {**item, "subject": "another"}))
    verdict = verify(Moving(world, 1_000))
    assert verdict.moving > 0
    assert verdict.sum.holds
    assert verdict.sum.received == 12
    assert [each.key for each in verdict.differences] == [FIFTH]


def test_a_fault_on_what_moves_is_found_when_it_rests(world: SmallWorld, verify: Verify) -> None:
    """It is compared in a later round, that reads nothing else."""

    class Lying(Moving):
        def get_all(self, table: str, keys: Sequence[Any]) -> Sequence[Item | None]:
            found = super().get_all(table, keys)
            return [item and {**item, "envelope_sender": "another"} for item in found]

    found = verify(Lying(world, 1)).differences
    new = mail_id("ses-in-100", HOUSE)
    names = {(each.key, each.attribute) for each in found if each.table == "mails"}
    assert names == {(FIRST, "envelope_sender"), (new, "envelope_sender")}


def test_a_stream_that_has_lost_its_beginning_is_checked_as_far_as_it_goes(
    world: SmallWorld, verify: Verify
) -> None:
    """Mails from before are opening ones, or not looked at; newer ones are compared."""
    first_attempt = attempts(world, FIRST)[0]
    for shard in world.events.shards():
        records = world.events.records(shard.id)
        world.events.trim(shard.id, records[-1].sequence_number)
    world.clock.advance(200)
    world.append(FIRST, complained(first_attempt))
    (kept, _) = world.items.scan("quarantine")
    redriven = RecordRedriven(quarantined=str(kept["id"]), by="op")
    world.append("unreadable", redriven)
    world.clock.advance(200)
    newest = world.receive(9)
    world.send()
    verdict = verify()
    assert verdict.ok, verdict.differences
    # Opening: the two targets each of the first, the held and the fifth mail, and the unreadable.
    assert (verdict.sum.opening, verdict.sum.received) == (7, 2)
    assert verdict.unchecked > 0
    (item,) = [each for each in world.items.scan("mails") if each["mail_id"] == newest]
    world.items.write(Put("mails", {**item, "subject": "another"}))
    (found,) = verify().differences
    assert (found.key, found.attribute) == (newest, "subject")
    counter = max(world.items.scan("throughput"), key=lambda each: str(each["minute"]))
    key = {"shard": str(counter["shard"]), "minute": str(counter["minute"])}
    world.items.write(Update("throughput", key, add={"accepted": 1}))
    assert {each.attribute for each in verify().differences} == {"subject", "accepted"}


def test_an_extra_item_is_found_on_a_trimmed_stream_too(world: SmallWorld, verify: Verify) -> None:
    """Its spans say that its records should be there."""
    for shard in world.events.shards():
        world.events.trim(shard.id, world.events.records(shard.id)[2].sequence_number)
    newest = world.receive(9)
    (item,) = [each for each in world.items.scan("mails") if each["mail_id"] == newest]
    world.items.write(Put("mails", {**item, "mail_key": "g1#x", "mail_id": "x"}))
    (found,) = verify().differences
    assert (found.kind, found.key) == (Kind.UNEXPECTED, "x")


def test_tables_of_another_stream_are_told_apart(world: SmallWorld) -> None:
    """Where the stream was made anew, its records can't have led to these items."""
    other = InMemoryStream(world.clock, shards=2)
    other.append([GARBAGE])
    with pytest.raises(MailtumbleError, match="tables and stream don't belong together"):
        Verification(other, world.store(), "g1", world.clock).run()


class OtherCore:
    """Core alone, in place of the world's workers; it follows the stream through splits."""

    def __init__(self, world: SmallWorld) -> None:
        """The others work no more."""
        world._lanes.clear()
        self._world = world

    def work(self) -> None:
        """Read until nothing comes any more."""
        before = -1
        while len(self._world.events.records()) != before:
            before = len(self._world.events.records())
            self.step()

    def step(self, *, poison: bool = False) -> None:
        """Read what is there now: parents to their ends, then children.

        With ``poison`` that ends in quarantine, as after three deaths.
        """
        for lane in self._lanes():
            records = self._world.events.records(lane.shard.id)
            read = lane.cursor.sequence or ""
            fresh = [each for each in records if each.sequence_number > read]
            if poison and fresh:
                lane._process(fresh, poison=True)
            else:
                lane.process(fresh)
            if lane.shard.closed:
                lane.close()

    def _lanes(self) -> Iterator[ShardProcessor]:
        """One for each shard that is not read to its end, taken over from whoever had it."""
        world = self._world
        ports = Ports(
            clock=world.clock,
            stream=world.events,
            store=world.items,
            objects=world.kept,
            queue=world.intake,
            aliases=world.repository,
            transport=world.provider,
            account=world.provider,
        )
        rules = CoreRules(mail=Rules(moderation=RULES))
        plan = Plan(owner="core-2", bucket=world.bucket, rules=rules)
        for shard in world.events.shards():
            lane = core_lane(shard, ports, plan, lambda: False)
            lane.take_over()
            if not lane.closed:
                yield lane
