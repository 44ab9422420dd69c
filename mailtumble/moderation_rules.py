"""The file of moderation rules: TOML, a table ``[[rule]]`` for each, in the order of asking.

What each key means stands at :class:`processors.moderation.rules.Rule`; where that has several
globs or words, the file takes one or a list.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from processors.moderation.rules import GLOB_LENGTH_MAX, MODERATED_ALIAS, Rule
from schemas.errors import BadInput
from schemas.values import HOUR_US, ModerationAction, OnExpiry, Verdicts

RULES_MAX: Final = 500
LIST_LENGTH_MAX: Final = 1000
"""Every rule, and every glob of it, may be asked about every mail."""
TEXT_LENGTH_MAX: Final = 200
HOURS_MIN: Final = 0.001
HOURS_MAX: Final = 365 * 24
SHOWN_LENGTH_MAX: Final = 60

DIGEST_LENGTH: Final = 32
"""Of SHA-256's hexadecimal digits: half of it, 128 bits, names a version of a file."""

_BEGINNING: Final = re.compile(r"[ \t]*\[\[[ \t]*[\"']?rule[\"']?[ \t]*\]\]")
_TAG: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
# RFC 5322 section 3.6.8: printable ASCII without the colon.
_FIELD_NAME: Final = re.compile(r"[!-9;-~]{1,100}")


@dataclass(frozen=True, slots=True)
class RulesFile:
    """The rules of a file, each with its line, and the digest of the file's bytes."""

    rules: tuple[Rule, ...]
    digest: str


