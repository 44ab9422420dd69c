"""What the demo says of itself: the sum is counted against what was handed in."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailtumble.demo.performance import Part, raw_mail
from mailtumble.demo.scenes import ALIASES, SCENES, Scene
from mailtumble.demo.summary import late, sum_of
from mailtumble.ports.store import Item
from processors.routing.names import names_to_try
from schemas.values import Status

ONE = Scene("One", "rfc2822/example01.eml", {"a@house.example": Status.COMPLETED}, targets=2)
LOST = Scene("Lost", "rfc2822/example01.eml", {"b@house.example": Status.UNROUTABLE})
PARTS = [Part(ONE, "a@house.example", "m1"), Part(LOST, "b@house.example", "m2")]


def _item(status: str, *targets: str) -> Item:
    return {"status": status, "targets": [{"status": each, "attempts": 1} for each in targets]}


def test_the_sum_counts_targets_and_mails_without_any() -> None:
    """A mail that nobody knows the alias of ends itself."""
    items = {"m1": _item("completed", "completed", "bounced"), "m2": _item("unroutable")}
    total = sum_of(PARTS, items)
    assert total.is_right
    assert total.ended == {"completed": 1, "bounced": 1, "unroutable": 1}
    kinds = "1 bounced, 1 completed and 1 unroutable"
    assert total.told() == f"received 3 (2 mails, counted by target) = ended 3: {kinds}; open 0"


@pytest.mark.parametrize(
    "items",
    [
        {"m1": _item("completed", "completed", "completed")},
        {"m1": _item("sending", "completed", "sending"), "m2": _item("unroutable")},
        {"m1": _item("completed", "completed"), "m2": _item("unroutable")},
    ],
    ids=["a mail is missing", "a target is open", "a target is missing"],
)
def test_a_sum_with_something_missing_is_not_right(items: dict[str, Item]) -> None:
    """What was handed in is counted before the system saw it."""
    total = sum_of(PARTS, items)
    assert not total.is_right
    assert " is not ended " in total.told()


def test_a_mail_that_ends_otherwise_is_named() -> None:
    """With what it was to be."""
    items = {"m1": _item("bounced", "bounced", "bounced")}
    assert late(PARTS, items) == [
        "One (a@house.example): bounced, not completed",
        "Lost (b@house.example): not there, not unroutable",
    ]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.title)
def test_a_scene_is_true(scene: Scene) -> None:
    """Its file is there, and the aliases have as many targets as it says."""
    known = {alias.alias: alias.targets for alias in ALIASES}
    assert raw_mail(scene.file) == Path("tests/fixtures/mail", scene.file).read_bytes()
    for recipient, status in scene.recipients.items():
        names = [name for name in names_to_try(recipient) if name in known]
        assert bool(names) == (status is not Status.UNROUTABLE)
        assert scene.targets == (len(known[names[0]]) if names else 1)
