"""What a check is given, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from mailtumble.definition import Definition, physical_name
from mailtumble.ports.store import ItemStore
from mailtumble.ports.survey import Survey
from mailtumble.ports.world import AliasRepository, Clock
from mailtumble.settings import Settings

APPLY = "create it: terraform apply in infra/terraform/envs/prod (locally: start mailtumble local)"


class Mark(StrEnum):
    """How a part fares."""

    OK = "ok"
    WARN = "warn"
    """It works, and may not for long, or not as it should."""
    FAIL = "fail"
    """Mail does not come in, or does not go out."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of a part; ``todo`` is the one next step, "" where nothing is to be done."""

    part: str
    mark: Mark
    told: str
    todo: str = ""


def ok(part: str, told: str) -> Finding:
    """It is as it should be."""
    return Finding(part, Mark.OK, told)


def warn(part: str, told: str, todo: str) -> Finding:
    """It should be otherwise."""
    return Finding(part, Mark.WARN, told, todo)


def fail(part: str, told: str, todo: str) -> Finding:
    """It has to be otherwise."""
    return Finding(part, Mark.FAIL, told, todo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What checks look at. ``host`` is what the workers are hosted by: embedded or kcl.

    ``aliases`` opens the repository, ``read_rules`` reads the files that the settings name; both
    raise MailtumbleError.
    """

    settings: Settings
    definition: Definition
    survey: Survey
    store: ItemStore
    clock: Clock
    aliases: Callable[[], AliasRepository]
    read_rules: Callable[[], object]
    host: str = "embedded"

    def named(self, name: str) -> str:
        """A resource's physical name."""
        return physical_name(self.settings.prefix, name)


@dataclass(frozen=True, slots=True)
class Check:
    """A check of one part. ``needs``: the IAM actions that it takes."""

    part: str
    run: Callable[[Setup], Iterator[Finding]]
    needs: str = ""
