"""A claim decides who may call: one owner for a round, under the shard's epoch, with a deadline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mailtumble.ports.store import Action, Item, Put
from mailtumble.ports.stream import Shard
from mailtumble.sender.claims import CLAIMS_PER_TRANSACTION, Claims
from mailtumble.sender.entry import Entry
from mailtumble.worker.cursor import Cursor, ShardLost
from mailtumble.worker.timers import Timers
from schemas.errors import RetryableError
from schemas.ids import HASH_KEY_SPACE
from schemas.values import SECOND_US
from tests.fakes import InMemoryItems
from tests.samples import RECEIVED_AT, after
from tests.unit.mailtumble.sender.conftest import TIMES, entry

WHOLE = Shard("shard-0", 0, HASH_KEY_SPACE - 1)
NOW = RECEIVED_AT


class Sender:
    """One that has taken the shard over."""

    def __init__(self, store: InMemoryItems, owner: str = "sender-1") -> None:
        """Raise the epoch, load the deadlines."""
        self.cursor = Cursor(store, "sender", "0", "shard-0")
        self.cursor.take_over()
        self.timers = Timers(store, "sender", "0", WHOLE)
        self.timers.load()
        self.claims = Claims(store, self.cursor, self.timers, TIMES, owner)


class Forgetful(InMemoryItems):
    """Loses the reply to the next transaction, having done it."""

    loses = False

    def transact(self, actions: Sequence[Action]) -> None:
        """Do it, and perhaps don't say so."""
        super().transact(actions)
        if self.loses:
            self.loses = False
            message = "the connection broke"
            raise RetryableError(message)


@pytest.fixture
def store() -> Forgetful:
    """Empty tables."""
    return Forgetful()


def _queue(store: InMemoryItems, *entries: Entry) -> None:
    store.write_all([each.put() for each in entries])


def _claim_item(store: InMemoryItems, attempt: str = "attempt-1") -> Item:
    item = store.get("claims", {"attempt_id": attempt})
    assert item is not None
    return item


def test_a_claim_moves_an_entry_from_the_queue_to_its_owner(store: Forgetful) -> None:
    """In one transaction: the entry goes, the claim comes, its deadline is set."""
    sender = Sender(store)
    _queue(store, entry())
    assert sender.claims.claim([entry()], NOW) == ([entry()], [])
    assert store.scan("queue") == []
    item = _claim_item(store)
    assert (item["owner"], item["round"]) == ("sender-1", 0)
    assert item["send_before"] == NOW + 5 * SECOND_US
    (timer,) = store.scan("timers")
    assert timer["due_at"] == NOW + 17 * SECOND_US
    assert [fact.subject for fact in sender.timers.due(after(17))] == [entry().subject]


def test_the_deadline_lies_behind_every_call_of_the_round(store: Forgetful) -> None:
    """No call begins after ``send_before``, and none lasts longer than ``call_us``."""
    sender = Sender(store)
    _queue(store, entry())
    sender.claims.claim([entry()], NOW)
    send_before = _claim_item(store)["send_before"]
    (timer,) = store.scan("timers")
    assert timer["due_at"] == send_before + TIMES.call_us + TIMES.slack_us  # type: ignore[operator]


def test_an_attempt_is_claimed_once_a_round(store: Forgetful) -> None:
    """A queue that was restored by mistake sends nothing twice: the claim is still there."""
    sender = Sender(store)
    _queue(store, entry())
    sender.claims.claim([entry()], NOW)
    _queue(store, entry())
    assert sender.claims.claim([entry()], NOW + 1) == ([], [entry()])
    assert _claim_item(store)["claimed_at"] == NOW


def test_the_next_round_is_claimed_over_the_old_one(store: Forgetful) -> None:
    """Rounds only grow: an older one can't come back."""
    sender = Sender(store)
    second = replace(entry(), round=1)
    _queue(store, second)
    assert sender.claims.claim([second], NOW) == ([second], [])
    _queue(store, entry())
    assert sender.claims.claim([entry()], NOW) == ([], [entry()])


