"""The world outside: a repository of aliases that changes, an SES that tells of what it sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtumble.ports.world import SendImpossible
from mailtumble.sender.transmission import TAG_ATTEMPT, TAG_MAIL
from schemas.errors import RetryableError
from schemas.values import ALWAYS
from tests.fakes.aliases import InMemoryAliases
from tests.fakes.provider import InMemoryProvider
from tests.simulation.notifications import feedback
from tests.simulation.plans import NEVER, feedback_kinds

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

    from mailtumble.ports.world import AliasEntry, OutgoingMail
    from schemas.values import Schedule
    from tests.fakes.clock import VirtualClock


class ChangingAliases(InMemoryAliases):
    """A repository that is out at times, and whose entries change.

    ``history``: for each alias since when it had which targets; none of them where it was absent.
    ``schedules``: when the mail of an alias may leave, where that is not always.
    """

    def __init__(self, clock: VirtualClock) -> None:
        """Start empty, and not out."""
        super().__init__()
        self._clock = clock
        self.out = False
        self.history: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
        self.schedules: dict[str, Schedule] = {}

    def find(self, names: Sequence[str]) -> Mapping[str, AliasEntry]:
        """Answer, or be unavailable."""
        if self.out:
            raise RetryableError("the repository is out")
        return super().find(names)

    def change(self, alias: str, targets: tuple[str, ...]) -> None:
        """From now on the alias has these targets; with none of them it is gone."""
        if targets:
            self.put(alias, targets, alias, schedule=self.schedules.get(alias, ALWAYS))
        else:
            self.remove(alias)
        self.history.setdefault(alias, []).append((self._clock.now(), targets))

    def answers_since(self, alias: str, since: int) -> set[frozenset[str]]:
        """All that a look-up at ``since`` or later may have found; the empty set: nothing."""
        story = [(0, ()), *self.history.get(alias, [])]
        ends = [at for at, _ in story[1:]]
        return {
            frozenset(targets)
            for (_, targets), end in zip(story, [*ends, None], strict=True)
            if end is None or end >= since
        }


class TellingProvider(InMemoryProvider):
    """Publishes SES's events for what it accepted, in any order, at any time, some of them twice.

    ``told``: the kinds of events by attempt; ``impossible``: the (mail, recipient) that it
    refused for good.
    """

    def __init__(
        self, clock: VirtualClock, draw: random.Random, queue_later: Callable[[str], None]
    ) -> None:
        """``queue_later`` puts a message onto the queue in its own time."""
        super().__init__(clock, max_send_rate=draw.choice((1.0, 2.0, 14.0)))
        self._draw = draw
        self._queue_later = queue_later
        self.told: dict[str, list[str]] = {}
        self.impossible: set[tuple[str, str]] = set()

    @property
    def paused(self) -> bool:
        """Whether the account's sending is stopped."""
        return not self.sending_enabled

    @paused.setter
    def paused(self, paused: bool) -> None:
        self.sending_enabled = not paused

    def send(self, mail: OutgoingMail) -> str:
        """Accept, and tell of it now or later; or refuse for good."""
        if NEVER in mail.recipient and self.sending_enabled:
            self.impossible.add((mail.tags[TAG_MAIL], mail.recipient))
            raise SendImpossible("MessageRejected", "Address is on the suppression list")
        message_id = super().send(mail)
        kinds = feedback_kinds(self._draw, mail.recipient)
        self.told[mail.tags[TAG_ATTEMPT]] = kinds
        for kind in kinds:
            self._queue_later(feedback(kind, mail, message_id, self._clock.now()))
        return message_id
