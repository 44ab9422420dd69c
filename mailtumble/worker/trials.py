"""A record at which a worker died before is tried alone, so that a next death has one suspect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

PAUSE_S: Final = 0.05


class Trials:
    """Shared by the shards of one process: they work side by side, but not beside a trial."""

    def __init__(self) -> None:
        """Nobody works."""
        self._lock = Lock()
        self._working = 0
        self._trying = False
        self._wanting = 0

    @contextmanager
    def beside(self, wait: Callable[[float], None]) -> Iterator[None]:
        """Work while others do; first wait (``wait`` takes seconds) for a trial to end."""
        while not self._begin_work():
            wait(PAUSE_S)
        try:
            yield
        finally:
            with self._lock:
                self._working -= 1

    @contextmanager
    def alone(self, wait: Callable[[float], None]) -> Iterator[None]:
        """Work while nobody else does; who comes later waits."""
        with self._lock:
            self._wanting += 1
        try:
            while not self._begin_trial():
                wait(PAUSE_S)
        finally:
            with self._lock:
                self._wanting -= 1
        try:
            yield
        finally:
            with self._lock:
                self._trying = False

    def _begin_work(self) -> bool:
        with self._lock:
            free = not self._trying and not self._wanting
            self._working += free
            return free

    def _begin_trial(self) -> bool:
        with self._lock:
            if self._trying or self._working:
                return False
            self._trying = True
            return True
