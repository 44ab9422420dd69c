"""A mail's history in plain sentences. Pure: records in, lines of text out."""

from __future__ import annotations

from typing import Final, assert_never

from mailtumble.history import History, Step
from mailtumble.story.sentences import sentence
from mailtumble.story.words import duration, instant, later, listed
from processors.kernel import Judgement
from schemas.envelope import EventEnvelope
from schemas.events import RouteResolved

INDENT: Final = "    "

__all__ = ["duration", "later", "listed", "sentence", "tell"]


def tell(history: History) -> list[str]:
    """One line an event: the first of each record with the time since the record before it."""
    addresses: list[str] = []
    lines: list[str] = []
    previous: int | None = None
    for step in history.steps:
        when = instant(step.at) if previous is None else later(step.at - previous)
        # Writers' clocks differ a little: the story does not go back for it.
        previous = step.at if previous is None else max(previous, step.at)
        first, *rest = _step(step, addresses)
        lines.append(f"{when}: {first}")
        lines.extend(INDENT + sentence for sentence in rest)
    return lines


def _step(step: Step, addresses: list[str]) -> list[str]:
    record = step.record
    if record is None:
        return [f"a record that can't be read was quarantined ({step.problem})"]
    kinds = listed([type(event).__name__ for event in record.events])
    match step.judgement:
        case None:
            return [f"{kinds} was quarantined ({step.problem})"]
        case Judgement.VOID:
            return [f"{record.decider} decided {kinds}; this came second, void"]
        case Judgement.REPEATED:
            return [f"{record.decider} told {kinds} once more; this came second, void"]
        case Judgement.ACCEPTED:
            return _accepted(record, addresses)
        case _:
            assert_never(step.judgement)


def _accepted(record: EventEnvelope, addresses: list[str]) -> list[str]:
    for event in record.events:
        if isinstance(event, RouteResolved):
            addresses[:] = [target.address for target in event.targets]
    told = [sentence(event, record.recorded_at, addresses) for event in record.events]
    return told or [f"{record.decider} recorded nothing"]
