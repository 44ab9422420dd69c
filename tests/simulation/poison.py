"""Records at which one application dies, whatever it does, until somebody corrects the cause."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mailtumble.worker.application import Accepted, Application, Reaction
    from schemas.events import Event


class Poisoned(Exception):  # noqa: N818 - what befell the worker
    """A record at which a worker dies, whatever it does."""


@dataclass
class Poison:
    """Which records are fatal to which application.

    Attributes:
        planned: per subject, the application that dies and the type of the event it dies at: at
            the first record with such an event, and at every copy of that record.
        fatal: the (application, sequence number) at which a worker has died of poison.
        corrected: whether the cause is gone. A record that was fatal once stays so for a later
            reader; its redriven copy, which has another sequence number, is read.
    """

    planned: dict[str, tuple[str, type[Event]]] = field(default_factory=dict)
    fatal: set[tuple[str, str]] = field(default_factory=set)
    corrected: bool = False
    _first: dict[str, bytes] = field(default_factory=dict)

    def put_into(self, application: Application) -> None:
        """Let an application die where that is planned, at records it accepts."""
        react, name = application.react, application.name

        def poisoned(accepted: Accepted[Any]) -> Reaction:
            place = (name, accepted.stored.sequence_number)
            if place in self.fatal or (not self.corrected and self._is_planned(name, accepted)):
                self.fatal.add(place)
                raise Poisoned
            return react(accepted)

        application.react = poisoned  # type: ignore[method-assign]

    def _is_planned(self, application: str, accepted: Accepted[Any]) -> bool:
        record, data = accepted.record, accepted.stored.data
        planned = self.planned.get(record.subject)
        if planned is None or planned[0] != application:
            return False
        if not any(isinstance(event, planned[1]) for event in record.events):
            return False
        return self._first.setdefault(record.subject, data) == data
