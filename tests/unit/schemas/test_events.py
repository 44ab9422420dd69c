"""The list of events: closed, frozen, told in the past, personal data marked."""

from __future__ import annotations

import dataclasses
import inspect
import re

import pytest

from schemas import events, values
from schemas.events import EVENT_TYPES, Event, Versions
from schemas.structure import personal_fields

PERSONAL = {
    "MailReceived": {"recipient", "envelope_sender", "subject_line"},
    "RouteResolved": {"alias"},
    "RouteNotFound": {"tried"},
    "SendScheduled": {"address"},
    "BounceReceived": {"diagnostic"},
    "DeliveryDelayed": {"diagnostic"},
    "RouteReopened": {"by"},
    "MailApproved": {"by"},
    "MailRejected": {"by"},
    "MailExpired": {"by"},
    "TargetReopened": {"by"},
    "SendTimeSet": {"by"},
    "AddressBounced": {"address", "diagnostic"},
    "AddressComplained": {"address"},
    "AddressDelivered": {"address"},
    "AddressSuppressed": {"address", "detail"},
    "AddressReleased": {"address", "detail"},
    "CommandGiven": {"by", "detail"},
    "CommandAnswered": {"answer"},
    "SendingPaused": {"by"},
    "SendingResumed": {"by"},
    "AliasChanged": {"alias", "targets", "by"},
    "AliasRemoved": {"alias", "by"},
}
"""What can be sealed under a key per mail; no other field of an event is personal."""

NO_TEXT_OF_THE_MAIL = re.compile(r"address|recipient$|sender$|subject|alias$|diagnostic|tried")


def test_personal_fields_are_these_and_no_others() -> None:
    """The whole list, so that a new field has to be thought about."""
    marked = {kind.__name__: personal_fields(kind) for kind in EVENT_TYPES}
    assert {name: fields for name, fields in marked.items() if fields} == PERSONAL
    assert personal_fields(values.Target) == {"address"}


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
def test_a_field_that_sounds_personal_is_marked_so(kind: type[Event]) -> None:
    """A new event with an address in it doesn't slip through."""
    names = {each.name for each in dataclasses.fields(kind)}
    assert {name for name in names if NO_TEXT_OF_THE_MAIL.search(name)} <= personal_fields(kind)


def test_every_event_class_of_the_module_is_in_the_union() -> None:
    """What is defined can be decoded, and stands in the docs' order once."""
    defined = [
        each
        for module in (events.mail, events.sending, events.feedback, events.operation)
        for _, each in inspect.getmembers(module, inspect.isclass)
        if each.__module__ == module.__name__ and dataclasses.is_dataclass(each)
    ]
    assert set(defined) == set(EVENT_TYPES)
    assert len(set(EVENT_TYPES)) == len(EVENT_TYPES)


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
def test_an_event_is_frozen_versioned_and_told(kind: type[Event]) -> None:
    """Each one is immutable, has a version, and a docstring of its own that says what happened."""
    assert kind.__dataclass_params__.frozen  # type: ignore[union-attr]
    assert Versions.current[kind] >= 1
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}(")


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
def test_times_are_whole_microseconds(kind: type[Event]) -> None:
    """Fields that end in ``_at`` or ``_before`` are integers: no time is cut or rounded."""
    hints = {each.name: each.type for each in dataclasses.fields(kind)}
    times = {name: hint for name, hint in hints.items() if name.endswith(("_at", "_before"))}
    assert set(times.values()) <= {"int"}


def test_the_ended_statuses_are_the_last_of_the_list() -> None:
    """A mail's status is that of its least finished target: the open ones come first."""
    order = list(values.Status)
    assert set(order[-len(values.ENDED) :]) == values.ENDED
