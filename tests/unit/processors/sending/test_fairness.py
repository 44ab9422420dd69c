"""Tenants take turns: a big one does not starve the others, and idleness earns no credit."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.sending.fairness import Turns


def _serve(turns: Turns, waiting: dict[str, int], count: int) -> list[str]:
    """Whose mails go, one after the other; each takes one off the tenant's pile."""
    served: list[str] = []
    for _ in range(count):
        tenant = turns.next(name for name, left in waiting.items() if left)
        if tenant is None:
            break
        turns.charge(tenant)
        waiting[tenant] -= 1
        served.append(tenant)
    return served


def test_a_thousand_mails_do_not_starve_two_others() -> None:
    """While all three have mails, each gets every third turn; then the big one has all."""
    served = _serve(Turns(), {"big": 1000, "a": 10, "b": 10}, 1020)
    assert Counter(served[:30]) == {"big": 10, "a": 10, "b": 10}
    assert served[30:] == ["big"] * 990


def test_a_newcomer_is_served_at_once() -> None:
    """Whoever comes while a big tenant is at work waits one turn at most."""
    turns = Turns()
    _serve(turns, {"big": 500}, 500)
    served = _serve(turns, {"big": 500, "new": 3}, 6)
    assert served.count("new") == 3


def test_idleness_earns_no_credit() -> None:
    """A tenant that was away has the next turn when it comes back, and then no more than others."""
    turns = Turns()
    _serve(turns, {"a": 1, "b": 1}, 2)
    _serve(turns, {"b": 100}, 100)
    assert _serve(turns, {"a": 100, "b": 100}, 6) == ["a", "a", "b", "a", "b", "a"]


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 40), min_size=2))
def test_while_all_wait_nobody_is_two_turns_ahead(waiting: dict[str, int]) -> None:
    """With equal weights: at every moment the served counts differ by one at most."""
    turns, served = Turns(), Counter(dict.fromkeys(waiting, 0))
    for _ in range(min(waiting.values()) * len(waiting)):
        tenant = turns.next(waiting)
        assert tenant is not None
        turns.charge(tenant)
        served[tenant] += 1
        assert max(served.values()) - min(served.values()) <= 1


def test_weights_share_the_turns() -> None:
    """A tenant of weight 3 gets three turns for one of another."""
    turns = Turns(weights={"gold": 3.0})
    assert Counter(_serve(turns, {"gold": 100, "plain": 100}, 40)) == {"gold": 30, "plain": 10}


@given(st.permutations(["a", "b", "c"]))
def test_the_order_of_asking_does_not_matter(names: list[str]) -> None:
    """The same piles give the same turns, however they are listed."""
    assert _serve(Turns(), dict.fromkeys(names, 5), 15) == ["a", "b", "c"] * 5


@pytest.mark.parametrize("tenants", [[], ()])
def test_with_nothing_due_it_is_nobodys_turn(tenants: list[str]) -> None:
    """And no turn is taken."""
    turns = Turns()
    assert turns.next(tenants) is None
    assert turns == Turns()
