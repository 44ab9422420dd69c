"""AWS's time: this machine's clock, set right by the Date headers of AWS's replies.

Instants are shared by machines whose clocks differ; all of them talk to AWS all the time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from processors.sending.clocks import ClockOffset, heard
from schemas.values import SECOND_US


class AwsClock:
    """A :class:`mailtumble.ports.world.Clock`; may be used from any thread."""

    def __init__(self, machine: Callable[[], int] | None = None) -> None:
        """Trust the machine's clock until replies contradict it.

        Args:
            machine: returns what the machine's clock says, in microseconds since 1970, UTC.
        """
        self.machine = machine or machine_time
        self._lock = threading.Lock()
        self._call = threading.local()
        self._known: ClockOffset | None = None
        self._last_date = ("", 0)

    @property
    def correction(self) -> int:
        """What is added to this machine's clock, in microseconds."""
        known = self._known
        return 0 if known is None else known.correction

    def now(self) -> int:
        """Microseconds since 1970, UTC."""
        return self.machine() + self.correction

    def sleep(self, seconds: float) -> None:
        """Wait on this thread."""
        time.sleep(seconds)

    def listen(self, client: Any) -> None:  # noqa: ANN401 - boto3 makes its clients' classes at run time
        """Learn from every reply that a boto3 client gets."""
        client.meta.events.register("before-send", self._sent)
        client.meta.events.register("response-received", self._received)

    def _sent(self, **_: object) -> None:
        self._call.sent_at = self.machine()

    def _received(self, response_dict: Mapping[str, Any] | None = None, **_: object) -> None:
        date = (response_dict or {}).get("headers", {}).get("Date")
        date_at = self._parsed(date) if date else None
        if date_at is not None:
            self.hear(date_at, self._call.sent_at)

    def hear(self, date_at: int, sent_at: int) -> None:
        """Learn from a reply that has just come.

        Args:
            date_at: its Date, in microseconds (whole seconds) UTC.
            sent_at: when the request was sent, by the machine's clock.
        """
        with self._lock:
            self._known = heard(self._known, date_at, sent_at, self.machine())

    def _parsed(self, date: str) -> int | None:
        """Microseconds; the replies of one second all have the same text."""
        text, at = self._last_date
        if text != date:
            try:
                at = round(parsedate_to_datetime(date).timestamp()) * SECOND_US
            except (ValueError, TypeError):  # no date, as a proxy or an emulator may send it
                return None
            self._last_date = (date, at)
        return at


def machine_time() -> int:
    """What this machine's clock says, in microseconds since 1970, UTC."""
    return time.time_ns() // 1000
