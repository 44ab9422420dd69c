"""What a string that reaches AWS may look like: a rule per kind of string, with its source."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

DOCS: Final = "https://docs.aws.amazon.com/"


class Rule(Protocol):
    """The documented constraint of one kind of string."""

    @property
    def source(self) -> str:
        """The page of AWS's documentation that states the constraint."""
        ...

    def fault(self, value: str) -> str | None:
        """Return what AWS would refuse about a value, or None."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A string of certain characters and lengths.

    ``characters`` is a regular expression that the whole value matches. Lengths count characters;
    ``longest`` is None where AWS documents no limit. ``blank``: the provider does not send an empty
    string, so one is never a fault.
    """

    source: str
    characters: str
    longest: int | None
    shortest: int = 1
    blank: bool = False

    def fault(self, value: str) -> str | None:
        """Return what AWS would refuse about a value, or None."""
        if self.blank and not value:
            return None
        if len(value) < self.shortest:
            return f"has {len(value)} characters, and AWS wants at least {self.shortest}"
        if self.longest is not None and len(value) > self.longest:
            return f"has {len(value)} characters, and AWS takes at most {self.longest}"
        if re.fullmatch(self.characters, value, re.DOTALL) is None:
            return f"does not match {self.characters}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a few words that the API defines."""

    source: str
    words: frozenset[str]

    def fault(self, value: str) -> str | None:
        """Return what AWS would refuse about a value, or None."""
        return None if value in self.words else f"is none of {', '.join(sorted(self.words))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Json:
    """A JSON document, measured without insignificant whitespace, as IAM measures policies.

    ``longest`` is None where AWS documents no limit.
    """

    source: str
    longest: int | None = None
    characters: str = r"[\s\S]+"

    def fault(self, value: str) -> str | None:
        """Return what AWS would refuse about a value, or None."""
        try:
            dense = json.dumps(json.loads(value), separators=(",", ":"), ensure_ascii=False)
        except ValueError as error:
            return f"is not JSON: {error}"
        if self.longest is not None and len(dense) > self.longest:
            return f"has {len(dense)} characters, and AWS takes at most {self.longest}"
        if re.fullmatch(self.characters, value) is None:
            return f"does not match {self.characters}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """A map whose keys are strings that reach AWS too, such as tags."""

    key: Rule
    value: Rule


Attributes = dict[str, Rule | Map]
"""The rules of one resource type by attribute path; ``[]`` stands for any index of a list."""


def choice(source: str, *words: str) -> Choice:
    """Return the rule for one of a few words."""
    return Choice(source=source, words=frozenset(words))


def rules_of(attributes: Attributes) -> Iterator[Rule]:
    """Yield every rule of a resource type."""
    for rule in attributes.values():
        if isinstance(rule, Map):
            yield from (rule.key, rule.value)
        else:
            yield rule
