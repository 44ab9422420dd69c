"""The cursor fences: one owner writes, everybody else finds out that the shard is lost."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mailtumble.ports.store import Action, Delete, Item, Put, Update
from mailtumble.worker.cursor import TRIES_MAX, Cursor, ShardLost
from schemas.errors import InvariantBroken, RetryableError
from tests.fakes import InMemoryItems

KEY = {"cursor": "core#g1#shard-0"}
ONE, TWO, THREE = "1".zfill(64), "2".zfill(64), "3".zfill(64)


class Forgetful(InMemoryItems):
    """Does what it is asked, and then the reply is lost, as often as ``losses`` says."""

    losses = 0

    def transact(self, actions: Sequence[Action]) -> None:
        """Commit, and perhaps don't say so."""
        super().transact(actions)
        self._lose()

    def write(self, action: Put | Delete | Update) -> Item | None:
        """Write, and perhaps don't say so."""
        item = super().write(action)
        self._lose()
        return item

    def _lose(self) -> None:
        if self.losses:
            self.losses -= 1
            message = "the connection broke"
            raise RetryableError(message)


@pytest.fixture
def store() -> Forgetful:
    """Empty tables."""
    return Forgetful()


def _cursor(store: InMemoryItems) -> Cursor:
    return Cursor(store, "core", "g1", "shard-0")


def _owner(store: InMemoryItems) -> Cursor:
    cursor = _cursor(store)
    cursor.take_over()
    return cursor


def _item(store: InMemoryItems) -> Item:
    item = store.get("cursors", KEY)
    assert item is not None
    return item


def _write(value: str) -> list[Action]:
    return [Put("fleet", {"name": "n", "value": value})]


def test_a_new_shard_is_taken_over_from_nobody(store: Forgetful) -> None:
    """Epoch 1, no position, no predecessor to be careful about."""
    position = _cursor(store).take_over()
    assert (position.sequence, position.clean, position.closed, position.poison) == (
        None,
        True,
        False,
        None,
    )
    assert _item(store) == {**KEY, "epoch": 1}


def test_a_commit_moves_the_cursor_with_its_writes(store: Forgetful) -> None:
    """Both or neither."""
    cursor = _owner(store)
    cursor.commit(_write("a"), ONE)
    assert _item(store)["sequence"] == ONE == cursor.sequence
    assert store.get("fleet", {"name": "n"}) == {"name": "n", "value": "a"}


def test_a_successor_goes_on_where_the_last_commit_was(store: Forgetful) -> None:
    """Records at or before it were worked off."""
    _owner(store).commit(_write("a"), ONE)
    successor = _cursor(store)
    assert successor.take_over().sequence == ONE
    assert successor.epoch == 2
    successor.commit(_write("b"), TWO)


def test_the_cursor_tells_until_when_the_stream_is_read(store: Forgetful) -> None:
    """By its commits, and where nothing comes by a note; a zombie notes nothing."""
    cursor = _owner(store)
    cursor.commit([], ONE, arrived_at=5)
    assert (_item(store)["arrived_at"], cursor.arrived_at) == (5, 5)
    cursor.note(9)
    assert (_item(store)["arrived_at"], _item(store)["sequence"]) == (9, ONE)
    assert _owner(store).arrived_at == 9
    with pytest.raises(ShardLost):
        cursor.note(11)


def test_a_zombie_cannot_write_any_more(store: Forgetful) -> None:
    """After a takeover every write of the old owner fails, and writes nothing."""
    zombie = _owner(store)
    zombie.commit(_write("a"), ONE)
    _owner(store)
    with pytest.raises(ShardLost):
        zombie.commit(_write("zombie"), TWO)
    assert zombie.lost
    assert store.get("fleet", {"name": "n"}) == {"name": "n", "value": "a"}


@pytest.mark.parametrize("call", ["verify", "close", "release", "survived"])
def test_a_zombie_finds_out_by_whatever_it_does(store: Forgetful, call: str) -> None:
    """Checks and marks are fenced as commits are."""
    zombie = _owner(store)
    _owner(store)
    before = dict(_item(store))
    with pytest.raises(ShardLost):
        getattr(zombie, call)(*([5] if call == "close" else []))
    assert _item(store) == before


def test_a_lost_owner_stays_silent(store: Forgetful) -> None:
    """Once lost, it doesn't ask again: nothing goes to the store."""
    zombie = _owner(store)
    _owner(store)
    with pytest.raises(ShardLost):
        zombie.verify()
    store.losses = 1
    for act in (zombie.verify, lambda: zombie.close(5), lambda: zombie.commit([], TWO)):
        with pytest.raises(ShardLost):
            act()
    assert store.losses == 1


