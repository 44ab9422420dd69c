"""``events.md``: every event with its fields, and the values they are made of."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import sys
from collections.abc import Iterator
from typing import Any

from schemas import values
from schemas.events import EVENT_TYPES, Versions
from schemas.structure import personal_fields
from tools.reference.docstrings import meanings, text
from tools.reference.markdown import GENERATED, code, table


def _heading(kind: type) -> str:
    """What the module says that lists the event."""
    told = inspect.getdoc(sys.modules[kind.__module__]) or ""
    return told.splitlines()[0].rstrip(".")


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return ""
    if isinstance(field.default, enum.Enum):
        return f"`{field.default.value}`"
    return f"`{field.default!r}`"


def _fields(kind: type) -> Iterator[str]:
    personal = personal_fields(kind)
    rows = [
        (
            code(field.name),
            code(str(field.type)),
            "yes" if field.name in personal else "",
            _default(field),
        )
        for field in dataclasses.fields(kind)
    ]
    return table(("field", "type", "personal", "default"), rows)


def page() -> str:
    """The page that lists every event with its fields, and the values they are made of."""
    lines = [
        "# Events",
        "",
        GENERATED,
        "",
        "Everything that can happen, as it stands on the log (`schemas/events/`). Times end in",
        "`_at` and are microseconds since 1970 in UTC. Personal fields can be sealed under a key",
        "per mail.",
    ]
    heading = ""
    for kind in EVENT_TYPES:
        if _heading(kind) != heading:
            heading = _heading(kind)
            lines += ["", f"## {heading}"]
        title = f"### {kind.__name__} (version {Versions.current[kind]})"
        lines += ["", title, "", text(kind), "", *_fields(kind)]
    lines += ["", "## Values"]
    for name, value in vars(values).items():
        if not isinstance(value, type) or value.__module__ != values.__name__:
            continue
        lines += ["", f"### {name}", "", text(value), ""]
        if issubclass(value, enum.Enum):
            rows = [(code(each), meaning) for each, meaning in meanings(value).items()]
            lines += table(("value", "meaning"), rows)
        else:
            lines += _fields(value)
    return "\n".join(lines) + "\n"
