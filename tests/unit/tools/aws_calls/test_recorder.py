"""Whose calls are written down, and how they are read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.aws_calls.recorder import made, read_calls, summed, worker_of


@pytest.mark.parametrize(
    ("command", "worker"),
    [
        ("python -m mailtumble.local.child 1 mailtumble.cli worker core --state-dir x", "core"),
        ("python -P -m mailtumble.kcl.child sender /tmp/reports", "sender"),
        ("python -m mailtumble.cli aliases add a@b.example c@d.example", None),
        ("python -m mailtumble.local.ministack_server", None),
    ],
)
def test_the_command_line_tells_the_worker(command: str, worker: str | None) -> None:
    """Commands and servers write nothing."""
    assert worker_of(command.split()) == worker


def test_half_a_line_is_left_for_the_next_look(tmp_path: Path) -> None:
    """A worker writes while the file is read."""
    whole = (
        '{"worker": "core", "at": 1, "operation": "s3:PutObject",'
        ' "grants": [["objects/mail", "s3:PutObject"]], "units": {"s3_puts": 1}}\n'
    )
    (tmp_path / "core-1.jsonl").write_text(whole + whole + whole[:30], encoding="utf-8")
    calls = list(read_calls(tmp_path))
    assert made(calls) == {"core": {("objects/mail", "s3:PutObject")}}
    assert summed(calls) == {"s3_puts": 2}
