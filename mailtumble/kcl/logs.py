"""The daemon's log lines (logback.xml) in mailtumble's form. Pure.

Its children's lines come among them, and are JSON already.
"""

from __future__ import annotations

import json
from typing import Any, Final

BREAK: Final = "\u2028"
"""Stands for a line break within a message."""
FIELDS: Final = 4


def line_of(text: str) -> str:
    """One line of ours, JSON, for one of the daemon's or of a child's."""
    fields = text.split("\t", FIELDS - 1)
    if len(fields) < FIELDS:
        return text if _is_object(text) else _json(_stray(text))
    at, level, logger, whole = fields
    message, _, traceback = whole.rstrip(BREAK).partition(BREAK)
    line = {"at": at, "level": level.lower(), "logger": logger, "message": message}
    if traceback:
        line["traceback"] = traceback.replace(BREAK, "\n")
    return _json(line)


def _stray(text: str) -> dict[str, Any]:
    """Java's before its logging is set up, the last words of a crash, or what a child prints."""
    return {"level": "warning", "logger": "mailtumble.kcl.output", "message": text}


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _json(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False)
