"""The port that an emulator or a worker takes."""

# ruff: noqa: D103 - the names of these tests are sentences

from __future__ import annotations

import socket

import pytest

from mailtumble.local import ministack
from mailtumble.local.ministack import HOST, PORTS, free_port
from schemas.errors import MailtumbleError


def test_a_free_port_is_none_that_the_system_gives_away() -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        assert other.getsockname()[1] not in PORTS
    port = free_port()
    assert port in PORTS
    with socket.create_server((HOST, port)):
        pass


def test_a_taken_port_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    free = free_port()
    with socket.create_server((HOST, 0)) as server:
        taken = server.getsockname()[1]
        monkeypatch.setattr(ministack.random, "sample", lambda *_: [taken, free])
        assert free_port() == free
        monkeypatch.setattr(ministack.random, "sample", lambda *_: [taken])
        with pytest.raises(MailtumbleError, match="none is free"):
            free_port()
