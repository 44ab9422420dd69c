"""Lanes: any names, kept apart, and the domain of whatever an address is."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.sending.lanes import (
    DOMAIN_BYTES_MAX,
    KEY_BYTES_MAX,
    TENANT_BYTES_MAX,
    Lane,
    domain_of,
    read_lane,
    tenant_problem,
)


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


@pytest.mark.parametrize("letter", ["t", "ü", "/"])
def test_the_longest_tenant_and_domains_fit_into_the_queues_key(letter: str) -> None:
    """Whatever its characters are as they stand there; one more is refused, with both numbers."""
    most = TENANT_BYTES_MAX // len(quote(letter, safe=""))
    tenant, domain = letter * most, "d" * DOMAIN_BYTES_MAX
    assert tenant_problem(tenant) is None
    lane = Lane(tenant, domain, domain, urgent=True)
    due, attempt = "1760000000000000".zfill(20), "2f6f3a1e-0d57-5ab4-9df0-6f2a7c1f9f10"
    position = f"{lane.text}#{due}#{attempt}"
    assert KEY_BYTES_MAX - len(quote(letter, safe="")) < len(position.encode()) <= KEY_BYTES_MAX
    told = tenant_problem(tenant + letter)
    assert told is not None
    assert f"has room for {TENANT_BYTES_MAX}" in told
