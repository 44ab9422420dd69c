"""What a setting can take: text of a form, a number within bounds, numbers by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import Field, field
from typing import Any, Final

from schemas.errors import BadInput

NUMBERS: Final = {int: "a whole number", float: "a number"}


def text(
    default: str, meaning: str, *, allowed: str = "a line of text", pattern: str = ".*"
) -> Any:  # noqa: ANN401
    """A setting that takes text: of the form ``pattern``, which ``allowed`` says in words."""
    return field(
        default=default, metadata={"meaning": meaning, "allowed": allowed, "pattern": pattern}
    )


def number(default: float, meaning: str, *, least: float, most: float) -> Any:  # noqa: ANN401
    """A setting that takes a number within bounds; a whole one where ``default`` is whole."""
    allowed = f"{NUMBERS[type(default)]} from {least} to {most}"
    return field(
        default=default,
        metadata={"meaning": meaning, "allowed": allowed, "least": least, "most": most},
    )


def numbers(meaning: str, *, of: str, least: float, most: float) -> Any:  # noqa: ANN401
    """Numbers by name; kept as the text that the environment has, see :func:`read_numbers`."""
    allowed = f"{of}=NUMBER, more after commas; in a file a table; numbers from {least} to {most}"
    return field(
        default="",
        metadata={"meaning": meaning, "allowed": allowed, "least": least, "most": most, "of": of},
    )


def read_names(given: str) -> list[str]:
    """``"house, news"`` as names; empty ones are none."""
    return [name for part in given.split(",") if (name := part.strip())]


def read_numbers(given: str) -> Mapping[str, float]:
    """``"house=5, news=0.5"`` as numbers by name.

    Raises:
        ValueError: a part is not so.
    """
    found: dict[str, float] = {}
    for part in given.split(",") if given.strip() else ():
        name, equals, number = part.rpartition("=")
        if not equals or not name.strip() or name.strip() in found:
            raise ValueError(part)
        found[name.strip()] = float(number)
    return found


def checked(known: Field[Any], value: object, name: str) -> object:
    """The value in the type of the setting's default, checked; ``name`` says where it was given.

    Raises:
        BadInput: it is of the wrong kind or out of bounds.
    """
    check = _number_in if isinstance(known.default, (int, float)) else _text_in
    if "of" in known.metadata:
        check = _numbers_in
    found = check(known, value)
    if found is None:
        raise BadInput(f"{name} is {value!r}: give {known.metadata['allowed']}")
    return found


def _text_in(known: Field[Any], value: object) -> str | None:
    """The text, if it has the form."""
    if not isinstance(value, str):
        return None
    return value if re.fullmatch(known.metadata["pattern"], value) else None


def _numbers_in(known: Field[Any], value: object) -> str | None:
    """The text of numbers by name, if it is one, or if it is a table that can be written so."""
    if isinstance(value, dict):
        if any(isinstance(each, bool) or "," in name for name, each in value.items()):
            return None
        value = ",".join(f"{name}={each}" for name, each in value.items())
    if not isinstance(value, str):
        return None
    try:
        numbers = read_numbers(value)
    except ValueError:
        return None
    least, most = known.metadata["least"], known.metadata["most"]
    return value if all(least <= each <= most for each in numbers.values()) else None


def _number_in(known: Field[Any], value: object) -> float | None:
    """The number, if it is one, whole where it has to be, and within bounds."""
    # A TOML file has types: there true is no number, and 1.5 is not to become 1.
    whole = isinstance(known.default, int)
    if isinstance(value, bool) or not isinstance(value, (str, int) if whole else (str, int, float)):
        return None
    try:
        number = int(value) if whole else float(value)
    except (ValueError, OverflowError):
        return None
    # NaN is on neither side of a bound.
    return number if known.metadata["least"] <= number <= known.metadata["most"] else None
