"""The image, as far as its Dockerfile tells: Docker isn't on every machine."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from mailtumble.settings import load_settings
from tests.unit.infra.dockerfile import ROOT, command_line, environment, stages, values

BUILDERS = ("pip", "hatchling", "gcc", "build-essential", "apt-get", "git", "make")


@pytest.mark.programs
def test_hadolint_finds_nothing() -> None:
    """The linter that knows Docker's own rules."""
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, "--failure-threshold", "style", ROOT / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_every_base_is_pinned_by_tag_and_digest() -> None:
    """A build next year starts from the same bytes; the tag says which Python they hold."""
    sources = [values(stage, "FROM")[0].split() for stage in stages()]
    named = {words[2] for words in sources if len(words) > 2}
    foreign = [words[0] for words in sources if words[0] not in named]
    assert foreign
    for source in foreign:
        assert re.fullmatch(r"[a-z/]+:\d+\.\d+\.\d+-[a-z-]+@sha256:[0-9a-f]{64}", source), source


def test_what_builds_stays_in_a_stage_of_its_own() -> None:
    """The last stage takes the finished environment over, and runs one step: the system's."""
    *_, build, final = stages()
    assert "tools/image/install.sh /opt/mailtumble" in values(build, "RUN")
    assert values(final, "COPY") == ["--from=build /opt/mailtumble /opt/mailtumble"]
    (step,) = values(final, "RUN")
    assert step.split()[-1] == "/image/system.sh"
    assert not any(word in step.split() for word in BUILDERS)
    # Both on one base: the environment points at its Python.
    assert values(final, "FROM") == ["base"]
    assert values(build, "FROM") == ["base AS build"]


def test_the_last_stage_is_not_root_and_says_so_by_number() -> None:
    """Kubernetes' and ECS's checks read numbers; the script makes that very user."""
    *_, final = stages()
    (user,) = values(final, "USER")
    uid, gid = user.split(":")
    assert int(uid) > 1000
    assert int(gid) > 1000
    script = (ROOT / "tools/image/system.sh").read_text(encoding="utf-8")
    assert f"--uid {uid}" in script
    assert f"--gid {gid}" in script
    # Nothing runs after it as somebody else, or as root before the process starts.
    order = [each.name for each in final]
    assert order.index("USER") > max(place for place, name in enumerate(order) if name == "RUN")


def test_the_process_gets_the_signals() -> None:
    """Exec form, no shell in between; tini reaps and passes SIGTERM on to the worker."""
    *_, final = stages()
    assert command_line("ENTRYPOINT") == ["tini", "--", "mailtumble"]
    assert command_line("CMD") == ["--help"]
    assert values(final, "STOPSIGNAL") == ["SIGTERM"]
    assert "tini" in (ROOT / "tools/image/system.sh").read_text(encoding="utf-8")


class _Health(BaseHTTPRequestHandler):
    """Answers /health as a worker does."""

    status = HTTPStatus.OK

    def do_GET(self) -> None:
        """The status, if it is asked at the worker's path."""
        self.send_response(self.status if self.path == "/health" else HTTPStatus.NOT_FOUND)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def worker(status: HTTPStatus) -> Iterator[int]:
    """A web view that answers so; its port."""
    handler = type("Handler", (_Health,), {"status": status})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.programs
@pytest.mark.parametrize(
    ("status", "healthy"), [(HTTPStatus.OK, True), (HTTPStatus.SERVICE_UNAVAILABLE, False)]
)
def test_the_health_check_asks_the_workers_view(status: HTTPStatus, *, healthy: bool) -> None:
    """The very command of the Dockerfile: 0 for 200, another code for 503."""
    (text,) = values(stages()[-1], "HEALTHCHECK")
    program, *arguments = json.loads(text.partition("CMD ")[2])
    assert program == "python"
    port = environment()["MAILTUMBLE_WEB_PORT"]
    assert f":{port}/health" in arguments[-1]
    with worker(status) as own:
        command = [each.replace(f":{port}/", f":{own}/") for each in arguments]
        done = subprocess.run([sys.executable, *command], capture_output=True, check=False)
    assert (done.returncode == 0) is healthy


def test_the_images_environment_is_good_for_a_worker() -> None:
    """Its settings exist, and its programs are found first."""
    told = environment()
    assert load_settings({k: v for k, v in told.items() if k.startswith("MAILTUMBLE_")}).web_port
    assert told["PATH"].startswith("/opt/mailtumble/bin:")


def test_the_build_gets_what_it_needs_and_no_more() -> None:
    """An allow-list: what lies about in a checkout (keys, state, caches) is never sent."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = [rule[1:] for rule in rules if rule.startswith("!")]
    assert all((ROOT / path).exists() for path in allowed)
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    needed = ["pyproject.toml", "requirements", "tools/image", "README.md", "LICENSE"]
    needed += ["schemas", "processors", "mailtumble"]
    needed += re.findall(r'^"([^"]+)" = "mailtumble/', pyproject, flags=re.MULTILINE)
    assert set(needed) == set(allowed)
