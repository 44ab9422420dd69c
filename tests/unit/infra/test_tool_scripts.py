"""The scripts behind the Makefile, run with stand-ins for the programs they look for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[3]
BROKEN_SHIM = "#!/bin/sh\necho 'command not found' >&2\nexit 127\n"
FAKE_TERRAFORM = '#!/bin/sh\necho "config=${TF_CLI_CONFIG_FILE:-none}"\necho "arguments=$*"\n'


def _program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def _run(
    command: list[str | Path], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the scripts alone, so that what they write stays out of the real one."""
    shutil.copytree(ROOT / "tools", tmp_path / "checkout" / "tools")
    return tmp_path / "checkout"


class TestPython:
    """tools/python.sh chooses what .venv is made with."""

    def test_a_shim_that_does_not_run_is_passed_over(self, checkout: Path, tmp_path: Path) -> None:
        """A version manager's shim is there for versions that aren't active: try it, don't look."""
        programs = tmp_path / "bin"
        _program(programs / "python3.13", BROKEN_SHIM)
        _program(programs / "python3.12", BROKEN_SHIM)
        works = _program(programs / "python3.11", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        chosen = _run([checkout / "tools/python.sh"], {"PATH": f"{programs}:/bin"})
        assert chosen.stdout == f"{works}\n"

    def test_one_that_is_clearly_quicker_is_taken(self, checkout: Path, tmp_path: Path) -> None:
        """Though it is older, or comes later on PATH; a little quicker is not enough."""
        first, second = tmp_path / "first", tmp_path / "second"
        slow = _program(first / "python3.12", "#!/bin/sh\necho 1000\n")
        _program(second / "python3.12", "#!/bin/sh\necho 950\n")
        path = {"PATH": f"{first}:{second}:/usr/bin:/bin", "PYTHON": "python3.12"}
        assert _run([checkout / "tools/python.sh"], path).stdout == f"{slow}\n"
        quick = _program(second / "python3.12", "#!/bin/sh\necho 850\n")
        assert _run([checkout / "tools/python.sh"], path).stdout == f"{quick}\n"

    def test_no_python_that_runs_is_said_clearly(self, checkout: Path, tmp_path: Path) -> None:
        """Nothing usable: the message names the versions, and how to name a program."""
        programs = tmp_path / "bin"
        for name in ("python3.13", "python3.12", "python3.11", "python3"):
            _program(programs / name, BROKEN_SHIM)
        failed = _run(["/bin/sh", checkout / "tools/python.sh"], {"PATH": str(programs)})
        assert failed.returncode == 1
        assert "needs Python 3.11 or newer" in failed.stderr

    def test_a_named_python_is_the_only_candidate(self, checkout: Path, tmp_path: Path) -> None:
        """PYTHON=... that doesn't work is an error, not a reason to take another."""
        broken = _program(tmp_path / "python", BROKEN_SHIM)
        failed = _run(
            [checkout / "tools/python.sh"],
            {"PATH": os.environ["PATH"], "PYTHON": str(broken)},
        )
        assert failed.returncode == 1
        assert str(broken) in failed.stderr


class TestTerraform:
    """tools/terraform.sh finds Terraform and a mirror of its providers."""

    def _environment(self, tmp_path: Path, **more: str) -> dict[str, str]:
        programs = tmp_path / "bin"
        _program(programs / "terraform", FAKE_TERRAFORM)
        return {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(tmp_path / "home"), **more}

    def test_a_mirror_named_by_the_variable_is_used(self, checkout: Path, tmp_path: Path) -> None:
        """TF_PROVIDER_MIRROR wins, and stands in the configuration Terraform is given."""
        mirror = tmp_path / "mirror"
        mirror.mkdir()
        environment = self._environment(tmp_path, TF_PROVIDER_MIRROR=str(mirror))
        ran = _run([checkout / "tools/terraform.sh", "init", "-input=false"], environment)
        config = checkout / ".cache/terraform.tfrc"
        assert ran.stdout == f"config={config}\narguments=init -input=false\n"
        assert f'path = "{mirror}"' in config.read_text(encoding="utf-8")

    def test_a_mirror_in_the_home_folder_is_found(self, checkout: Path, tmp_path: Path) -> None:
        """Terraform's own folder for plugins is looked into first."""
        mirror = tmp_path / "home/.terraform.d/mirror"
        _program(
            mirror
            / "example.com/hashicorp/aws/5.100.0/linux_amd64/terraform-provider-aws_v5.100.0_x5",
            BROKEN_SHIM,
        )
        _run([checkout / "tools/terraform.sh", "version"], self._environment(tmp_path))
        config = (checkout / ".cache/terraform.tfrc").read_text(encoding="utf-8")
        assert f'path = "{mirror}"' in config

    def test_a_configuration_that_is_not_there_is_dropped(
        self, checkout: Path, tmp_path: Path
    ) -> None:
        """A TF_CLI_CONFIG_FILE that names no file would only make Terraform warn."""
        environment = self._environment(
            tmp_path, TF_CLI_CONFIG_FILE=str(tmp_path / "nowhere"), TF_PROVIDER_MIRROR=""
        )
        ran = _run([checkout / "tools/terraform.sh", "version"], environment)
        assert ran.stdout.startswith("config=none\n")

    def test_a_configuration_of_ones_own_is_kept(self, checkout: Path, tmp_path: Path) -> None:
        """Someone who configured Terraform's providers gets what they configured."""
        own = tmp_path / "own.tfrc"
        own.write_text("", encoding="utf-8")
        environment = self._environment(tmp_path, TF_CLI_CONFIG_FILE=str(own))
        ran = _run([checkout / "tools/terraform.sh", "version"], environment)
        assert ran.stdout.startswith(f"config={own}\n")

    def test_no_terraform_is_said_clearly(self, checkout: Path, tmp_path: Path) -> None:
        """The message says what to install, and how to name it."""
        environment = self._environment(tmp_path, TERRAFORM="no-such-terraform")
        failed = _run([checkout / "tools/terraform.sh", "version"], environment)
        assert failed.returncode == 127
        assert "Install Terraform" in failed.stderr


class TestLocalStack:
    """tools/localstack.sh says what it needs, and what runs."""

    def _environment(self, tmp_path: Path, **more: str) -> dict[str, str]:
        own = {"HOME": str(tmp_path), "LOCALSTACK_HOME": str(tmp_path / "localstack")}
        return {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", **own, **more}

    def test_no_new_python_is_said_clearly(self, checkout: Path, tmp_path: Path) -> None:
        """A named one that doesn't run is an error; what to do stands beside it."""
        broken = _program(tmp_path / "python", BROKEN_SHIM)
        environment = self._environment(tmp_path, LOCALSTACK_PYTHON=str(broken))
        failed = _run([checkout / "tools/localstack.sh", "install"], environment)
        assert failed.returncode == 1
        assert "LocalStack needs Python 3.12 or newer" in failed.stderr
        assert f"tried: {broken}" in failed.stderr

    @pytest.mark.parametrize(
        ("java", "complaint"),
        [
            ("exit 127", "Java is missing"),
            ("echo ' java.home = /java8'; echo ' java.specification.version = 1.8'", "is 1.8"),
            ("echo ' java.home = /jre'; echo ' java.specification.version = 17'", "has no javac"),
        ],
        ids=["none", "old", "without a compiler"],
    )
    def test_java_that_does_not_do_is_said_clearly(
        self, checkout: Path, tmp_path: Path, java: str, complaint: str
    ) -> None:
        """What Java says of itself counts, not what it is called."""
        python = _program(tmp_path / "bin/python", "#!/bin/sh\nexit 0\n")
        _program(tmp_path / "bin/java", f"#!/bin/sh\n{java}\n")
        environment = self._environment(tmp_path, LOCALSTACK_PYTHON=str(python))
        failed = _run([checkout / "tools/localstack.sh", "install"], environment)
        assert failed.returncode == 1
        assert complaint in failed.stderr

    def test_that_nothing_runs_is_told(self, checkout: Path, tmp_path: Path) -> None:
        """With an exit code of its own, and stopping nothing is no error."""
        environment = self._environment(tmp_path)
        asked = _run([checkout / "tools/localstack.sh", "status"], environment)
        assert asked.returncode == 3
        assert "not running" in asked.stderr
        stopped = _run([checkout / "tools/localstack.sh", "stop"], environment)
        assert stopped.returncode == 0, stopped.stderr

    def test_a_wrong_command_is_answered_with_help(self, checkout: Path, tmp_path: Path) -> None:
        """Exit code 2, as for wrong arguments elsewhere."""
        wrong = _run([checkout / "tools/localstack.sh", "restart"], self._environment(tmp_path))
        assert wrong.returncode == 2
        assert "usage: tools/localstack.sh" in wrong.stderr


def test_tidiness_names_file_line_and_limit(tmp_path: Path) -> None:
    """A file or a function that has grown too long, and a name that says nothing, are found."""
    (tmp_path / "mailtumble").mkdir()
    long_function = "def f() -> None:\n" + "    x = 1\n" * 60
    (tmp_path / "mailtumble/utils.py").write_text(long_function + "y = 1\n" * 340, encoding="utf-8")
    found = subprocess.run(
        [sys.executable, ROOT / "tools/tidiness.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    assert found.stdout.splitlines() == [
        "mailtumble/utils.py:1: name the module after what it knows, not 'utils'",
        "mailtumble/utils.py:1: 401 lines, more than 400",
        "mailtumble/utils.py:1: f has 61 lines, more than 60",
    ]
