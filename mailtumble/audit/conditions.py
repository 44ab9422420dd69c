"""Compare core's own reading of suppressed addresses and pauses with that of the independent model.

The sender does not send what these views hold back. A fault in the fold that makes them would show
in the tables and in the replay alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mailtumble.audit.comparison import Difference, Kind
from mailtumble.audit.replay import CoreReplay
from mailtumble.ports.store import Value
from mailtumble.worker.views import pauses_key
from mailtumble.worker.writes import Address

ADDRESSES: Final = "addresses"
FLEET: Final = "fleet"
EVER: Final = 2**63
"""Later than any record."""


def disputed_conditions(replay: CoreReplay, generation: str) -> Iterator[Difference]:
    """Yield each suppression and pause on which core's fold and the model disagree.

    Args:
        replay: core's, with the model at the same position.
        generation: of the projections.
    """
    by_model = replay.model.conditions(EVER)
    yield from _disputes(
        ADDRESSES, "suppressed until", _suppressed(replay.items), by_model.suppressed
    )
    paused = _paused(replay.items, pauses_key(generation)["name"])
    yield from _disputes(FLEET, "paused since", paused, by_model.paused)


def _disputes(
    table: str, attribute: str, by_fold: Mapping[str, Value], by_model: Mapping[str, int]
) -> Iterator[Difference]:
    for key in sorted({*by_fold, *by_model}):
        if by_fold.get(key) != by_model.get(key):
            yield Difference(
                kind=Kind.DISPUTED,
                table=table,
                key=key or "everybody",
                attribute=attribute,
                stored=by_fold.get(key),
                expected=by_model.get(key),
            )


def _suppressed(items: Mapping[Address, Mapping[str, Value]]) -> dict[str, Value]:
    """Return until when each address is suppressed, by its view; others are only watched."""
    return {
        str(item["address"]).lower(): item["until"]
        for (table, _), item in items.items()
        if table == ADDRESSES and item["reason"] is not None
    }


def _paused(items: Mapping[Address, Mapping[str, Value]], name: str) -> dict[str, Value]:
    """Return since when each scope is paused, by the view of pauses."""
    found: Any = next((each["paused"] for each in items.values() if each.get("name") == name), ())
    return {str(each["scope"]): each["since"] for each in found}
