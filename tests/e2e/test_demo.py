"""The first command of the README does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mailtumble.demo.scenes import SCENES

pytestmark = pytest.mark.servers


def test_the_demo_tells_every_mail_s_story_and_the_sum(tmp_path: Path) -> None:
    """Exit code 0; a story per recipient; received = ended; and nothing of it is left."""
    folder = tmp_path / "state"
    done = subprocess.run(
        [sys.executable, "-m", "mailtumble.cli", "demo", "--state-dir", str(folder)],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for scene in SCENES:
        for recipient, status in scene.recipients.items():
            story = done.stdout.partition(f"{scene.title}, for {recipient}\n")[2]
            assert story.partition("=> ")[2].splitlines()[0] == status
            assert ": received from " in story
    received, ended = re.findall(r"received (\d+) .* = ended (\d+)", done.stdout)[0]
    assert received == ended
    assert int(received) >= len(SCENES) >= 20
    assert "Projections, timers, queue and claims equal the stream." in done.stdout
    assert not (folder / "local.json").exists()
