"""Given, when, then: specifications of the mail's decider that read as its documentation.

::

    Story().given(received()).when(resolved_by("bob@example.org")).then(...)

Every ``when`` folds the fact, then decides; what was decided is folded by the ``then`` that
expects it. The n-th decision has the id ``decision-n``, from which attempts get their ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors import mail
from schemas.ids import attempt_id
from schemas.values import UnknownPolicy
from tests.samples import RECEIVED_AT, received, resolved, scheduled

if TYPE_CHECKING:
    from processors.routing.decider import Answer
    from schemas.events import Event, SendScheduled
    from schemas.values import Status

FIRST = "attempt-1"
"""The attempt of a story that begins with :func:`sending`."""


class Story:
    """What happens to one mail, told step by step."""

    def __init__(self, rules: mail.Rules | None = None) -> None:
        """Begin with a mail of which nothing is known yet."""
        self._rules = rules or mail.Rules()
        self._decisions = 0
        self.mail = mail.INITIAL
        self.decided: tuple[Event, ...] = ()

    def given(self, *events: Event) -> Story:
        """Let all this have happened."""
        self.mail = mail.fold(self.mail, events)
        return self

    def when(self, fact: Event, *, answer: Answer | None = None, at: int = RECEIVED_AT) -> Story:
        """Learn of a fact at a time (microseconds UTC), the repository having given an answer."""
        self._decisions += 1
        self.mail = mail.evolve(self.mail, fact)
        self.decided = mail.decide(
            self.mail,
            fact,
            answer,
            decision_id=f"decision-{self._decisions}",
            now=at,
            rules=self._rules,
        )
        return self

    def then(self, *expected: Event) -> Story:
        """Expect these very events to be decided, and let them have happened."""
        assert self.decided == expected
        return self.given(*self.decided)

    def then_kinds(self, *expected: type[Event]) -> Story:
        """Expect events of these kinds, whatever they say besides."""
        assert tuple(map(type, self.decided)) == expected
        return self.given(*self.decided)

    def then_nothing(self) -> Story:
        """Expect the decider to leave it at that."""
        return self.then()

    def now(self, *statuses: Status) -> Story:
        """Expect the targets to stand so, in their order."""
        assert tuple(target.status for target in self.mail.sending.targets) == statuses
        return self

    def now_mail(self, status: Status) -> Story:
        """Expect the mail as a whole to stand so."""
        assert self.mail.status is status
        return self


def attempt(decision: int, number: int = 1, target: int = 0) -> str:
    """The id of the attempt that the n-th decision of a story has scheduled."""
    return attempt_id(f"decision-{decision}", target, number)


def sending(*addresses: str, on_unknown: UnknownPolicy = UnknownPolicy.RESEND) -> Story:
    """A mail whose first attempts (attempt-1, attempt-2, ...) are in the queue."""
    route = resolved(*addresses, on_unknown=on_unknown)
    attempts = [
        scheduled(f"attempt-{index + 1}", target=index, address=target.address)
        for index, target in enumerate(route.targets)
    ]
    return Story().given(received(), route, *attempts)


def again(decision: int, due_at: int, number: int = 2, *, duplicate: bool = False) -> SendScheduled:
    """The next attempt at the first target, as the n-th decision schedules it."""
    return scheduled(
        attempt(decision, number), number=number, due_at=due_at, possible_duplicate=duplicate
    )