def read_rules_file(path: Path) -> RulesFile:
    """Read a file of moderation rules.

    The rule for moderated aliases is not among them: see :mod:`processors.moderation.rules`.

    Raises:
        BadInput: the file can't be read, or one of its rules; the text names file, rule and key.
    """
    try:
        data = path.read_bytes()
        text = data.decode()
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise BadInput(f"{path} is not TOML: {error}") from error
    lines = _lines_of_rules(text)
    rules = tuple(
        replace(rule, line=lines.get(number, 0)) for number, rule in enumerate(_rules(path, text))
    )
    return RulesFile(rules, hashlib.sha256(data).hexdigest()[:DIGEST_LENGTH])


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Read the rules of a file, as :func:`read_rules_file` does."""
    return read_rules_file(path).rules


def _lines_of_rules(text: str) -> dict[int, int]:
    """Return the line at which each ``[[rule]]`` begins, by the rule's place; counted from 1.

    A line that looks like a beginning may lie inside a text of several lines: there the file up to
    this line is not TOML.
    """
    found: dict[int, int] = {}
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        if _BEGINNING.match(line):
            try:
                so_far = tomllib.loads("".join(lines[:number]))["rule"]
            except (ValueError, LookupError, RecursionError):
                continue
            found.setdefault(len(so_far) - 1, number)
    return found


def _rules(path: Path, text: str) -> tuple[Rule, ...]:
    tables = _tables(path, text)
    rules = tuple(_rule(table, f"{path}: rule {number}") for number, table in enumerate(tables, 1))
    numbers = {MODERATED_ALIAS.name: "the built-in one that comes last"}
    for number, rule in enumerate(rules, 1):
        if rule.name in numbers:
            raise BadInput(
                f"{path}: rule {number}: name {rule.name!r} is that of {numbers[rule.name]}: "
                "give each rule its own"
            )
        numbers[rule.name] = f"rule {number}"
    return rules


def _tables(path: Path, text: str) -> list[dict[str, object]]:
    """The file's tables, not looked into yet."""
    try:
        given = tomllib.loads(text)
    except ValueError as error:
        raise BadInput(f"{path} is not TOML: {error}") from error
    except RecursionError as error:
        raise BadInput(f"{path} is nested too deeply to be read: rules need no nesting") from error
    for key in given:
        if key != "rule":
            raise BadInput(f"{path}: there is no key {_shown(key)}: begin each rule with [[rule]]")
    tables = given.get("rule", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise BadInput(f"{path}: rule is {_shown(tables)}: begin each rule with [[rule]]")
    if len(tables) > RULES_MAX:
        raise BadInput(f"{path} has {len(tables)} rules: give at most {RULES_MAX}")
    return tables


# ----------------------------------------------------------------- what keys take, None if not so


def _one_line(value: object) -> str | None:
    fits = isinstance(value, str) and value.isprintable() and len(value) <= TEXT_LENGTH_MAX
    return str(value) if fits else None


def _name(value: object) -> str | None:
    name = _one_line(value)
    return name if name and not name.isspace() else None


def _tag(value: object) -> str | None:
    return value if isinstance(value, str) and _TAG.fullmatch(value) else None


def _action(value: object) -> ModerationAction | None:
    if not isinstance(value, str) or value not in list(ModerationAction):
        return None
    return ModerationAction(value)


def _on_expiry(value: object) -> OnExpiry | None:
    return OnExpiry(value) if isinstance(value, str) and value in list(OnExpiry) else None


def _hours(value: object) -> int | None:
    """In microseconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # NaN is on neither side of a bound.
    return round(value * HOUR_US) if HOURS_MIN <= value <= HOURS_MAX else None


def _size(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if value >= 0 else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _glob(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) <= GLOB_LENGTH_MAX else None


def _globs(value: object) -> tuple[str, ...] | None:
    given = value if isinstance(value, list) else [value]
    globs = tuple(glob for each in given if (glob := _glob(each)) is not None)
    # An empty list would be no condition at all, and its rule fit every mail.
    return globs if 0 < len(globs) == len(given) <= LIST_LENGTH_MAX else None


def _words(value: object) -> tuple[str, ...] | None:
    words = _globs(value)
    return None if words is None else tuple(word.upper() for word in words)


def _fields(value: object) -> tuple[tuple[str, str], ...] | None:
    given = value if isinstance(value, dict) else {}
    globs = tuple(
        (name, glob)
        for name, each in given.items()
        if _FIELD_NAME.fullmatch(name) and (glob := _glob(each)) is not None
    )
    return globs if 0 < len(globs) == len(given) <= LIST_LENGTH_MAX else None


@dataclass(frozen=True, slots=True)
class _Key:
    """A key of a rule: the attribute it fills, what it takes, and the action it goes with."""

    attribute: str
    read: Callable[[object], Any]
    allowed: str
    only: ModerationAction | None = None


_LINE_TEXT: Final = f"a line of at most {TEXT_LENGTH_MAX} characters"
_GLOBS_TEXT: Final = f"a glob of at most {GLOB_LENGTH_MAX} characters, or a list of such"
_WORDS_TEXT: Final = 'a word like "FAIL", or a list of such'

KEYS: Final[Mapping[str, _Key]] = {
    "name": _Key("name", _name, _LINE_TEXT),
    "action": _Key("action", _action, " or ".join(f'"{each}"' for each in ModerationAction)),
    "reason": _Key("reason", _one_line, _LINE_TEXT),
    "tag": _Key(
        "tag", _tag, "1 to 64 letters, digits, hyphens and underscores", ModerationAction.TAG
    ),
    "expires_after_h": _Key(
        "expires_after_us", _hours, f"hours from {HOURS_MIN} to {HOURS_MAX}", ModerationAction.HOLD
    ),
    "on_expiry": _Key(
        "on_expiry",
        _on_expiry,
        " or ".join(f'"{each}"' for each in OnExpiry),
        ModerationAction.HOLD,
    ),
    **{each.name: _Key("verdicts", _words, _WORDS_TEXT) for each in fields(Verdicts)},
    "sender": _Key("senders", _globs, _GLOBS_TEXT),
    "recipient": _Key("recipients", _globs, _GLOBS_TEXT),
    "header": _Key(
        "headers",
        _fields,
        f'a glob of at most {GLOB_LENGTH_MAX} characters for each field: {{ List-Id = "*" }}',
    ),
    "larger_than": _Key("larger_than", _size, "bytes, a whole number"),
    "smaller_than": _Key("smaller_than", _size, "bytes, a whole number"),
    "moderated": _Key("moderated", _flag, "true or false"),
}
"""Every key of a rule."""


# --------------------------------------------------------------------------------------- one rule


def _rule(table: dict[str, object], place: str) -> Rule:
    name = _name(table.get("name"))
    place = place if name is None else f"{place} ({name!r})"
    for key in ("name", "action"):
        if key not in table:
            raise BadInput(f"{place}: {key} is missing: give {KEYS[key].allowed}")
    given: dict[str, Any] = {"verdicts": ()}
    for key, value in table.items():
        attribute, read = _read(key, value, place)
        if attribute == "verdicts":
            given["verdicts"] += ((key, read),)
        else:
            given[attribute] = read
    rule = Rule(**given)
    for complaint in _contradictions(rule, table):
        raise BadInput(f"{place}: {complaint}")
    return rule


def _read(key: str, value: object, place: str) -> tuple[str, object]:
    """The attribute that a key fills, and with what."""
    known = KEYS.get(key)
    if known is None:
        raise BadInput(f"{place}: there is no key {_shown(key)}: give any of {', '.join(KEYS)}")
    read = known.read(value)
    if read is None:
        raise BadInput(f"{place}: {key} is {_shown(value)}: give {known.allowed}")
    return known.attribute, read


def _contradictions(rule: Rule, table: Mapping[str, object]) -> Iterator[str]:
    """What is right in itself, but not together."""
    for key in table:
        only = KEYS[key].only
        if only not in (None, rule.action):
            yield f'{key} goes with action = "{only}": leave it out of one that does {rule.action}'
    if rule.action is ModerationAction.TAG and not rule.tag:
        yield f"tag is missing: give {KEYS['tag'].allowed}"
    if 0 <= rule.smaller_than <= rule.larger_than + 1:
        yield "smaller_than leaves no size: give more, and more than larger_than"


def _shown(value: object) -> str:
    """A value for a complaint; of the long and the nested ones, what kind they are."""
    if isinstance(value, str):
        cut = value[:SHOWN_LENGTH_MAX]
        return repr(cut) + "..." * (len(value) > len(cut))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(value)
    if isinstance(value, int):
        # A number of thousands of digits can't even be shown.
        return str(value) if abs(value) < 10**SHOWN_LENGTH_MAX else "a huge number"
    if isinstance(value, list):
        return "a list"
    return "a table" if isinstance(value, dict) else "a date or time"
