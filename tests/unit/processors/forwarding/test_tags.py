"""Tags of the moderation rules travel with the mail, for the recipient's own rules."""

from __future__ import annotations

import email
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from processors.forwarding import Forwarding, rewrite

RAW: Final = b"From: a@b.example\r\nX-Mailtumble-Tags: trusted\r\nSubject: hello\r\n\r\nbody\r\n"


def _tags(*tags: str) -> list[str] | None:
    forwarding = Forwarding("info@house.example", "a@b.example", "mail-1", tags)
    return email.message_from_bytes(rewrite(RAW, forwarding).to_bytes()).get_all(
        "X-Mailtumble-Tags"
    )


def test_tags_stand_in_a_field_of_their_own() -> None:
    """A tag a line, so that no line gets too long."""
    assert _tags("list", "big") == ["list,\r\n big"]


def test_a_strangers_tags_are_dropped() -> None:
    """Nobody outside can say what our rules said; without tags there is no field."""
    assert _tags() is None


@given(st.lists(st.text(max_size=100), min_size=1, max_size=5))
def test_no_tag_breaks_the_header(tags: list[str]) -> None:
    """Whatever is in it, the fields behind it stay fields."""
    forwarding = Forwarding("info@house.example", "a@b.example", "mail-1", tuple(tags))
    sent = email.message_from_bytes(rewrite(RAW, forwarding).to_bytes())
    assert sent["Subject"] == "hello"
    assert sent.get_payload() == "body\r\n"
