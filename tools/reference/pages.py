"""Which pages there are, which of them are stale, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tools.reference import commands, events, metrics, moderation_rules, settings, statuses

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference"

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "commands.md": commands.page,
    "events.md": events.page,
    "metrics.md": metrics.page,
    "moderation-rules.md": moderation_rules.page,
    "settings.md": settings.page,
    "statuses.md": statuses.page,
}
"""File name -> what gives the text that has to stand in it."""


def stale(folder: Path = FOLDER) -> dict[str, str]:
    """The files that don't say what the code does, each with the text that would."""
    texts = {name: page() for name, page in PAGES.items()}
    return {name: text for name, text in texts.items() if _written(folder / name) != text}


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    """Write the stale files, or with ``--check`` name them and fail."""
    found = stale(folder)
    if "--check" in arguments:
        for name in found:
            print(f"docs/reference/{name} is stale: run python -m tools.reference")
        return 1 if found else 0
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in found.items():
        (folder / name).write_text(text, encoding="utf-8")
        print(f"wrote docs/reference/{name}")
    return 0


def _written(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
