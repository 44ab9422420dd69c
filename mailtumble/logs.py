"""Structured logs of the workers: one JSON object a line, on standard error."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any, Final

NOISY: Final = ("botocore", "urllib3", "boto3", "faust", "mode", "aiohttp", "asyncio")


class JsonLines(logging.Formatter):
    """One JSON object a line, for machines that collect logs."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger and message; the traceback where there is one."""
        line: dict[str, Any] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_to_stderr(*, debug: bool = False) -> None:
    """Set logging up for this process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    level = logging.DEBUG if debug else logging.INFO
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # That a timer's body outlasts its interval is nothing to warn of: the next one is left out.
    logging.getLogger("mode.timers").setLevel(logging.ERROR)
