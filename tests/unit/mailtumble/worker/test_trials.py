"""Trials: one at a time, with nobody at work, and nobody waits for ever."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from mailtumble.worker.trials import Trials


class Waited(Exception):  # noqa: N818 - what happened
    """It would have had to wait."""


def _wait(seconds: float) -> None:
    raise Waited(seconds)


def test_work_goes_on_side_by_side() -> None:
    """Nobody waits where nobody is on trial."""
    trials = Trials()
    with trials.beside(_wait), trials.beside(_wait):
        pass
    with trials.alone(_wait):
        pass


@pytest.mark.parametrize("busy", ["alone", "beside"])
def test_a_trial_waits_for_everybody(busy: str) -> None:
    """For work under way and for another trial."""
    trials = Trials()
    with ExitStack() as stack:
        stack.enter_context(getattr(trials, busy)(_wait))
        with pytest.raises(Waited):
            stack.enter_context(trials.alone(_wait))
    with trials.alone(_wait):
        pass


def test_work_waits_for_a_trial() -> None:
    """And for one that waits itself, which else would never begin."""
    trials = Trials()

    def while_waiting(seconds: float) -> None:
        with pytest.raises(Waited), trials.beside(_wait):
            pass
        raise Waited(seconds)

    with trials.alone(_wait), pytest.raises(Waited), trials.beside(_wait):
        pass
    with trials.beside(_wait), pytest.raises(Waited), trials.alone(while_waiting):
        pass
    with trials.beside(_wait):
        pass
