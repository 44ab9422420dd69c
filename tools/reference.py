"""Writes docs/reference/events.md and statuses.md from the code: ``python -m tools.reference``.

With ``--check`` it writes nothing and ends with 1 where a file is stale. The table of statuses is
no description of the fold, it is the fold's own answer: every event is folded into a mail in
every status, and what changes is a row.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import re
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints

from processors import mail
from schemas import events, values
from schemas.events import EVENT_TYPES, Event, Versions
from schemas.structure import personal_fields
from schemas.values import ENDED, DeferReason, Status

FOLDER: Final = Path(__file__).parents[1] / "docs" / "reference"
GENERATED: Final = "<!-- Written by python -m tools.reference: change the code, not this file. -->"
CURRENT: Final = "attempt-1"
NEXT: Final = "attempt-2"


# ── events.md ───────────────────────────────────────────────────────────────────────────────────


def _sections() -> dict[str, str]:
    """Each event's name -> the heading under which the module lists it."""
    found: dict[str, str] = {}
    heading = ""
    for line in inspect.getsource(events).splitlines():
        if mark := re.match(r"# ── (.+?) ──", line):
            heading = mark[1]
        elif defined := re.match(r"class (\w+)", line):
            found[defined[1]] = heading
    return found


def _meanings(kind: type[enum.Enum]) -> dict[str, str]:
    """Each member's value -> the docstring below it."""
    (definition,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101 - for the type checker
    found: dict[str, str] = {}
    name = ""
    for each in definition.body:
        match each:
            case ast.Assign(targets=[ast.Name(id=name)]):
                pass
            case ast.Expr(value=ast.Constant(value=str(text))) if name:
                found[str(kind[name].value)] = " ".join(text.split())
    return found


def _text(kind: type) -> str:
    return inspect.cleandoc(kind.__doc__ or "")


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return ""
    if isinstance(field.default, enum.Enum):
        return f"`{field.default.value}`"
    return f"`{field.default!r}`"


def _fields(kind: type) -> Iterator[str]:
    personal = personal_fields(kind)
    yield "| field | type | personal | default |"
    yield "|---|---|---|---|"
    for field in dataclasses.fields(kind):
        shown = str(field.type).replace("|", "\\|")
        mark = "yes" if field.name in personal else ""
        yield f"| `{field.name}` | `{shown}` | {mark} | {_default(field)} |"


def events_page() -> str:
    """The page that lists every event with its fields, and the values they are made of."""
    lines = [
        "# Events",
        "",
        GENERATED,
        "",
        "Everything that can happen, as it stands on the log (`schemas/events.py`). Times end in",
        "`_at` and are microseconds since 1970 in UTC. Personal fields can be sealed under a key",
        "per mail.",
    ]
    sections = _sections()
    heading = ""
    for kind in EVENT_TYPES:
        if sections[kind.__name__] != heading:
            heading = sections[kind.__name__]
            lines += ["", f"## {heading.capitalize()}"]
        title = f"### {kind.__name__} (version {Versions.current[kind]})"
        lines += ["", title, "", _text(kind), "", *_fields(kind)]
    lines += ["", "## Values"]
    for name, value in vars(values).items():
        if not isinstance(value, type) or value.__module__ != values.__name__:
            continue
        lines += ["", f"### {name}", "", _text(value), ""]
        if issubclass(value, enum.Enum):
            lines += ["| value | meaning |", "|---|---|"]
            lines += [f"| `{each}` | {text} |" for each, text in _meanings(value).items()]
        else:
            lines += _fields(value)
    return "\n".join(lines) + "\n"


# ── statuses.md ─────────────────────────────────────────────────────────────────────────────────


def example(kind: type, **given: Any) -> Any:  # noqa: ANN401 - an instance of kind
    """An event of this type with ``given`` fields; the others hold the least there is."""
    hints = get_type_hints(kind)
    fields = {
        each.name: given.get(each.name, _least(hints[each.name]))
        for each in dataclasses.fields(kind)
    }
    return kind(**fields)


def _least(hint: Any) -> Any:  # noqa: ANN401 - a value of that type
    origin = get_origin(hint)
    if origin is tuple:
        return (_least(get_args(hint)[0]),)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return {}
    if origin is types.UnionType:
        return None
    if issubclass(hint, enum.Enum):
        return next(iter(hint))
    return example(hint) if dataclasses.is_dataclass(hint) else hint()


RECEIVED: Final = (example(events.MailReceived),)
ROUTED: Final = (*RECEIVED, example(events.RouteResolved))
QUEUED: Final = (*ROUTED, example(events.SendScheduled, number=1, attempt_id=CURRENT))
DOUBTED: Final = (*QUEUED, example(events.SendUnknown, attempt_id=CURRENT))


def _of_attempt(kind: type, **given: Any) -> Any:  # noqa: ANN401 - an event
    return example(kind, attempt_id=CURRENT, **given)


History = tuple[Event, ...]

BEFORE_TARGETS: Final[tuple[History, ...]] = (
    (),
    RECEIVED,
    (*RECEIVED, example(events.RouteDeferred)),
    (example(events.RecordQuarantined), *RECEIVED),
)
"""What has happened to a mail that has no targets: a history for every status it may have."""

WITH_TARGET: Final[tuple[History, ...]] = (
    ROUTED,
    QUEUED,
    (*QUEUED, _of_attempt(events.SendStarted)),
    (*QUEUED, _of_attempt(events.SendDeferred, reason=DeferReason.TRANSIENT)),
    DOUBTED,
    (*DOUBTED, example(events.SendParked)),
    (*QUEUED, _of_attempt(events.SendExpired)),
    (*QUEUED, _of_attempt(events.SendFailed)),
    (*QUEUED, _of_attempt(events.BounceReceived)),
    (*QUEUED, _of_attempt(events.SendAccepted)),
)
"""The same for a mail with one target, told of its current attempt."""

OLDER: Final[tuple[History, ...]] = tuple(
    (*DOUBTED, example(events.SendScheduled, number=2, attempt_id=NEXT), *more)
    for more in (
        (),
        (example(events.SendStarted, attempt_id=NEXT),),
        (example(events.SendUnknown, attempt_id=NEXT),),
        (example(events.SendFailed, attempt_id=NEXT),),
        (example(events.BounceReceived, attempt_id=NEXT),),
        (example(events.SendAccepted, attempt_id=NEXT),),
    )
)
"""A mail whose first attempt became unknown and whose second one is on its way, or has ended."""


def _told() -> Iterator[tuple[str, Event]]:
    """Every event, by the name of its row; deferrals apart by whether SES was called."""
    for kind in EVENT_TYPES:
        fields = {each.name for each in dataclasses.fields(kind)}
        attempt = {"attempt_id": CURRENT} if "attempt_id" in fields else {}
        if kind is events.SendDeferred:
            for reason in (DeferReason.NOT_CALLED, DeferReason.TRANSIENT):
                name = "not called" if reason is DeferReason.NOT_CALLED else "any other reason"
                yield f"`SendDeferred` ({name})", example(kind, reason=reason, **attempt)
        elif kind is events.SendScheduled:
            yield "`SendScheduled`", example(kind, attempt_id=NEXT, number=2)
        else:
            yield f"`{kind.__name__}`", example(kind, **attempt)


ROUTING: Final = (
    events.MailReceived,
    events.RouteResolved,
    events.RouteNotFound,
    events.RouteDeferred,
    events.RouteExpired,
)


def _can_follow(history: History, event: Event) -> bool:
    """Whether the deciders and the sender ever let this event follow on that history.

    Routes are settled once; attempts are scheduled for targets that have not ended; all else is
    told of an attempt that was scheduled. Of an older attempt only what is told of itself counts.
    """
    status = mail.fold(mail.INITIAL, history).status
    if history in BEFORE_TARGETS:
        first = events.MailReceived | events.RecordQuarantined
        return isinstance(event, first if not history else (*ROUTING,))
    if isinstance(event, (*ROUTING, events.RecordQuarantined)):
        return False
    if isinstance(event, events.SendScheduled):
        return history in WITH_TARGET and status not in ENDED
    if history in OLDER:
        return getattr(event, "attempt_id", "") == CURRENT
    return history != ROUTED


Rows = dict[str, dict[Status, list[str]]]


def transitions(histories: tuple[History, ...]) -> Rows:
    """Row name -> the status afterwards -> the statuses from which the event leads there."""
    found: Rows = {}
    for name, event in _told():
        rows: dict[Status, list[str]] = {}
        for history in histories:
            if not _can_follow(history, event):
                continue
            before = mail.fold(mail.INITIAL, history)
            after = mail.evolve(before, event)
            if after.status is not before.status or not history:
                rows.setdefault(after.status, []).append(before.status if history else "nothing")
        if rows:
            found[name] = rows
    return found


def column(status: Status) -> str:
    """Where a target in this status counts in the sum received = ended + open."""
    return f"ended: {status}" if status in ENDED else "open"


def _table(rows: Rows) -> Iterator[str]:
    yield "| event | from | target | mail | column of the sum |"
    yield "|---|---|---|---|---|"
    for name, ways in rows.items():
        for after, befores in ways.items():
            begun = ", ".join(dict.fromkeys(map(str, befores)))
            yield f"| {name} | {begun} | {after} | {after} | {column(after)} |"


def silent() -> list[str]:
    """The events that never change a status."""
    moved = {
        row for histories in (BEFORE_TARGETS, WITH_TARGET, OLDER) for row in transitions(histories)
    }
    return [name for name, _ in _told() if name not in moved]


STATUSES_HEAD: Final = """\
# Statuses

{generated}

Where a target stands follows from the events alone, and where it counts follows from where it
stands. For any range of time, per target:

    open before + received = ended, by kind + open after

A mail is received as one target, unless its alias names several. Its own status is that of its
least finished target, in the order of the first table, so with one target both are the same.

## The statuses

| status | meaning | column of the sum |
|---|---|---|
{statuses}

## Before a mail has targets

{before}

## What is told of a target's current attempt

From a status that is not listed, an event changes nothing. A record of the mail that is
quarantined makes core decide `SendParked` for every target that has not ended.

{current}

## What is told of an older attempt

The first attempt's outcome was unknown, and a second one was scheduled. Then the truth about the
first comes out:

{older}

## Events that change no status

{silent}.

`MailCompleted` tells that every target has ended. What is told later (a bounce after the delivery,
an acceptance after all) moves the target to another column, and no second `MailCompleted` follows.
"""


def statuses_page() -> str:
    """The page with the table event -> target status -> mail status -> column of the sum."""
    meanings = _meanings(Status)
    return STATUSES_HEAD.format(
        generated=GENERATED,
        statuses="\n".join(
            f"| `{status}` | {meanings[status]} | {column(status)} |" for status in Status
        ),
        before="\n".join(_table(transitions(BEFORE_TARGETS))),
        current="\n".join(_table(transitions(WITH_TARGET))),
        older="\n".join(_table(transitions(OLDER))),
        silent=", ".join(silent()),
    )


# ── both ────────────────────────────────────────────────────────────────────────────────────────


def pages() -> dict[str, str]:
    """File name -> what has to stand in it."""
    return {"events.md": events_page(), "statuses.md": statuses_page()}


def stale(folder: Path = FOLDER) -> list[str]:
    """The files that don't say what the code does."""
    return [
        name
        for name, text in pages().items()
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Write the stale files, or with ``--check`` name them and fail."""
    names = stale()
    if "--check" in arguments:
        for name in names:
            print(f"docs/reference/{name} is stale: run python -m tools.reference")
        return 1 if names else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names:
        (FOLDER / name).write_text(pages()[name], encoding="utf-8")
        print(f"wrote docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
