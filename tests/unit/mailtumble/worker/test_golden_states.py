"""A state that was stored once is read for ever, and today's code stores what it stored before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgpack
import pytest

from mailtumble.worker.memory import packed
from processors.states import UPCASTERS, VERSIONS, read_state
from schemas.errors import UndecodableRecord, UnknownStateVersion
from tests import golden, golden_states
from tests.golden_states import AGGREGATES, FOLDER, LEDGER, PENDING, SPANS

ITEMS = sorted(FOLDER.glob("*.msgpack"))
SEALED_LINES = 14
SEAL = "e5818434c0da9f7e5638e7d1cb91b042e70de72229c628fe8deabfecef740ded"
"""Of the first lines of the manifest, as they were released: raise both with the next release."""


@pytest.mark.parametrize("path", ITEMS, ids=lambda path: path.stem)
def test_a_stored_state_of_every_version_is_read_as_it_was_meant(path: Path) -> None:
    """The state is what the JSON file says, brought to today; the rest of the item is unchanged."""
    shown = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    name, version = shown["aggregate"], shown["version"]
    assert path.stem == f"{name}-v{version}"
    subject = golden_states.read(name, path.read_bytes())
    kind = AGGREGATES[name].state_type
    assert subject.state == read_state(name, kind, version, shown["state"])
    assert (subject.ledger, subject.spans) == (LEDGER, SPANS)
    # Their bytes are of the version that was written then.
    said = [(each.fact, each.events) for each in subject.pending]
    assert said == [(each.fact, each.events) for each in PENDING]


@pytest.mark.parametrize("name", sorted(VERSIONS))
def test_a_state_from_before_there_were_versions_is_read_as_the_first(name: str) -> None:
    """Its item ends with the spans; a worker that can't read it would end at every record."""
    data = (FOLDER / f"{name}-v1.msgpack").read_bytes()
    *unversioned, version = msgpack.unpackb(data)
    assert version == 1
    assert golden_states.read(name, msgpack.packb(unversioned)) == golden_states.read(name, data)


@pytest.mark.parametrize("name", sorted(VERSIONS))
def test_todays_state_is_stored_with_the_same_bytes(name: str) -> None:
    """And the state that today's code folds is the one that is kept, for every aggregate."""
    data = (FOLDER / golden_states.file_name(name)).read_bytes()
    assert packed(golden_states.read(name, data)) == data
    assert golden_states.read(name, data).state == golden_states.sample(name).state


def test_every_version_up_to_todays_has_a_golden_state() -> None:
    """Raising a version leaves the files of the old ones in place."""
    wanted = {
        f"{name}-v{version}" for name, today in VERSIONS.items() for version in range(1, today + 1)
    }
    assert {path.stem for path in ITEMS} == wanted


def test_every_aggregate_has_a_version_and_every_version_its_steps() -> None:
    """Whoever raises a version adds the upcaster from the one before."""
    assert AGGREGATES.keys() == VERSIONS.keys()
    steps = {(name, step) for name, today in VERSIONS.items() for step in range(1, today)}
    assert UPCASTERS.keys() == steps


def test_golden_states_are_only_appended_to() -> None:
    """No file was changed, removed or slipped in, and the first lines are those of the release."""
    assert list(golden.complaints(FOLDER)) == []
    assert golden.manifest(FOLDER)[SEALED_LINES - 1].seal == SEAL


def test_a_changed_golden_state_is_noticed(tmp_path: Path) -> None:
    """Also where the manifest was written anew to go with it."""
    copy = Path(shutil.copytree(FOLDER, tmp_path / "golden"))
    path = copy / "mail-v1.msgpack"
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    assert [each.partition(" was ")[0] for each in golden.complaints(copy)] == [path.name]
    files = {line.name: (copy / line.name).read_bytes() for line in golden.manifest(copy)}
    (copy / golden.MANIFEST).unlink()
    golden.append(copy, files)
    assert list(golden.complaints(copy)) == []
    assert golden.manifest(copy)[SEALED_LINES - 1].seal != SEAL


@pytest.mark.parametrize("name", sorted(VERSIONS))
def test_an_unknown_field_of_a_stored_state_is_ignored(name: str) -> None:
    """At every depth, in the ledger and the spans, and behind the item's last part too."""
    data = (FOLDER / golden_states.file_name(name)).read_bytes()
    plain = msgpack.unpackb(data)
    grown = [_grown(part) if place != 3 else part for place, part in enumerate(plain)]
    subject = golden_states.read(name, msgpack.packb([*grown, {"part": "of tomorrow"}]))
    assert subject == golden_states.read(name, data)


def _grown(plain: object) -> object:
    """Plain values with another field in every structure; maps of values are left alone."""
    match plain:
        case list():
            return [_grown(each) for each in plain]
        case dict() if not plain.keys() & {"mail", "fact-1", "shop"}:
            return {**{key: _grown(each) for key, each in plain.items()}, "of_tomorrow": [1]}
        case _:
            return plain


def test_old_states_take_every_step_and_newer_ones_are_refused() -> None:
    """As events do."""
    kind = AGGREGATES["address"].state_type
    steps = {
        ("address", 1): lambda plain: {**plain, "detail": plain["why"]},
        ("address", 2): lambda plain: {**plain, "since": plain["since"] * 2},
    }
    state = read_state("address", kind, 1, {"why": "x", "since": 2}, current=3, upcasters=steps)
    assert (state.detail, state.since) == ("x", 4)
    with pytest.raises(UnknownStateVersion, match="version 4, and this worker knows 3 at most"):
        read_state("address", kind, 4, {}, current=3, upcasters=steps)
    with pytest.raises(UnknownStateVersion, match="state of address: no upcaster from version 1"):
        read_state("address", kind, 1, {}, current=3, upcasters={})
    with pytest.raises(UndecodableRecord, match="state of address version 1: KeyError 'why'"):
        read_state("address", kind, 1, {}, current=3, upcasters=steps)
