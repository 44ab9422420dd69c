"""Structured logs of the workers, on standard error: JSON a line, or text on a terminal.

What a line is about (application, shard, mail, sequence number, target, attempt) stands in fields,
not in its words. Code that works on something says so once, by :func:`about`; every line that is
logged within has these fields. A line can have more by ``extra={"fields": {...}}``.

No address goes into a log: mails are told by their ids. What looks like an address all the same
(an error's text, words of SES) is blotted out before the line is written.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TextIO

NOISY: Final = ("botocore", "urllib3", "boto3", "faust", "mode", "aiohttp", "asyncio")

ADDRESS: Final = re.compile(r"""[^\s"'<>()\[\],;:@\\=]*@[^\s"'<>()\[\],;:@\\]+""")
"""Anything with an @ in it, local part or none: an alias may stand for a whole domain."""
BLOT: Final = "(address)"

NOTHING: Final[Mapping[str, object]] = MappingProxyType({})
_ABOUT: ContextVar[Mapping[str, object]] = ContextVar("about", default=NOTHING)


class LogFormat(StrEnum):
    """How log lines are written."""

    AUTO = "auto"
    """Text on a terminal, else JSON."""
    JSON = "json"
    TEXT = "text"


LEVELS: Final = ("debug", "info", "warning", "error")


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """What is logged within, by this thread or task, is about this too."""
    token = _ABOUT.set({**_ABOUT.get(), **fields})
    try:
        yield
    finally:
        _ABOUT.reset(token)


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """What a line is about; empty values are left out."""
    fields = {**_ABOUT.get(), **getattr(record, "fields", {})}
    return {name: value for name, value in fields.items() if value not in ("", None)}


class JsonLines(logging.Formatter):
    """One JSON object a line, for machines that collect logs."""

    def format(self, record: logging.LogRecord) -> str:
        """Time (UTC), level, logger, message and fields; the traceback where there is one."""
        return json_of(self.line(record))

    def line(self, record: logging.LogRecord) -> dict[str, Any]:
        """The line's parts, without addresses; a field never takes the place of the first four."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            **fields_of(record),
            "at": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return blotted(line)


class TextLines(JsonLines):
    """The same for people."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback below it."""
        return text_of(self.line(record))


def text_of(line: Mapping[str, Any]) -> str:
    """A line's parts as text: time of day, level, message, fields."""
    shown = {"at", "level", "logger", "message", "traceback"}
    fields = " ".join(f"{name}={value}" for name, value in line.items() if name not in shown)
    at = str(line.get("at", "")).partition("T")[2]
    words = [at, str(line.get("level", "")).upper(), str(line.get("message", "")), fields]
    text = " ".join(filter(None, words))
    return f"{text}\n{line['traceback']}" if line.get("traceback") else text


def json_of(line: Mapping[str, Any]) -> str:
    """A line's parts as JSON."""
    return json.dumps(line, ensure_ascii=False, default=str)


def blotted(line: Mapping[str, Any]) -> dict[str, Any]:
    """The parts with every address blotted out."""
    # Before they become JSON: there the letter of an escape would be taken for a local part's.
    return {
        name: ADDRESS.sub(BLOT, value) if isinstance(value, str) and "@" in value else value
        for name, value in line.items()
    }


def relay(line: str, log_format: str, stream: TextIO) -> None:
    """Write a JSON line of another process of ours, in this one's form."""
    as_text = is_text(log_format, stream)
    if as_text or "@" in line:
        parts = blotted(json.loads(line))
        line = text_of(parts) if as_text else json_of(parts)
    print(line, file=stream, flush=True)


def is_text(log_format: str, stream: TextIO) -> bool:
    """Whether lines are text there."""
    return log_format == LogFormat.TEXT or (log_format == LogFormat.AUTO and stream.isatty())


def log_to_stderr(level: str = "info", log_format: str = LogFormat.AUTO) -> None:
    """Set logging up for this process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextLines() if is_text(log_format, sys.stderr) else JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # That a timer's body outlasts its interval is nothing to warn of: the next one is left out.
    logging.getLogger("mode.timers").setLevel(logging.ERROR)
