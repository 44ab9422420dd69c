"""A queue in memory: what is received and not deleted comes again, and at last goes aside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mailtumble.ports.world import QueueDepth, QueueMessage
from tests.fakes.clock import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fakes.clock import VirtualClock

BATCH_MAX: Final = 10


@dataclass(slots=True)
class _Held:
    id: str
    body: str
    visible_at: int
    receive_count: int = 0
    receipt: str = ""


class InMemoryQueue:
    """An :class:`mailtumble.ports.world.MessageQueue` with SQS's visibility time-out."""

    def __init__(
        self,
        clock: VirtualClock,
        *,
        visibility_s: float = 60,
        max_receives: int | None = None,
        dead_letters: InMemoryQueue | None = None,
    ) -> None:
        """A message received ``max_receives`` times goes to ``dead_letters`` instead."""
        self._clock = clock
        self._visibility_us = round(visibility_s * SECOND_US)
        self._max_receives = max_receives
        self._dead_letters = dead_letters
        self._messages: dict[str, _Held] = {}
        self._sent = 0

    def receive(self, wait_s: int) -> Sequence[QueueMessage]:
        """Up to 10 visible messages; where there are none, once more after ``wait_s``."""
        messages = self._take()
        if not messages and wait_s:
            self._clock.sleep(wait_s)
            messages = self._take()
        return messages

    def delete(self, messages: Sequence[QueueMessage]) -> None:
        """Remove messages; a receipt that a later receive replaced removes nothing."""
        for message in messages:
            held = self._messages.get(message.id)
            if held is not None and held.receipt == message.receipt:
                del self._messages[message.id]

    def send(self, bodies: Sequence[str]) -> None:
        """Add messages."""
        for body in bodies:
            self._sent += 1
            name = f"message-{self._sent:08d}"
            self._messages[name] = _Held(name, body, self._clock.now())

    def depth(self) -> QueueDepth:
        """Return how many messages are visible, and how many received and not deleted."""
        now = self._clock.now()
        visible = sum(held.visible_at <= now for held in self._messages.values())
        return QueueDepth(visible=visible, in_flight=len(self._messages) - visible)

    def bodies(self) -> Sequence[str]:
        """Every message that is not deleted, visible or not; for assertions."""
        return [held.body for held in self._messages.values()]

    def _take(self) -> list[QueueMessage]:
        now = self._clock.now()
        taken: list[QueueMessage] = []
        for held in list(self._messages.values()):
            if len(taken) == BATCH_MAX:
                break
            if held.visible_at > now or self._sent_aside(held):
                continue
            held.receive_count += 1
            held.visible_at = now + self._visibility_us
            held.receipt = f"{held.id}/{held.receive_count}"
            taken.append(QueueMessage(held.id, held.body, held.receipt, held.receive_count))
        return taken

    def _sent_aside(self, held: _Held) -> bool:
        if self._max_receives is None or held.receive_count < self._max_receives:
            return False
        del self._messages[held.id]
        if self._dead_letters is not None:
            self._dead_letters.send([held.body])
        return True
