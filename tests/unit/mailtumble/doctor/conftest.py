"""A set-up in order, and what the doctor says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mailtumble.definition import load_definition
from mailtumble.doctor.checkup import checks
from mailtumble.doctor.findings import Finding, Setup
from mailtumble.settings import Settings
from mailtumble.worker.lease import HostLease
from tests.fakes import InMemoryAliases, InMemoryItems, VirtualClock
from tests.fakes.survey import InMemorySurvey

PREFIX = "acme"


class Clinic:
    """A set-up whose parts a test breaks, and the findings about one of its parts."""

    def __init__(self) -> None:
        """All is well: workers beat, SES answers, an alias is there."""
        definition = load_definition()
        self.clock = VirtualClock(wait=self._wait)
        self.survey = InMemorySurvey(definition, PREFIX)
        self.store = InMemoryItems()
        self.repository = InMemoryAliases()
        self.repository.put("info@house.example", ("ann@far.example",), "house")
        self.beating = ["core", "sender", "archive"]
        self._hearts = {name: HostLease(self.store, name, "host-1") for name in self.beating}
        for heart in self._hearts.values():
            heart.acquire(self.clock)
        self.setup = Setup(
            settings=Settings(prefix=PREFIX, region="eu-west-1", address_key="secret"),
            definition=definition,
            survey=self.survey,
            store=self.store,
            clock=self.clock,
            aliases=lambda: self.repository,
            read_rules=lambda: None,
        )

    def change(self, **fields: Any) -> None:  # noqa: ANN401 - any of its settings
        """Set settings otherwise."""
        self.setup = replace(self.setup, settings=replace(self.setup.settings, **fields))

    def findings(self, part: str) -> list[Finding]:
        """What the check of this part says, run by itself."""
        (check,) = [each for each in checks(self.setup.definition) if each.part == part]
        return list(check.run(self.setup))

    def _wait(self, until: int) -> None:
        self.clock.move_to(until)
        for name in self.beating:
            self._hearts[name].beat()


Look = Callable[[str], list[Finding]]


@pytest.fixture
def clinic() -> Clinic:
    """One in order."""
    return Clinic()
