"""Settings: from the environment (``MAILTUMBLE_*``) or a TOML file, checked, in one table.

``docs/reference/settings.md`` is generated from the fields below. Endpoints and credentials are
boto's own business (``AWS_ENDPOINT_URL*``, ``AWS_REGION``, profiles).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from mailtumble.logs import LEVELS, LogFormat
from schemas.errors import BadInput
from schemas.values import UnknownPolicy

PREFIX: Final = "MAILTUMBLE_"
FILE_VARIABLE: Final = "MAILTUMBLE_CONFIG"
REGION_VARIABLES: Final = ("AWS_DEFAULT_REGION", "AWS_REGION")
"""Boto's own; the later one wins."""
REFERENCE: Final = "docs/reference/settings.md"

NUMBERS: Final = {int: "a whole number", float: "a number"}
PREFIX_PATTERN: Final = r"[a-z0-9][a-z0-9-]{1,38}[a-z0-9]"
"""What begins a bucket's name; Terraform demands the same of its variable."""

TRANSPORTS: Final = ("sesv2", "sesv1")

Given = tuple[str, object, str]
"""A setting's name, the value given for it, and where."""


def _text(
    default: str, meaning: str, *, allowed: str = "a line of text", pattern: str = ".*"
) -> Any:  # noqa: ANN401
    return field(
        default=default, metadata={"meaning": meaning, "allowed": allowed, "pattern": pattern}
    )


def _number(default: float, meaning: str, *, least: float, most: float) -> Any:  # noqa: ANN401
    allowed = f"{NUMBERS[type(default)]} from {least} to {most}"
    return field(
        default=default,
        metadata={"meaning": meaning, "allowed": allowed, "least": least, "most": most},
    )


