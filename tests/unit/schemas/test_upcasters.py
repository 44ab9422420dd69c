"""Old payloads become new ones step by step, before they are typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgpack
import pytest

from schemas.codec import decode, encode
from schemas.errors import UndecodableRecord, UnknownEventVersion
from schemas.events import SendParked, Versions
from schemas.upcasters import UPCASTERS, upcast
from tests import golden

if TYPE_CHECKING:
    from schemas.upcasters import Payload


def _named(payload: Payload) -> Payload:
    """Version 1 called the reason ``why``."""
    return {"target": payload["target"], "reason": payload["why"]}


def _counted_from_zero(payload: Payload) -> Payload:
    """Version 2 counted targets from 1."""
    return {**payload, "target": payload["target"] - 1}


REGISTRY = {("SendParked", 1): _named, ("SendParked", 2): _counted_from_zero}
WANTED = {"target": 0, "reason": "lost"}


@pytest.mark.parametrize(
    ("version", "payload"),
    [
        (1, {"target": 1, "why": "lost"}),
        (2, {"target": 1, "reason": "lost"}),
        (3, {"target": 0, "reason": "lost"}),
    ],
)
def test_every_old_version_becomes_the_current_one(version: int, payload: dict[str, Any]) -> None:
    """From version 1 both steps are taken, from 2 the last one, from 3 none."""
    assert upcast("SendParked", version, 3, payload, REGISTRY) == WANTED


def test_the_old_payload_is_left_as_it_is() -> None:
    """An upcaster makes a new payload, for the old bytes are hashed elsewhere."""
    payload = {"target": 1, "why": "lost"}
    upcast("SendParked", 1, 3, payload, REGISTRY)
    assert payload == {"target": 1, "why": "lost"}


def test_a_newer_version_is_refused() -> None:
    """A newer worker can read it."""
    with pytest.raises(UnknownEventVersion, match="version 4: this worker knows 3"):
        upcast("SendParked", 4, 3, {}, REGISTRY)


@pytest.mark.parametrize("version", [0, -1])
def test_what_is_no_version_is_refused(version: int) -> None:
    """No worker can read it."""
    with pytest.raises(UndecodableRecord, match=f"version {version}: versions begin with 1"):
        upcast("SendParked", version, 3, {}, REGISTRY)


def test_a_missing_step_is_named() -> None:
    """A gap in the registry is found with the first record that needs it."""
    registry = {("SendParked", 2): _counted_from_zero}
    with pytest.raises(UnknownEventVersion, match="no upcaster from version 1"):
        upcast("SendParked", 1, 3, {}, registry)


def test_a_payload_that_an_upcaster_cannot_take_is_undecodable() -> None:
    """Garbage in an old version is quarantined like garbage in today's; it ends no worker."""
    with pytest.raises(UndecodableRecord, match=r"SendParked version 1: .*why"):
        upcast("SendParked", 1, 3, {"target": 1}, REGISTRY)


def test_a_record_of_an_old_version_is_read_and_written_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Decoding goes through the upcasters, and what is encoded then has today's version."""
    for key, step in REGISTRY.items():
        monkeypatch.setitem(UPCASTERS, key, step)  # type: ignore[arg-type]
    monkeypatch.setitem(Versions.current, SendParked, 3)  # type: ignore[arg-type]
    new = golden.sample(SendParked(target=0, reason="lost"))
    plain = msgpack.unpackb(encode(new))
    assert plain["events"] == [["SendParked", 3, WANTED]]
    plain["events"] = [["SendParked", 1, {"target": 1, "why": "lost"}]]
    assert decode(msgpack.packb(plain)) == new


def test_every_step_up_to_todays_versions_is_there() -> None:
    """Whoever raises a version adds the upcaster from the one before."""
    wanted = {
        (kind.__name__, step)
        for kind, version in Versions.current.items()
        for step in range(1, version)
    }
    assert set(UPCASTERS) == wanted
