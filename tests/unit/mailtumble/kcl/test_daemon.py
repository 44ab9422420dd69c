"""The daemon's folder, and the child's hold on the protocol."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mailtumble.kcl.daemon import RunFolder
from schemas.errors import MailtumbleError


def test_a_second_worker_with_the_same_id_is_refused(tmp_path: Path) -> None:
    """Two daemons of one name would both believe that the leases are theirs."""
    first, second = RunFolder("core@a", tmp_path), RunFolder("core@a", tmp_path)
    first.take()
    with pytest.raises(MailtumbleError, match="MAILTUMBLE_KCL_WORKER_ID"):
        second.take()
    other = RunFolder("core@b", tmp_path)
    other.take()
    other.release()
    first.release()
    second.take()
    second.release()


def test_reports_of_a_dead_predecessors_children_are_gone(tmp_path: Path) -> None:
    """They would look like children of this one."""
    folder = RunFolder("core@a", tmp_path)
    folder.reports.mkdir(parents=True)
    (folder.reports / "1.json").write_text("{}", encoding="utf-8")
    folder.take()
    assert list(folder.reports.iterdir()) == []
    folder.release()


def test_the_children_are_started_by_a_command_that_can_be_split_at_blanks(tmp_path: Path) -> None:
    """The daemon does: what may hold blanks stands in a script."""
    folder = RunFolder("core@a", tmp_path)
    folder.take()
    shell, script = folder.child_command("core").split(" ")
    folder.release()
    assert shell == "/bin/sh"
    words = shlex.split(Path(script).read_text(encoding="utf-8"))
    assert words[:2] == ["exec", sys.executable]
    assert words[-3:] == ["mailtumble.kcl.child", "core", str(folder.reports)]


def test_a_folder_with_a_blank_is_refused(tmp_path: Path) -> None:
    """It says what to set."""
    folder = RunFolder("core@a", tmp_path / "a b")
    folder.take()
    with pytest.raises(MailtumbleError, match="TMPDIR"):
        folder.child_command("core")
    folder.release()


@pytest.mark.programs
def test_a_stray_print_does_not_reach_the_protocol() -> None:
    """Nor does one by number, nor a reader of standard input take a message of the daemon's."""
    script = """
import os, sys
from mailtumble.kcl.child import take_protocol
incoming, outgoing = take_protocol()
print("stray"); sys.stdout.flush(); os.write(1, b"by number\\n")
assert sys.stdin.read() == ""
outgoing.write("answer to " + incoming.readline()); outgoing.flush()
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        input="a message é\n",
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout == "answer to a message é\n"
    assert done.stderr == "stray\nby number\n"
