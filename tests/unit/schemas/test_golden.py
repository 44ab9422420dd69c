"""What was written once is read for ever, and today's code writes what it wrote yesterday."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from schemas.codec import decode, encode
from schemas.events import EVENT_TYPES, Event, Versions
from tests import golden

RECORDS = sorted(golden.FOLDER.glob("*.msgpack"))
SEALED_LINES = 134
SEAL = "822bd3291e6b1dbeb98ccbe203d8fae03b252c3b0dacc95046acf62c2f528004"
"""Of the first lines of the manifest, as they were released: raise both with the next release."""
CURRENT = [golden.FOLDER / golden.file_name(kind) for kind in EVENT_TYPES]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the golden files that a test may spoil."""
    return Path(shutil.copytree(golden.FOLDER, tmp_path / "golden"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_old_bytes_decode_to_the_same_record(path: Path) -> None:
    """A record from the past says today what it said then."""
    expected = golden.of_json(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert decode(path.read_bytes()) == expected


@pytest.mark.parametrize("path", CURRENT, ids=lambda path: path.stem)
def test_the_same_record_is_written_with_the_same_bytes(path: Path) -> None:
    """The writing of today's versions has not changed by a byte: hashes still agree."""
    data = path.read_bytes()
    assert encode(decode(data)) == data


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
def test_every_event_has_a_golden_file_in_its_current_version(kind: type[Event]) -> None:
    """No event is written whose bytes nobody keeps; python -m tests.golden writes a missing one."""
    name = golden.file_name(kind)
    assert (golden.FOLDER / name).exists(), f"run python -m tests.golden: no {name}"
    record = decode((golden.FOLDER / name).read_bytes())
    assert [type(event) for event in record.events] == [kind]


def test_every_version_up_to_todays_has_a_golden_file() -> None:
    """Raising a version leaves the files of the old ones in place."""
    names = {path.stem for path in RECORDS}
    wanted = {
        f"{kind.__name__}-v{version}"
        for kind in EVENT_TYPES
        for version in range(1, Versions.current[kind] + 1)
    }
    assert names == wanted


def test_no_golden_file_was_changed_removed_or_slipped_in() -> None:
    """The manifest's digests and seals agree with the folder."""
    assert list(golden.complaints()) == []


def test_the_golden_files_of_the_last_release_are_still_the_same() -> None:
    """Not even files and manifest that were written anew together go unnoticed."""
    assert golden.manifest()[SEALED_LINES - 1].seal == SEAL


def test_a_changed_file_is_noticed(copy: Path) -> None:
    """One other byte in a golden file is a complaint that names it."""
    path = copy / "SendAccepted-v1.msgpack"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    assert [each.partition(" was ")[0] for each in golden.complaints(copy)] == [path.name]


def test_a_removed_file_is_noticed(copy: Path) -> None:
    """Old records outlive the code that wrote them: their golden files may not go."""
    (copy / "SendParked-v1.json").unlink()
    assert ["SendParked-v1.json was removed" in each for each in golden.complaints(copy)] == [True]


def test_a_file_that_was_slipped_in_is_noticed(copy: Path) -> None:
    """What the manifest doesn't know is not golden."""
    (copy / "SendParked-v2.msgpack").write_bytes(b"")
    assert [each.split()[0] for each in golden.complaints(copy)] == ["SendParked-v2.msgpack"]


def test_a_file_changed_together_with_its_digest_is_noticed(copy: Path) -> None:
    """The manifest only grows: a line that was changed or taken out breaks the next line's seal."""
    path = copy / golden.MANIFEST
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    gone = lines.pop(3)
    path.write_text("".join(lines), encoding="utf-8")
    (copy / gone.split()[2]).unlink()
    assert [each for each in golden.complaints(copy) if "a line before" in each]


def test_writing_what_is_missing_touches_nothing_that_is_there(copy: Path) -> None:
    """The tool adds files and lines; run again it does nothing."""
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    assert golden.write_missing(copy) == []
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


def test_a_new_folder_is_filled_and_free_of_complaints(tmp_path: Path) -> None:
    """The tool's own work passes the check, and equals what is committed for today's versions."""
    written = golden.write_missing(tmp_path / "new")
    assert len(written) == 2 * len(EVENT_TYPES)
    assert list(golden.complaints(tmp_path / "new")) == []
