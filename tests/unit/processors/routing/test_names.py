"""Which names are tried for a recipient, and that the most particular one wins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.routing.names import choose, names_to_try


@pytest.mark.parametrize(
    ("recipient", "names"),
    [
        ("sales@example.com", ("sales@example.com", "@example.com")),
        (
            "sales+spring@example.com",
            ("sales+spring@example.com", "sales@example.com", "@example.com"),
        ),
        ("a+b+c@example.com", ("a+b+c@example.com", "a@example.com", "@example.com")),
        ("Sales@EXAMPLE.com ", ("sales@example.com", "@example.com")),
        ("+tag@example.com", ("+tag@example.com", "@example.com")),
        ("sales+@example.com", ("sales+@example.com", "sales@example.com", "@example.com")),
        ('"a@b"@example.com', ('"a@b"@example.com', "@example.com")),
        ("postmaster", ("postmaster",)),
    ],
)
def test_the_names_of_a_recipient(recipient: str, names: tuple[str, ...]) -> None:
    """The address itself, without its tag, then whatever is left of the domain."""
    assert names_to_try(recipient) == names


@given(st.emails(), st.text(st.characters(categories=["L", "Nd"]), max_size=5))
def test_a_tag_and_capitals_find_the_same_alias(address: str, tag: str) -> None:
    """Whoever has an alias gets the mail to its tagged and capitalised forms too."""
    local, _, domain = address.lower().rpartition("@")
    if "+" not in local:
        assert f"{local}@{domain}" in names_to_try(f"{local}+{tag}@{domain}")
    assert names_to_try(address.upper()) == names_to_try(address.upper().lower())


def test_the_most_particular_name_wins() -> None:
    """A catch-all takes only what nobody else has."""
    names = names_to_try("sales+spring@example.com")
    entries = {"@example.com": "everything", "sales@example.com": "sales"}
    assert choose(names, entries) == "sales"
    assert choose(names, {"@example.com": "everything"}) == "everything"
    assert choose(names, {**entries, names[0]: "spring"}) == "spring"
    assert choose(names, {"@example.org": "another domain's"}) is None
