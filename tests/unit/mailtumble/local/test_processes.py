"""Child processes of the local stack: readiness and priority."""

# ruff: noqa: D103 - the names of these tests are sentences

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mailtumble.local.processes import Child, stand_back

pytestmark = pytest.mark.programs

THREADED = """
import sys, threading
for _ in range(3):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
print("begun", flush=True)
sys.stdin.read()
"""


def child(folder: Path) -> Child:
    return Child("core", [], folder / "core.log", {}, folder / "worker-core.json", niceness=7)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux")
def test_a_process_stands_back_with_all_its_threads() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", THREADED], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        stand_back(process.pid, 7)
        threads = [int(each.name) for each in Path(f"/proc/{process.pid}/task").iterdir()]
        assert [os.getpriority(os.PRIO_PROCESS, each) for each in threads] == [7] * 4
        process.kill()


def test_a_child_keeps_the_ordinary_priority_until_it_is_ready(tmp_path: Path) -> None:
    """A status file that its predecessor left behind does not count."""
    begun = child(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        begun.process = process
        ordinary = os.getpriority(os.PRIO_PROCESS, os.getpid())
        for status in (None, {"pid": process.pid + 1}):
            if status is not None:
                begun.status_file.write_text(json.dumps(status), encoding="utf-8")
            begun.settle()
            assert not begun.is_ready()
            assert os.getpriority(os.PRIO_PROCESS, process.pid) == ordinary
        begun.status_file.write_text(json.dumps({"pid": process.pid}), encoding="utf-8")
        begun.settle()
        assert begun.is_ready()
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == 7
        process.kill()
