"""Lanes: any names, kept apart, and the domain of whatever an address is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.sending.lanes import Lane, domain_of, read_lane


@given(st.builds(Lane, st.text(), st.text(), st.text(), urgent=st.booleans()))
def test_a_lane_comes_back_from_its_text(lane: Lane) -> None:
    """Whatever is in the names; and nothing in the text separates what follows."""
    assert read_lane(lane.text) == lane
    assert "#" not in lane.text


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("ann@Far.Example", "far.example"),
        ('"a@b"@c.example', "c.example"),
        ("@c.example", "c.example"),
        ("postmaster", ""),
        ("", ""),
    ],
)
def test_the_domain_stands_behind_the_last_at(address: str, domain: str) -> None:
    """Quoted local parts may hold one too."""
    assert domain_of(address) == domain
