"""Lengths of time, lists and afterthoughts, as sentences have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mailtumble.worker.views import iso
from schemas.values import DAY_US, HOUR_US, MINUTE_US, SECOND_US

AT_ONCE_US: Final = 1_000
EXACT_US: Final = 10 * SECOND_US
SOON_US: Final = SECOND_US // 20
"""What is due within this time is due now."""


def instant(at: int) -> str:
    """A time as :func:`mailtumble.worker.views.iso` has it.

    Whatever stands on the log can be told: beyond the calendar's end it is a number.
    """
    try:
        return iso(at)
    except (ValueError, OverflowError, OSError):
        return f"{at} microseconds after 1970"


def later(elapsed_us: int) -> str:
    """How much later, in words."""
    return "at once" if elapsed_us < AT_ONCE_US else f"{duration(elapsed_us)} later"


def duration(elapsed_us: int) -> str:
    """A length of time with the two units that matter: ``0.4 s``, ``3 min 20 s``, ``2 d 5 h``."""
    if elapsed_us < SECOND_US // 10:
        return f"{max(elapsed_us, 0) / SECOND_US:.3f} s"
    if elapsed_us < EXACT_US:
        return f"{elapsed_us / SECOND_US:.1f} s"
    units = ((DAY_US, "d"), (HOUR_US, "h"), (MINUTE_US, "min"), (SECOND_US, "s"))
    parts = []
    for length, name in units:
        count, elapsed_us = divmod(elapsed_us, length)
        parts.append((count, name))
    while not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{count} {name}" for count, name in parts[:2] if count)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the singular or plural: ``1 record``, ``1,204 records``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them: ``a``, ``a and b``, ``a, b and c``."""
    if not words:
        return "nothing"
    *before, last = words
    return f"{', '.join(before)} and {last}" if before else last


def within(at: int, recorded_at: int) -> str:
    """When something is due, from the time of its record on."""
    ahead_us = at - recorded_at
    return "now" if ahead_us < SOON_US else f"in {duration(ahead_us)}"


def in_brackets(*parts: str) -> str:
    """What may be added, if there is anything."""
    told = ": ".join(part for part in parts if part)
    return f" ({told})" if told else ""
