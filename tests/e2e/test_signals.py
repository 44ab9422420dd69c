"""The local stack ends when it is asked to."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.e2e.conftest import STOPS_WITHIN_S, Stack
from tests.e2e.mails import add_aliases, mail

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_in_order(
    start_stack: Callable[..., Stack], number: signal.Signals
) -> None:
    """With messages on their way: exit code 0, no process left, and none had to be killed."""
    stack = start_stack("--rate", "2")
    add_aliases(stack)
    stack.deliver([mail(each) for each in range(60)])
    pids = stack.pids()
    assert set(pids) == {"aws", "ses", "core", "sender", "intake"}
    assert stack.stats()["accepted"] < 60
    # As a terminal does it: to the whole group.
    os.killpg(stack.process.pid, number)
    assert stack.process.wait(STOPS_WITHIN_S) == 0
    for pid in pids.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    state = stack.folder / ".mailtumble"
    assert not (state / "local.json").exists()
    logs = {path.stem: path.read_text(encoding="utf-8") for path in state.glob("logs/*.log")}
    assert [name for name, log in logs.items() if "did not end in order" in log] == []
