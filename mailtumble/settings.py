"""Settings: from the environment (``MAILTUMBLE_*``) or a TOML file, checked, in one table.

The table in ``docs/reference/settings.md`` is generated from the fields below. Endpoints and
credentials are boto's own business (``AWS_ENDPOINT_URL*``, ``AWS_REGION``, profiles).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from schemas.errors import BadInput
from schemas.values import UnknownPolicy

PREFIX: Final = "MAILTUMBLE_"
FILE_VARIABLE: Final = "MAILTUMBLE_CONFIG"


def _setting(default: object, meaning: str, *, least: float | None = None) -> Any:  # noqa: ANN401
    return field(default=default, metadata={"meaning": meaning, "least": least})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, its default and what it means."""

    prefix: str = _setting(
        "mailtumble", "Begins the names of the stream, tables, bucket, topics and queues."
    )
    region: str = _setting("us-east-1", "The AWS region; AWS_REGION where this is not set.")
    intake_queue_url: str = _setting(
        "", "The queue that intake reads; found by its name where empty."
    )
    configuration_set: str = _setting(
        "mailtumble", "The SES configuration set whose events come back to intake."
    )
    generation: str = _setting("g1", "The set of projections that core builds and commands read.")
    lookup_endpoint_url: str = _setting(
        "", "Where aliases are looked up, if their table lies at another DynamoDB."
    )
    lookup_table: str = _setting("", "The alias table's full name; <prefix>-aliases where empty.")
    lookup_timeout_s: float = _setting(
        1.0,
        "A look-up's total time-out; after it the mail waits and is looked up again.",
        least=0.05,
    )
    lifetime_h: float = _setting(
        72.0, "Hours from a mail's receipt after which its open targets expire.", least=0.001
    )
    on_unknown: str = _setting(
        "resend", "What to do with a send of unknown outcome: resend, or park it for a person."
    )
    unknown_wait_s: float = _setting(
        600.0, "How long SES's own event is awaited before that is decided.", least=0
    )
    send_window_s: float = _setting(
        5.0, "How long after its claim a mail may be handed to SES.", least=2.5
    )
    call_timeout_s: float = _setting(
        30.0, "How long a call to SES may take before its outcome counts as unknown.", least=0.1
    )
    rate_fraction: float = _setting(
        0.9, "The share of SES's MaxSendRate that the sender aims at.", least=0.01
    )
    quota_poll_s: float = _setting(
        5.0, "How often one of the fleet asks SES for its quota.", least=1
    )
    poll_interval_s: float = _setting(
        0.5,
        "How long a reader waits after an empty read (5 reads a second and shard are for all).",
        least=0.05,
    )
    web_port: int = _setting(
        0, "The port of a worker's health and metrics on 127.0.0.1; 0 takes a free one.", least=0
    )

    def policy(self) -> UnknownPolicy:
        """``on_unknown`` as a value."""
        return UnknownPolicy(self.on_unknown)


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings: the environment wins over the file named by ``MAILTUMBLE_CONFIG``.

    Raises:
        BadInput: a setting is unknown, of the wrong kind or out of bounds; the text names it.
    """
    environment = os.environ if environment is None else environment
    known = {each.name: each for each in fields(Settings)}
    values: dict[str, Any] = {}
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if region:
        values["region"] = region
    path = environment.get(FILE_VARIABLE)
    if path:
        for name, value in _file(Path(path)).items():
            if name not in known:
                raise BadInput(
                    f"{path}: there is no setting {name!r}; see docs/reference/settings.md"
                )
            values[name] = _value(known[name], value, f"{path}: {name}")
    for variable, text in environment.items():
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE:
            continue
        if name not in known:
            raise BadInput(f"there is no setting {variable}; see docs/reference/settings.md")
        values[name] = _value(known[name], text, variable)
    return Settings(**values)


def _file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{FILE_VARIABLE} names {path}, which can't be read: {error}") from error
    except ValueError as error:
        raise BadInput(f"{path} is not TOML: {error}") from error


def _value(known: Field[Any], value: object, name: str) -> object:
    """The value in the type of the setting's default, checked."""
    default: object = known.default
    kind: type = type(default)
    if isinstance(value, bool):
        raise BadInput(f"{name}: {value!r} is not a {kind.__name__}")
    try:
        if kind is not str and isinstance(value, str | int | float):
            value = kind(value)
    except ValueError:
        raise BadInput(f"{name}: {value!r} is not a {kind.__name__}") from None
    if not isinstance(value, kind):
        raise BadInput(f"{name}: {value!r} is not a {kind.__name__}")
    least = known.metadata["least"]
    if least is not None and not value >= least:
        raise BadInput(f"{name}: {value} is below {least}")
    if known.name == "on_unknown" and value not in set(UnknownPolicy):
        raise BadInput(f"{name}: {value!r} is neither resend nor park")
    if known.name == "rate_fraction" and isinstance(value, float) and value > 1:
        raise BadInput(f"{name}: {value} is above 1, more than SES allows")
    return value


def settings_table() -> str:
    """All settings as a Markdown table, for the docs."""
    rows = ["| setting | variable | default | meaning |", "| --- | --- | --- | --- |"]
    for each in fields(Settings):
        default = f"`{each.default}`" if each.default != "" else "(empty)"
        variable = f"`{PREFIX}{each.name.upper()}`"
        rows.append(f"| `{each.name}` | {variable} | {default} | {each.metadata['meaning']} |")
    return "\n".join(rows) + "\n"
