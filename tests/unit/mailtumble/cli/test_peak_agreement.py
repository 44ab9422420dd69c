"""``queue peak`` and the local SES agree on the peak, within what is explained."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from mailtumble.cli import peak, state
from mailtumble.cli.queue import command
from mailtumble.cli.state import LocalState
from mailtumble.local.ses.limiters import PeakMeter
from schemas.ids import attempt_id, mail_id, mail_subject
from schemas.values import SECOND_US
from tests.samples import accepted

if TYPE_CHECKING:
    from tests.unit.mailtumble.cli.conftest import Run
    from tests.unit.mailtumble.cli.small_world import SmallWorld

CALLS = 120
RATE = 13.328


def second(at: int) -> int:
    """Return when the second of a moment begins."""
    return at - at % SECOND_US


@pytest.mark.parametrize("delay_ms", [0, 3, 40, 900])
def test_they_differ_only_by_calls_that_arrive_in_another_second(
    world: SmallWorld, run: Run, monkeypatch: pytest.MonkeyPatch, delay_ms: int
) -> None:
    """Calls are made at their slots; each arrives up to so much later. Without delay: the same."""
    draw = random.Random(delay_ms)  # noqa: S311 - to repeat
    begins = world.clock.now()
    made = [begins + round(number * SECOND_US / RATE) for number in range(CALLS)]
    arrived = [at + draw.randint(0, delay_ms * 1_000) for at in made]
    meter = PeakMeter()
    for at in sorted(arrived):
        meter.add(at, 1)
    for number, at in enumerate(made):
        mail = mail_id(f"ses-{number}", "info@house.example")
        attempt = attempt_id(mail_subject(mail), 0, 1)
        world.append(mail, accepted(attempt, called_at=at), cause=attempt)
    world.work()
    world.clock.advance(60)

    def answer(url: str, path: str) -> bytes:
        found = meter.since(int(path.partition("?since=")[2]))
        busiest = found.clock_second
        assert url
        assert busiest is not None
        plain = {"begins_us": busiest.begins_us, "recipients": busiest.recipients}
        return json.dumps({"clock_second": plain, "within_any": found.within_any}).encode()

    monkeypatch.setattr(state, "read_state", lambda _: LocalState(1, {}, "http://ses", 25, {}))
    monkeypatch.setattr(peak, "ask", answer)
    shown: Any = json.loads(run(command, "peak", "--json").stdout)
    local = shown["local_ses"]
    assert shown["peak"]["calls"] == local["made"]
    elsewhere = sum(
        second(call) != second(arrival) for call, arrival in zip(made, arrived, strict=True)
    )
    assert abs(local["accepted"] - local["made"]) <= elsewhere
    assert local["within_any_1000_ms"] >= local["accepted"]
    if not delay_ms:
        assert local["accepted"] == local["made"] == 14
