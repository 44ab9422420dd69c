"""The compose file for LocalStack, read as data: Docker isn't on every machine."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
import pytest
import yaml

from mailtumble.cli import local, worker
from mailtumble.kcl.daemon import SETTLES_S
from mailtumble.local.stack import WORKERS
from mailtumble.settings import Settings

ROOT: Final = Path(__file__).parents[3]
COMPOSE: Final = ROOT / "docker-compose.localstack.yml"
ENVIRONMENT: Final = ROOT / "infra/terraform/envs/localstack"
KCL: Final = ("core", "sender", "archive")
OURS: Final = (*KCL, "intake", "smtp")


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    """The file."""
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def services(composed: Mapping[str, Any]) -> dict[str, Any]:
    """Its services by name."""
    found: dict[str, Any] = composed["services"]
    return found


def seconds(text: str) -> float:
    """A duration of the file."""
    assert text.endswith("s")
    return float(text[:-1])


@pytest.mark.programs
def test_the_file_is_what_the_compose_specification_allows() -> None:
    """Checked against the specification's own schema, which check-jsonschema carries."""
    checker = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [checker, "--builtin-schema", "vendor.compose-spec", COMPOSE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_image_is_the_last_that_asks_for_no_token(services: dict[str, Any]) -> None:
    """A floating tag would lead to an image that doesn't start without an account."""
    assert services["localstack"]["image"] == "localstack/localstack:4.14.0"


def test_every_image_is_pinned_or_built_here(services: dict[str, Any]) -> None:
    """Exact tags; and one service builds ours, since two at once would fight for the tag."""
    images = {name: service["image"] for name, service in services.items()}
    assert all(re.fullmatch(r"\S+:(\d+\.\d+\.\d+|local)", image) for image in images.values())
    builders = [name for name, service in services.items() if "build" in service]
    assert builders == ["core"]
    assert services["core"]["pull_policy"] == "build"
    for name in set(OURS) - set(builders):
        assert images[name] == images["core"]
        # Nobody asks a registry for it.
        assert services[name]["pull_policy"] == "never"


def test_every_port_is_on_loopback(services: dict[str, Any]) -> None:
    """There is no authentication: nothing of it may be reached from another machine."""
    published = {name: each["ports"] for name, each in services.items() if "ports" in each}
    assert published == {
        "localstack": ["127.0.0.1:4566:4566"],
        "smtp": ["127.0.0.1:2525:2525"],
    }


def test_every_service_the_product_and_terraform_call_is_started(services: dict[str, Any]) -> None:
    """What the provider has endpoints for is among LocalStack's services."""
    started = set(services["localstack"]["environment"]["SERVICES"].split(","))
    assert {"kinesis", "dynamodb", "s3", "sqs", "sns", "ses"} <= started
    main = (ENVIRONMENT / "main.tf").read_text(encoding="utf-8")
    called = set(re.findall(r"^ +(\w+) += var\.endpoint$", main, flags=re.MULTILINE))
    assert called
    assert called <= started


def test_healthy_is_asked_of_localstack_itself(services: dict[str, Any]) -> None:
    """What waits for it waits for its services, not for its container."""
    assert services["localstack"]["healthcheck"]["test"][-1].endswith(":4566/_localstack/health")


def test_environment_values_are_strings_and_volumes_are_declared(composed: dict[str, Any]) -> None:
    """Compose refuses booleans in an environment, and volumes that aren't declared."""
    for service in composed["services"].values():
        assert all(isinstance(value, str) for value in service.get("environment", {}).values())
        named = {volume.split(":")[0] for volume in service.get("volumes", ())}
        bound = {source for source in named if source.startswith("./")}
        assert named - bound <= set(composed["volumes"])
        assert all((ROOT / source).is_dir() for source in bound)


def test_the_whole_system_is_there(services: dict[str, Any]) -> None:
    """Every worker that there is, the way in, and what makes what they need."""
    (name,) = [each for each in worker.command.params if each.name == "name"]
    assert isinstance(name.type, click.Choice)
    assert set(name.type.choices) | {"smtp", "terraform", "localstack"} == set(services)
    assert set(WORKERS) <= set(services)


def test_every_command_is_one_of_the_command_line(services: dict[str, Any]) -> None:
    """Parsed by the command line itself; the stream is read by the KCL."""
    for name in (*KCL, "intake"):
        first, *words = services[name]["command"]
        assert first == "worker"
        told = worker.command.make_context("worker", list(words)).params
        assert told["name"] == name
        assert told["host"] == ("kcl" if name in KCL else "embedded")
    group, command, *words = services["smtp"]["command"]
    assert group == "local"
    assert isinstance(local.command, click.Group)
    told = local.command.commands[command].make_context(command, list(words)).params
    # All of the container; of the machine, loopback alone is published.
    assert (told["bind"], told["port"]) == ("0.0.0.0", 2525)  # noqa: S104


@pytest.mark.parametrize("name", OURS)
def test_a_worker_waits_for_what_it_needs_and_comes_back(
    services: dict[str, Any], name: str
) -> None:
    """Terraform has ended well, LocalStack is healthy; and a worker that dies is started again."""
    service = services[name]
    assert service["depends_on"] == {
        "localstack": {"condition": "service_healthy"},
        "terraform": {"condition": "service_completed_successfully"},
    }
    assert service["restart"] == "unless-stopped"
    needs_s = Settings().kcl_grace_s + SETTLES_S
    assert seconds(service["stop_grace_period"]) > needs_s + 5
    assert "mem_limit" in service


@pytest.mark.parametrize("name", OURS)
def test_a_worker_can_do_little_harm(services: dict[str, Any], name: str) -> None:
    """Nothing to write to save /tmp, no capabilities, no way to more."""
    service = services[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]  # noqa: S108 - of the container
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["volumes"] == ["settings:/settings:ro"]


@pytest.mark.programs
def test_the_entry_point_reads_terraforms_settings_and_keeps_the_signals(
    services: dict[str, Any], tmp_path: Path
) -> None:
    """The very words of the file: the settings are exported, the arguments kept, and exec'd."""
    (tmp_path / "environment").write_text("MAILTUMBLE_PREFIX='it'\\''s'\n", encoding="utf-8")
    program = tmp_path / "mailtumble"
    program.write_text('#!/bin/sh\necho "$$ $MAILTUMBLE_PREFIX" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    init, mark, *words = services["core"]["entrypoint"]
    assert (init, mark) == ("tini", "--")
    words = [each.replace("$$", "$").replace("/settings", str(tmp_path)) for each in words]
    with subprocess.Popen(
        [*words, "worker", "two words"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        said, _ = process.communicate(timeout=20)
    assert said == f"{process.pid} it's worker two words\n"


def test_terraform_writes_what_the_workers_read(services: dict[str, Any]) -> None:
    """One file, by one output of the environment, for the endpoint of the other containers."""
    service = services["terraform"]
    infra, state, file = service["command"]
    assert file in services["core"]["entrypoint"][4]
    mounted = {volume.split(":")[1]: volume for volume in service["volumes"]}
    assert mounted[infra] == "./infra/terraform:/infra:ro"
    assert state in mounted
    script = (ROOT / "tools/image/apply.sh").read_text(encoding="utf-8")
    (output,) = re.findall(r"output -raw (\w+)", script)
    assert f'output "{output}"' in (ENVIRONMENT / "outputs.tf").read_text(encoding="utf-8")
    assert service["environment"]["TF_VAR_endpoint"] == "http://localstack:4566"
    variables = (ENVIRONMENT / "variables.tf").read_text(encoding="utf-8")
    for name in service["environment"]:
        assert f'variable "{name.removeprefix("TF_VAR_")}"' in variables
    # It has done its work when it has ended: it is not to be started again and again.
    assert "restart" not in service