def _numbers(meaning: str, *, of: str, least: float, most: float) -> Any:  # noqa: ANN401
    """Numbers by name; kept as the text that the environment has, see :func:`read_numbers`."""
    allowed = f"{of}=NUMBER, more after commas; in a file a table; numbers from {least} to {most}"
    return field(
        default="",
        metadata={"meaning": meaning, "allowed": allowed, "least": least, "most": most, "of": of},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, its default, what it means and what is allowed."""

    prefix: str = _text(
        "mailtumble",
        "Begins the names of the stream, tables, bucket, topics and queues.",
        allowed="3 to 40 lower-case letters, digits and hyphens, no hyphen at either end",
        pattern=PREFIX_PATTERN,
    )
    region: str = _text(
        "us-east-1",
        "The AWS region; AWS_REGION where this is not set.",
        allowed="the name of a region",
        pattern=r"[a-z0-9-]+",
    )
    intake_queue_url: str = _text("", "The queue that intake reads; found by its name where empty.")
    transport: str = _text(
        "sesv2",
        "What mails are sent by: SES's API of today, or its first one, all that LocalStack has.",
        allowed=" or ".join(TRANSPORTS),
        pattern="|".join(TRANSPORTS),
    )
    configuration_set: str = _text(
        "mailtumble", "The SES configuration set whose events come back to intake."
    )
    generation: str = _text(
        "g1",
        "The set of projections that core builds and commands read.",
        allowed="1 to 40 letters, digits, hyphens and underscores",
        pattern=r"[A-Za-z0-9_-]{1,40}",
    )
    lookup_endpoint_url: str = _text(
        "", "Where aliases are looked up, if their table lies at another DynamoDB."
    )
    lookup_table: str = _text("", "The alias table's full name; <prefix>-aliases where empty.")
    lookup_timeout_s: float = _number(
        1.0,
        "A look-up's total time-out; after it the mail waits and is looked up again.",
        least=0.05,
        most=60,
    )
    lookup: str = _text(
        "dynamodb",
        "What aliases are looked up by: a driver of the entry-point group mailtumble.lookup.",
        allowed="dynamodb, toml, or the name of an installed driver",
        pattern=r"[A-Za-z0-9_.-]+",
    )
    lookup_file: str = _text("", "The file of the driver toml.", allowed="a path")
    moderation_rules: str = _text(
        "", "A TOML file with the moderation rules; none where empty.", allowed="a path"
    )
    address_key: str = _text(
        "", "Keys the digests by which the log names addresses; a secret, never to be changed."
    )
    suppress_permanent_h: float = _number(
        0.0,
        "Hours for which a permanent bounce suppresses an address; 0: until it is released.",
        least=0,
        most=10 * 365 * 24,
    )
    suppress_complaint_h: float = _number(
        0.0,
        "Hours for which a complaint suppresses an address; 0: until it is released.",
        least=0,
        most=10 * 365 * 24,
    )
    suppress_transient_h: float = _number(
        24.0,
        "Hours for which repeated transient bounces suppress an address.",
        least=0.001,
        most=10 * 365 * 24,
    )
    transient_bounces: int = _number(
        3, "How many transient bounces within the window suppress an address.", least=1, most=20
    )
    transient_window_h: float = _number(
        7 * 24.0, "That window, in hours.", least=0.001, most=365 * 24
    )
    verify_sns: str = _text(
        "on",
        "Whether intake verifies the signatures of SNS: on, or off (where there are none).",
        allowed="on or off",
        pattern="on|off",
    )
    sns_topics: str = _text(
        "",
        "The ARNs of the topics that intake hears, with commas; those of its names where empty.",
    )
    lifetime_h: float = _number(
        72.0,
        "Hours from a mail's receipt after which its open targets expire.",
        least=0.001,
        # Claims are kept for longer (sender/claims.py): what was sent is not sent again.
        most=365 * 24,
    )
    on_unknown: str = _text(
        "resend",
        "What to do with a send of unknown outcome: resend, or park it for a person.",
        allowed=" or ".join(UnknownPolicy),
        pattern="|".join(UnknownPolicy),
    )
    unknown_wait_s: float = _number(
        600.0,
        "How long SES's own event is awaited before that is decided.",
        least=0,
        most=7 * 24 * 60 * 60,
    )
    send_window_s: float = _number(
        5.0, "How long after its claim a mail may be handed to SES.", least=2.5, most=60 * 60
    )
    call_timeout_s: float = _number(
        30.0,
        "How long a call to SES may take before its outcome counts as unknown.",
        least=0.1,
        most=60 * 60,
    )
    rate_fraction: float = _number(
        0.952, "The share of SES's MaxSendRate that the sender aims at.", least=0.01, most=1
    )
    tenant_weights: str = _numbers(
        "How many mails of a tenant leave for one of another, while both have some that are due; "
        "1 where not told.",
        of="TENANT",
        least=0.001,
        most=1000,
    )
    urgent_tenants: str = _text(
        "",
        "Tenants whose mail goes before all other, like that with the tag urgent.",
        allowed="names, with commas",
    )
    domain_limits: str = _numbers(
        "How many mails a second the whole fleet sends to a domain at the most; without a limit "
        "where not told.",
        of="DOMAIN",
        least=0.001,
        most=10_000,
    )
    domain_slowdown: str = _text(
        "off",
        "Whether a domain that defers mail is sent to more slowly for some minutes: on or off.",
        allowed="on or off",
        pattern="on|off",
    )
    daily_reserve: float = _number(
        0.05,
        "The share of SES's daily quota that is kept for urgent mail.",
        least=0,
        most=0.9,
    )
    quota_poll_s: float = _number(
        2.0, "How often one of the fleet asks SES for its quota.", least=1, most=60 * 60
    )
    poll_interval_s: float = _number(
        0.5,
        "How long a reader waits after an empty read (5 reads a second and shard are for all).",
        least=0.05,
        most=60,
    )
    web_port: int = _number(
        0,
        "The port of a worker's health and metrics on 127.0.0.1; 0 takes a free one.",
        least=0,
        most=2**16 - 1,
    )
    archive_every_s: float = _number(
        60.0,
        "Seconds after which the archive writes what it has gathered, if 4 MB don't come together.",
        least=1,
        most=3600,
    )
    log_level: str = _text(
        "info",
        "From which level on workers log; debug tells every step of every mail.",
        allowed=", ".join(LEVELS),
        pattern="|".join(LEVELS),
    )
    log_format: str = _text(
        "auto",
        "How they log: json, text, or auto (text on a terminal, else JSON).",
        allowed=", ".join(LogFormat),
        pattern="|".join(LogFormat),
    )
    cloudwatch_metrics: str = _text(
        "off",
        "Whether workers write CloudWatch's embedded metrics to standard output, each minute.",
        allowed="on or off",
        pattern="on|off",
    )
    kcl_worker_id: str = _text(
        "",
        "The KCL host's name, the same after a restart and different for each; the machine's name"
        " where empty.",
        allowed="at most 100 letters, digits, dots, hyphens and underscores",
        pattern=r"[A-Za-z0-9._-]{0,100}",
    )
    kcl_failover_ms: int = _number(
        3000,
        "Milliseconds without a sign of life after which another worker takes a lease.",
        # 200 was measured: leases are lost to nobody, and 10,000 records come twice.
        least=1000,
        most=600_000,
    )
    kcl_heap_mb: int = _number(
        192, "Java's heap under the KCL; the process takes about 200 MB more.", least=64, most=16384
    )
    kcl_grace_s: float = _number(
        12.0, "How long a hand-over by the KCL may take after SIGTERM.", least=8, most=600
    )
    kcl_message_timeout_s: int = _number(
        300,
        "How long a child may take for a batch before the KCL's daemon ends itself.",
        least=30,
        most=24 * 60 * 60,
    )

    def policy(self) -> UnknownPolicy:
        """``on_unknown`` as a value."""
        return UnknownPolicy(self.on_unknown)


def read_numbers(given: str) -> Mapping[str, float]:
    """``"house=5, news=0.5"`` as numbers by name.

    Raises:
        ValueError: a part is not so.
    """
    found: dict[str, float] = {}
    for part in given.split(",") if given.strip() else ():
        name, equals, number = part.rpartition("=")
        if not equals or not name.strip() or name.strip() in found:
            raise ValueError(part)
        found[name.strip()] = float(number)
    return found


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings: the environment wins over the file named by ``MAILTUMBLE_CONFIG``.

    Raises:
        BadInput: a setting is unknown, of the wrong kind or out of bounds; the text names it.
    """
    environment = os.environ if environment is None else environment
    known = {each.name: each for each in fields(Settings)}
    values: dict[str, Any] = {}
    # What comes later wins.
    for source in (_from_boto, _from_file, _from_environment):
        for name, value, place in source(environment):
            if name not in known:
                raise BadInput(f"{place}: there is no such setting, see {REFERENCE}")
            values[name] = _value(known[name], value, place)
    return Settings(**values)


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def _from_boto(environment: Mapping[str, str]) -> Iterator[Given]:
    for variable in REGION_VARIABLES:
        if environment.get(variable):
            yield "region", environment[variable], variable


def _from_file(environment: Mapping[str, str]) -> Iterator[Given]:
    path = environment.get(FILE_VARIABLE)
    if not path:
        return
    try:
        given = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(
            f"{FILE_VARIABLE} names {path}, which can't be read: {error.strerror}"
        ) from error
    except ValueError as error:
        raise BadInput(f"{FILE_VARIABLE} names {path}, which is not TOML: {error}") from error
    for name, value in given.items():
        yield name, value, f"{path}: {name}"


def _from_environment(environment: Mapping[str, str]) -> Iterator[Given]:
    for variable, text in environment.items():
        if variable.startswith(PREFIX) and variable != FILE_VARIABLE:
            # Swapped, not lowered: MAILTUMBLE_region is no variable of ours.
            yield variable.removeprefix(PREFIX).swapcase(), text, variable


def _value(known: Field[Any], value: object, name: str) -> object:
    """The value in the type of the setting's default, checked."""
    check = _number_in if isinstance(known.default, (int, float)) else _text_in
    if "of" in known.metadata:
        check = _numbers_in
    found = check(known, value)
    if found is None:
        raise BadInput(f"{name} is {value!r}: give {known.metadata['allowed']}")
    return found


def _text_in(known: Field[Any], value: object) -> str | None:
    """The text, if it has the form."""
    if not isinstance(value, str):
        return None
    return value if re.fullmatch(known.metadata["pattern"], value) else None


def _numbers_in(known: Field[Any], value: object) -> str | None:
    """The text of numbers by name, if it is one, or if it is a table that can be written so."""
    if isinstance(value, dict):
        if any(isinstance(each, bool) or "," in name for name, each in value.items()):
            return None
        value = ",".join(f"{name}={each}" for name, each in value.items())
    if not isinstance(value, str):
        return None
    try:
        numbers = read_numbers(value)
    except ValueError:
        return None
    least, most = known.metadata["least"], known.metadata["most"]
    return value if all(least <= each <= most for each in numbers.values()) else None


def _number_in(known: Field[Any], value: object) -> float | None:
    """The number, if it is one, whole where it has to be, and within bounds."""
    # A TOML file has types: there true is no number, and 1.5 is not to become 1.
    whole = isinstance(known.default, int)
    if isinstance(value, bool) or not isinstance(value, (str, int) if whole else (str, int, float)):
        return None
    try:
        number = int(value) if whole else float(value)
    except (ValueError, OverflowError):
        return None
    # NaN is on neither side of a bound.
    return number if known.metadata["least"] <= number <= known.metadata["most"] else None
