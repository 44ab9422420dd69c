"""Checks are on their own: one that breaks or hangs ends no other, and says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from mailtumble.doctor.checkup import checks, examine
from mailtumble.doctor.findings import Check, Finding, Mark, Setup, ok
from mailtumble.ports.survey import NotOffered
from schemas.errors import PermanentError, RetryableError
from tests.unit.mailtumble.doctor.conftest import Clinic


def _good(setup: Setup) -> Iterator[Finding]:
    yield ok("good", setup.settings.prefix)


def _raising(error: Exception) -> Check:
    def run(setup: Setup) -> Iterator[Finding]:
        yield ok("begun", setup.settings.prefix)
        raise error

    return Check("bad", run, "some:Action")


def test_a_check_that_breaks_ends_no_other(clinic: Clinic) -> None:
    """What is refused, out, absent or a fault of ours is told as such, with a next step."""
    errors = {
        PermanentError("AccessDenied"): (Mark.FAIL, "some:Action"),
        RetryableError("no answer"): (Mark.FAIL, "reaches AWS"),
        NotOffered("InvalidAction"): (Mark.WARN, "an emulator lacks it"),
        ZeroDivisionError("oops"): (Mark.FAIL, "report it"),
    }
    for error, (mark, todo) in errors.items():
        before, broken, after = examine(
            clinic.setup, [Check("good", _good), _raising(error), Check("good", _good)]
        )
        assert (before.mark, after.mark) == (Mark.OK, Mark.OK)
        assert (broken.part, broken.mark) == ("bad", mark)
        assert todo in broken.todo
        assert str(error) in broken.told


def test_a_check_that_hangs_is_not_waited_for(clinic: Clinic) -> None:
    """The others' findings are there, in their order."""
    over = threading.Event()

    def hang(setup: Setup) -> Iterator[Finding]:
        over.wait(120)
        yield ok("late", setup.settings.prefix)

    began = time.monotonic()
    found = examine(clinic.setup, [Check("late", hang), Check("good", _good)], timeout_s=0.3)
    took_s = time.monotonic() - began
    over.set()
    assert [(each.part, each.mark) for each in found] == [("late", Mark.FAIL), ("good", Mark.OK)]
    assert took_s < 60


def test_checks_run_side_by_side(clinic: Clinic) -> None:
    """Each waits for all others to have begun."""
    barrier = threading.Barrier(8)

    def meet(setup: Setup) -> Iterator[Finding]:
        barrier.wait(10)
        yield ok("met", setup.settings.prefix)

    found = examine(clinic.setup, [Check("met", meet)] * 8)
    assert {each.mark for each in found} == {Mark.OK}


def test_parts_are_told_apart(clinic: Clinic) -> None:
    """Each check has a name of its own."""
    parts = [each.part for each in checks(clinic.setup.definition)]
    assert len(parts) == len(set(parts)) > 20
