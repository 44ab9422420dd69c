"""A broken address costs its neighbours nothing, on whichever Python."""

from __future__ import annotations

import pytest

from mailtumble.address_fields import addresses_in


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("Info <info@house.example>, b@else.example", ["info@house.example", "b@else.example"]),
        ("info@house.example, @broken@, <", ["info@house.example"]),
        ("", []),
    ],
)
def test_the_addresses_that_can_be_read(field: str, found: list[str]) -> None:
    """What else there is has none."""
    addresses = [address for _, address in addresses_in([field]) if address.count("@") == 1]
    assert [each for each in addresses if not each.startswith("@")] == found


def test_what_the_parser_trips_over_has_none() -> None:
    """Nested comments without an end, say."""
    assert not any("@" in address for _, address in addresses_in(["(" * 100_000]))