def test_an_entry_that_was_withdrawn_is_not_to_be_had(store: Forgetful) -> None:
    """It is in memory still, but not in the table any more."""
    sender = Sender(store)
    assert sender.claims.claim([entry()], NOW) == ([], [entry()])
    assert store.scan("claims") == store.scan("timers") == []


def test_one_that_stands_in_the_way_does_not_hold_up_the_others(store: Forgetful) -> None:
    """Of many entries only those are left out that are really gone."""
    sender = Sender(store)
    entries = [entry(f"attempt-{number}") for number in range(2 * CLAIMS_PER_TRANSACTION + 4)]
    gone = [entries[0], entries[40], entries[-1]]
    _queue(store, *(each for each in entries if each not in gone))
    mine, lost = sender.claims.claim(entries, NOW)
    assert mine == [each for each in entries if each not in gone]
    assert lost == gone
    assert store.scan("queue") == []


def test_a_zombie_cannot_claim(store: Forgetful) -> None:
    """Its epoch is over: the entry stays for the successor."""
    zombie = Sender(store)
    _queue(store, entry())
    successor = Sender(store, "sender-2")
    with pytest.raises(ShardLost):
        zombie.claims.claim([entry()], NOW)
    assert successor.claims.claim([entry()], NOW) == ([entry()], [])


def test_nothing_is_claimed_on_a_closed_shard(store: Forgetful) -> None:
    """What waits there belongs to its children."""
    sender = Sender(store)
    _queue(store, entry())
    sender.cursor.close(NOW)
    assert sender.claims.claim([entry()], NOW) == ([], [entry()])
    assert len(store.scan("queue")) == 1


def test_a_claim_whose_reply_was_lost_is_left_to_its_deadline(store: Forgetful) -> None:
    """Made without our hearing of it: tried again it isn't mine, and its deadline is minded."""
    sender = Sender(store)
    _queue(store, entry())
    store.loses = True
    with pytest.raises(RetryableError):
        sender.claims.claim([entry()], NOW)
    assert sender.claims.claim([entry()], NOW + 1) == ([], [entry()])
    assert len(sender.timers.due(after(17))) == 1


def test_a_claim_repeated_by_the_store_is_mine(store: Forgetful) -> None:
    """The very claim that was to be made stands there: the reply to its first try was lost."""
    sender = Sender(store)
    _queue(store, entry())
    store.loses = True
    with pytest.raises(RetryableError):
        sender.claims.claim([entry()], NOW)
    assert sender.claims.claim([entry()], NOW) == ([entry()], [])


def test_a_claim_of_the_same_moment_that_left_the_entry_is_not_this_one(store: Forgetful) -> None:
    """A claim takes the entry out of the queue in the same transaction: this one did not."""
    sender = Sender(store)
    _queue(store, entry())
    sender.claims.claim([entry()], NOW)
    _queue(store, entry())
    assert sender.claims.claim([entry()], NOW) == ([], [entry()])


def test_dropping_takes_out_only_the_round_that_was_meant(store: Forgetful) -> None:
    """A newer round in the same place stays."""
    sender = Sender(store)
    _queue(store, replace(entry(), round=1))
    sender.claims.drop([entry()])
    assert len(store.scan("queue")) == 1
    sender.claims.drop([replace(entry(), round=1), entry("attempt-9")])
    assert store.scan("queue") == []


def test_a_zombie_drops_nothing(store: Forgetful) -> None:
    """The queue is the successor's."""
    zombie = Sender(store)
    _queue(store, entry())
    Sender(store, "sender-2")
    with pytest.raises(ShardLost):
        zombie.claims.drop([entry()])
    assert len(store.scan("queue")) == 1


def test_claims_outlive_the_stream(store: Forgetful) -> None:
    """Kinesis keeps records for 365 days at most: nothing read again can be sent again."""
    sender = Sender(store)
    _queue(store, entry())
    sender.claims.claim([entry()], NOW)
    kept_s = int(str(_claim_item(store)["expires_at"])) - NOW // SECOND_US
    assert kept_s > 365 * 86_400
    assert isinstance(entry().put(), Put)
