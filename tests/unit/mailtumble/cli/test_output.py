"""What is printed steers no terminal, and JSON stays JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.cli.output import print_json, printable, printable_lines

if TYPE_CHECKING:
    from typing import Any

TEXTS = st.text(st.characters())
"""Surrogates too: who writes to the log may have let them in."""
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(value=VALUES)
def test_json_can_be_read_back_and_steers_nothing(value: Any) -> None:  # noqa: ANN401 - JSON's
    """Whatever is in its texts, on however many lines it stands."""
    printed: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("click.echo", printed.append)
        print_json(value)
    (text,) = printed
    assert json.loads(text) == value
    assert all(line.isprintable() for line in text.split("\n"))


@given(TEXTS)
def test_several_lines_stay_several(text: str) -> None:
    """Each of them printable."""
    shown = printable_lines(text)
    assert all(line.isprintable() for line in shown.split("\n"))
    assert shown.count("\n") == text.count("\n")


def test_in_a_text_of_lines_blanks_are_blanks() -> None:
    """Tabs, and the spaces of other scripts; a line's own end is no escape."""
    assert printable_lines("a\tb\u00a0c\u3000d\r\ne") == "a       b c d\ne"
    assert printable_lines("a\rb\u202ec") == r"a\rb\u202ec"
    assert printable("a\tb") == r"a\tb"
