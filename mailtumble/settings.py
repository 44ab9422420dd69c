"""Settings: from the environment (``MAILTUMBLE_*``) or a TOML file, checked, in one table.

``docs/reference/settings.md`` is generated from the fields below. Endpoints and credentials are
boto's own business (``AWS_ENDPOINT_URL*``, ``AWS_REGION``, profiles).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from mailtumble.logs import LEVELS, LogFormat
from mailtumble.setting_kinds import checked
from mailtumble.setting_kinds import number as _number
from mailtumble.setting_kinds import numbers as _numbers
from mailtumble.setting_kinds import text as _text
from schemas.errors import BadInput
from schemas.values import UnknownPolicy

PREFIX: Final = "MAILTUMBLE_"
FILE_VARIABLE: Final = "MAILTUMBLE_CONFIG"
REGION_VARIABLES: Final = ("AWS_DEFAULT_REGION", "AWS_REGION")
"""Boto's own; the later one wins."""
REFERENCE: Final = "docs/reference/settings.md"

PREFIX_PATTERN: Final = r"[a-z0-9][a-z0-9-]{1,38}[a-z0-9]"
"""What begins a bucket's name; Terraform demands the same of its variable."""

TRANSPORTS: Final = ("sesv2", "sesv1")

Given = tuple[str, object, str]
"""A setting's name, the value given for it, and where."""


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
    breaker: str = _text(
        "on",
        "Whether mail of an alias or a sender of whom too much comes back is held: on or off.",
        allowed="on or off",
        pattern="on|off",
    )
    breaker_percent: float = _number(
        5.0,
        "Too much: more than so many percent of what SES took. AWS reviews an account at 5.",
        least=0,
        most=100,
    )
    breaker_attempts: int = _number(
        20, "How many mails SES must have taken before the breaker holds.", least=1, most=1_000_000
    )
    breaker_window_h: float = _number(24.0, "The breaker's window, in hours.", least=1, most=48)
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
    upgrade_wait_s: float = _number(
        900.0,
        "How long a shard waits at a record that only a newer release can read, before it is"
        " quarantined.",
        least=0,
        most=15 * 60,
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
        2.0,
        "How often one of the fleet asks SES for its quota; after a refusal it is asked at once.",
        least=1,
        most=60 * 60,
    )
    outage_probe_s: float = _number(
        5.0,
        "How long the fleet waits before it tries one message while SES lets nothing out; the wait"
        " doubles with each try, up to twelve times this.",
        least=0.5,
        most=60,
    )
    poll_interval_s: float = _number(
        0.5,
        "How long a reader waits at the end of a shard (5 reads a second and shard are for all);"
        " a second where much comes in.",
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
        "Whether workers write CloudWatch's embedded metrics to standard output.",
        allowed="on or off",
        pattern="on|off",
    )
    cloudwatch_every_s: float = _number(
        60.0, "Seconds between two writes of those metrics.", least=1, most=3600
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
        1800,
        "How long a child may take for a batch before the KCL's daemon ends itself. A batch may"
        " wait 15 minutes for an upgrade.",
        least=1200,
        most=24 * 60 * 60,
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
    # What comes later wins.
    for source in (_from_boto, _from_file, _from_environment):
        for name, value, place in source(environment):
            if name not in known:
                raise BadInput(f"{place}: there is no such setting, see {REFERENCE}")
            values[name] = checked(known[name], value, place)
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
