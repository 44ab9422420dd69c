"""The daemon's log lines in mailtumble's form. Pure.

What a child prints comes wrapped in a line of the daemon's; it is taken out of it again.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, Final

WRAPPED: Final = re.compile(
    r"Received error line from subprocess \[(?P<line>.*)\] for shard (?P<shard>\S*)", re.DOTALL
)


def line_of(text: str) -> str:
    """One line of ours for one of the daemon's."""
    told = _object(text)
    if told is None or "formattedMessage" not in told:
        return _json({"level": "warning", "logger": "java", "message": text})
    message = str(told["formattedMessage"])
    wrapped = WRAPPED.fullmatch(message)
    if wrapped:
        inner = _object(wrapped["line"])
        if inner is None:
            inner = {"level": "info", "logger": "mailtumble.kcl.child", "message": wrapped["line"]}
        return _json({**inner, "shard": wrapped["shard"]})
    line = {
        "at": _time(told.get("timestamp")),
        "level": str(told.get("level", "")).lower(),
        "logger": told.get("loggerName"),
        "message": message,
    }
    thrown = told.get("throwable")
    if thrown:
        line["traceback"] = thrown
    return _json(line)


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _time(milliseconds: object) -> str | None:
    if not isinstance(milliseconds, int):
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False)
