"""Waiting while the world says "not now"."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeVar

from mailtumble.ports.world import Clock
from mailtumble.worker.metrics import Tally
from schemas.errors import RetryableError

T = TypeVar("T")

FIRST_WAIT_S: Final = 0.05
LONGEST_WAIT_S: Final = 2.0

logger = logging.getLogger(__name__)


class Stopping(RetryableError):  # noqa: N818 - what happened
    """The worker is asked to end while the world does not answer; nothing was committed."""


def patiently(call: Callable[[], T], clock: Clock, stopping: Callable[[], bool], tally: Tally) -> T:
    """Repeat a call until it goes through; ``tally`` counts how often.

    Raises:
        Stopping: it did not, and the worker has to stop.
    """
    wait_s = FIRST_WAIT_S
    while True:
        try:
            return call()
        except RetryableError as error:
            if stopping():
                raise Stopping(str(error)) from error
            tally.retries += 1
            logger.warning("waits for the world: %s", error)
            clock.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)