def test_a_lost_reply_to_a_commit_is_a_success(store: Forgetful) -> None:
    """The cursor shows my epoch and my new number: it was my own commit that went through."""
    cursor = _owner(store)
    store.losses = 1
    with pytest.raises(RetryableError):
        cursor.commit(_write("a"), ONE)
    cursor.commit(_write("a"), ONE)
    cursor.commit(_write("b"), TWO)
    assert cursor.sequence == TWO


def test_a_lost_reply_to_a_takeover_is_taken_over_again(store: Forgetful) -> None:
    """One epoch more does no harm; being careful without need doesn't either."""
    _owner(store).release()
    cursor = _cursor(store)
    store.losses = 1
    with pytest.raises(RetryableError):
        cursor.take_over()
    assert not cursor.take_over().clean
    cursor.commit([], ONE)


def test_two_who_take_over_at_once(store: Forgetful) -> None:
    """One of them gets the next epoch, the other learns that it hasn't got the shard."""

    class Overtaken(Forgetful):
        """Lets somebody else in between reading and writing."""

        def write(self, action: Put | Delete | Update) -> Item | None:
            """Another takes over first, once."""
            if not store.losses:
                store.losses = 1
                super().write(Update("cursors", KEY, add={"epoch": 1}))
            return super().write(action)

    with pytest.raises(ShardLost):
        _cursor(Overtaken()).take_over()


def test_a_cursor_that_moved_without_its_owner_is_a_programming_error(store: Forgetful) -> None:
    """My epoch with a number that I never wrote: the fence is broken, so stop."""
    cursor = _owner(store)
    store.write(Update("cursors", KEY, set={"sequence": THREE}))
    with pytest.raises(InvariantBroken, match="without its owner"):
        cursor.commit([], TWO)


def test_a_closed_shard_takes_no_commits(store: Forgetful) -> None:
    """It was read to its end; its children have begun, and own what is due."""
    cursor = _owner(store)
    cursor.close(5)
    assert _cursor(store).take_over().closed
    assert (store.get("cursors", KEY) or {})["closed_at"] == 5
    successor = _owner(store)
    with pytest.raises(InvariantBroken):
        successor.commit([], ONE)


def test_a_good_bye_makes_the_next_takeover_clean_once(store: Forgetful) -> None:
    """A death after it is a death: clean holds for one successor."""
    _owner(store).release()
    assert _cursor(store).take_over().clean
    assert not _cursor(store).take_over().clean


def test_three_deaths_at_one_record_make_it_poison(store: Forgetful) -> None:
    """Each owner writes down what it tries; the fourth quarantines it."""
    for _ in range(TRIES_MAX):
        cursor = _cursor(store)
        assert cursor.take_over().poison is None
        cursor.attempt(TWO)
    assert _cursor(store).take_over().poison == TWO


def test_deaths_at_different_records_do_not_add_up(store: Forgetful) -> None:
    """Only the record at which the workers die again and again is to blame."""
    for sequence in (ONE, TWO, ONE, TWO):
        cursor = _cursor(store)
        assert cursor.take_over().poison is None
        cursor.attempt(sequence)


def test_a_commit_clears_the_record_that_was_tried(store: Forgetful) -> None:
    """It went well: earlier deaths there were not its fault."""
    for _ in range(TRIES_MAX):
        cursor = _owner(store)
        cursor.attempt(ONE)
    cursor.commit([], ONE)
    assert _cursor(store).take_over().poison is None
    assert "tries" not in _item(store)


def test_an_attempt_that_a_stop_ended_does_not_count(store: Forgetful) -> None:
    """SIGTERM and outages are no deaths."""
    for _ in range(TRIES_MAX):
        cursor = _owner(store)
        cursor.attempt(ONE)
        cursor.survived()
    assert _cursor(store).take_over().poison is None


def test_a_stop_takes_back_its_own_attempt_alone(store: Forgetful) -> None:
    """Deaths before it go on counting."""
    for _ in range(TRIES_MAX - 1):
        _owner(store).attempt(TWO)
    stopped = _owner(store)
    assert stopped.is_suspect(TWO)
    assert not stopped.is_suspect(ONE)
    stopped.attempt(TWO)
    stopped.survived()
    last = _cursor(store)
    assert last.take_over().poison is None
    last.attempt(TWO)
    assert _cursor(store).take_over().poison == TWO


def test_cursors_of_applications_generations_and_shards_are_apart(store: Forgetful) -> None:
    """Each has a position and an epoch of its own."""
    _owner(store).commit([], ONE)
    for names in (("sender", "g1", "shard-0"), ("core", "g2", "shard-0"), ("core", "g1", "s-1")):
        assert Cursor(store, *names).take_over().sequence is None
