"""What is missing is said, with what to install."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailtumble.kcl import java
from mailtumble.kcl.java import Installation, Missing, command, find_jars, find_java, version_of

pytestmark = pytest.mark.programs


def program(path: Path, text: str) -> Path:
    """A script in place of Java."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_no_java_at_all(tmp_path: Path) -> None:
    """The error names packages."""
    with pytest.raises(Missing, match="apt install openjdk-17-jre-headless"):
        find_java({"PATH": str(tmp_path)})


def test_java_home_wins_over_path(tmp_path: Path) -> None:
    """And where it leads nowhere, that is said."""
    home = program(tmp_path / "home" / "bin" / "java", "true")
    other = program(tmp_path / "other" / "java", "true")
    path = {"PATH": str(other.parent)}
    assert find_java(path) == other
    assert find_java({**path, "JAVA_HOME": str(tmp_path / "home")}) == home
    with pytest.raises(Missing, match="JAVA_HOME"):
        find_java({**path, "JAVA_HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("said", "version"),
    [('openjdk version "17.0.15" 2025', "17.0.15"), ('version "1.8.0_4"', None)],
)
def test_its_version(tmp_path: Path, said: str, version: str | None) -> None:
    """1.8 is Java 8 by its old name: as new as it must be; the number is the first group."""
    found = version_of(program(tmp_path / "java", f"echo '{said}' >&2"))
    assert found == (version or "1.8.0_4")


def test_an_old_one(tmp_path: Path) -> None:
    """Is refused, like what is no Java."""
    for said in ('version "1.7.0"', "hello"):
        with pytest.raises(Missing, match="not Java 8"):
            version_of(program(tmp_path / "java", f"echo '{said}' >&2"))


def test_one_that_does_not_run(tmp_path: Path) -> None:
    """Is as good as none."""
    with pytest.raises(Missing, match="does not run"):
        version_of(program(tmp_path / "java", "exit 3"))


def test_the_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to install it."""
    monkeypatch.setattr(java, "PACKAGE", "no_such_package_of_ours")
    with pytest.raises(Missing, match=r"pip install 'mailtumble\[kcl\]'"):
        find_jars()


def test_a_package_without_jars(monkeypatch: pytest.MonkeyPatch) -> None:
    """amazon_kclpy without its jars starts nothing."""
    monkeypatch.setattr(java, "PACKAGE", "email")
    with pytest.raises(Missing, match="jars are not in"):
        find_jars()


def test_cbor_is_off_for_emulators_only() -> None:
    """On AWS it is smaller and quicker."""
    found = Installation(Path("/bin/java"), (Path("/a.jar"), Path("/b.jar")))
    local = command(found, properties=Path("/p"), heap_mb=64, cbor=False)
    far = command(found, properties=Path("/p"), heap_mb=64, cbor=True)
    assert set(local) - set(far) == {"-Daws.cborEnabled=false"}
    assert "-Xmx64m" in far
    assert "/a.jar:/b.jar" in far
