"""What is in the wheel, which is all that an installation has."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, freshly built, without a look at any registry."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("mailtumble-*.whl")
    return built


def test_the_definition_is_in_the_wheel(wheel: Path) -> None:
    """The wheel carries Terraform's definition, byte for byte."""
    with zipfile.ZipFile(wheel) as archive:
        packaged = archive.read("mailtumble/definition.json")
    assert packaged == (ROOT / "infra/terraform/definition.json").read_bytes()


def test_the_packages_are_typed_and_nothing_else_is_in(wheel: Path) -> None:
    """Three typed packages and their metadata: no tests, tools or infrastructure."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    folders = {name.split("/")[0] for name in names}
    assert {f"{package}/py.typed" for package in ("schemas", "processors", "mailtumble")} <= set(
        names
    )
    assert {name for name in folders if not name.endswith(".dist-info")} == {
        "schemas",
        "processors",
        "mailtumble",
    }


def test_an_installation_loads_the_packaged_definition(wheel: Path, tmp_path: Path) -> None:
    """Away from the checkout, the loader finds the copy in the package."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import mailtumble.definition as d;"
        "assert d.__file__.startswith(sys.argv[1]); print(d.load_definition().stream.name)"
    )
    shown = subprocess.run(
        [sys.executable, "-I", "-c", program, tmp_path],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert shown.stdout == "events\n"
