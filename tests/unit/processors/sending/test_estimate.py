"""The estimate against the turns themselves: wrong by less than a round of all tenants."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.sending.estimate import Backlog, latest, leaves_at, side_by_side
from processors.sending.fairness import Choice
from processors.sending.lanes import Lane
from schemas.values import SECOND_US

NOW = 1_760_000_000_000_000
counts = st.dictionaries(st.sampled_from("abcde"), st.integers(1, 40), max_size=5)
weights = st.dictionaries(st.sampled_from("abcde"), st.sampled_from([0.5, 1.0, 2.0, 4.0]))


@given(counts, counts, weights)
def test_it_tells_how_many_leave_before(
    urgent: dict[str, int], plain: dict[str, int], weight: dict[str, float]
) -> None:
    """Of every mail of every tenant, whatever the weights, urgent or not."""
    backlog = Backlog(urgent, plain, weight)
    choice = Choice(weight, frozenset())
    left = {Lane(name, "", "", urgent=True): count for name, count in urgent.items()}
    left |= {Lane(name, "", ""): count for name, count in plain.items()}
    served: dict[Lane, int] = dict.fromkeys(left, 0)
    # A tenant of weight 4 sends four, when one of weight a half has its turn.
    wrong_by_most = 8 * len(left)
    for place in range(1, sum(left.values()) + 1):
        lane = choice.next({lane: "" for lane, count in left.items() if count})
        assert lane is not None
        choice.charge(lane)
        left[lane] -= 1
        served[lane] += 1
        told = backlog.before(lane.tenant, served[lane], urgent=lane.urgent)
        assert abs(told - place) <= wrong_by_most


def test_one_tenants_queue_is_its_order() -> None:
    """The hundredth leaves after a hundred, and after all that is urgent."""
    assert Backlog({}, {"a": 200}).before("a", 100, urgent=False) == 100
    assert Backlog({"b": 7}, {"a": 200}).before("a", 100, urgent=False) == 107
    assert Backlog({"b": 7}, {"a": 200}).before("b", 7, urgent=True) == 7


def test_a_single_mail_does_not_wait_for_a_campaign() -> None:
    """Nor does the campaign for more than it."""
    backlog = Backlog({}, {"big": 40_000, "one": 1})
    assert backlog.before("one", 1, urgent=False) == 2
    assert backlog.before("big", 40_000, urgent=False) == 40_001


@given(st.lists(st.integers(0, 40), min_size=1, max_size=6))
def test_shards_are_worked_off_side_by_side(due: list[int]) -> None:
    """Each sends one in turn: what leaves until the n-th of the first has left, within a round."""
    left = due.copy()
    sent = 0
    for place in range(1, due[0] + 1):
        for shard, count in enumerate(left):
            if count:
                left[shard] -= 1
                sent += 1
            if shard == 0:
                assert 0 <= side_by_side(place, due[1:]) - sent < len(due)


def test_mails_by_rate_are_time() -> None:
    """Not before it is due; and without a rate there is no saying."""
    assert leaves_at(80, 80_000, 0, NOW) == NOW + SECOND_US
    assert leaves_at(80, 80_000, NOW + 9 * SECOND_US, NOW) == NOW + 9 * SECOND_US
    assert leaves_at(1, 0, 0, NOW) is None


def test_the_last_condition_counts() -> None:
    """A mail leaves when its turn has come everywhere; where one can't be told, none can."""
    assert latest(NOW) == NOW
    assert latest(NOW + 2, NOW, NOW + 1) == NOW + 2
    assert latest(NOW, None) is None
