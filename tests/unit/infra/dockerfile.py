"""The Dockerfile, read as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Instruction:
    """One instruction, its continued lines joined."""

    name: str
    value: str


def stages() -> list[list[Instruction]]:
    """Every stage's instructions; each begins with its FROM."""
    file = BytesIO((ROOT / "Dockerfile").read_bytes())
    found: list[list[Instruction]] = []
    for each in DockerfileParser(fileobj=file).structure:
        if each["instruction"] == "COMMENT":
            continue
        if each["instruction"] == "FROM":
            found.append([])
        found[-1].append(Instruction(each["instruction"], each["value"]))
    return found


def values(stage: list[Instruction], name: str) -> list[str]:
    """What a stage's instructions of a name say."""
    return [each.value for each in stage if each.name == name]


def environment() -> dict[str, str]:
    """What the last stage sets; PATH stays as it is written."""
    pairs = [pair.split("=", 1) for text in values(stages()[-1], "ENV") for pair in text.split()]
    return dict(pairs)


def command_line(name: str) -> list[str]:
    """The last stage's ENTRYPOINT or CMD; it has to be in exec form."""
    (text,) = values(stages()[-1], name)
    words: list[str] = json.loads(text)
    return words
