"""mailtumble doctor: a table for people, JSON for machines, an exit code for scripts."""

from __future__ import annotations

import json

import pytest

from mailtumble.cli import doctor
from mailtumble.doctor.findings import Finding, Mark, Setup
from schemas.errors import BadInput
from tests.unit.mailtumble.cli.conftest import Call

FINE = Finding("stream", Mark.OK, "events: ACTIVE")
WARNING = Finding("clock", Mark.WARN, "2.0 s behind", "let it be set by NTP")
FAILURE = Finding("table mails", Mark.FAIL, "there is no table\x1b[31m", "terraform apply")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """What the checks are to find."""
    findings: list[Finding] = []

    def examine(setup: Setup) -> list[Finding]:
        assert setup.host == "embedded"
        return findings

    monkeypatch.setattr(doctor, "_setup", lambda wired, host: _of(host))  # noqa: ARG005
    monkeypatch.setattr(doctor, "examine", examine)
    return findings


def _of(host: str) -> Setup:
    made: Setup = object.__new__(Setup)
    object.__setattr__(made, "host", host)
    return made


def test_a_failure_is_an_exit_code_of_one(found: list[Finding], call: Call) -> None:
    """Each part with its mark, and below it the next step; the sum at the end."""
    found += [FINE, WARNING, FAILURE]
    code, out, _ = call("doctor")
    lines = out.splitlines()
    assert code == 1
    assert lines[0] == "ok    stream       events: ACTIVE"
    assert lines[1] == "warn  clock        2.0 s behind"
    assert lines[2].strip() == "-> let it be set by NTP"
    assert lines[3] == r"fail  table mails  there is no table\x1b[31m"
    assert lines[5] == "1 ok, 1 warn, 1 fail"


def test_a_warning_is_no_failure(found: list[Finding], call: Call) -> None:
    """The exit code is 0."""
    found += [FINE, WARNING]
    assert call("doctor").code == 0


def test_json_has_all_of_it(found: list[Finding], call: Call) -> None:
    """As objects."""
    found += [WARNING]
    code, out, _ = call("doctor", "--json")
    assert code == 0
    assert json.loads(out) == [
        {"part": "clock", "mark": "warn", "told": "2.0 s behind", "todo": "let it be set by NTP"}
    ]


def test_settings_that_can_t_be_read_are_a_finding(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else can be looked at then."""

    def wiring(_: object) -> None:
        raise BadInput("MAILTUMBLE_WEB_PORT is 'many': give a whole number")

    monkeypatch.setattr("mailtumble.cli.state.wiring", wiring)
    code, out, _ = call("doctor", "--json")
    (finding,) = json.loads(out)
    assert (code, finding["part"], finding["mark"]) == (1, "settings", "fail")
    assert "MAILTUMBLE_WEB_PORT" in finding["told"]
