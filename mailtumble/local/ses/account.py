"""The sending account: its settings, quotas, limiter and counters.

The time of every call comes in as an argument (microseconds, never going back).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from mailtumble.local.ses.limiters import LIMITERS, DailyLedger, Peak, PeakMeter

UNLIMITED = -1
"""As in ``GetAccount``: no daily quota."""

RATE_MAX = 1_000_000
LATENCY_MS_MAX = 600_000


REFUSALS = {
    "disabled": ("SendingPausedException", "Account sending is disabled."),
    "paused": ("SendingPausedException", "Sending is paused for the configuration set."),
    "suspended": ("AccountSuspendedException", "Account has been suspended."),
}
"""Why an account lets nothing out: the code of SES v2, and a message."""
UNVERIFIED = "unverified "


class ApiError(Exception):
    """A refusal in the words of the SES v2 API: error code, HTTP status, message."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        """Refuse with ``code`` (the name of the exception's shape) and a message for people."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def too_fast() -> ApiError:
    """Make the refusal of a call above the rate."""
    return ApiError("TooManyRequestsException", "Maximum sending rate exceeded.", 429)


def over_daily_quota() -> ApiError:
    """Make the refusal of a call above the daily quota.

    Which code v2 uses for it is not documented. It is the one of a call that is
    too fast, so a caller has to look at code and message together.
    """
    return ApiError("TooManyRequestsException", "Daily message quota exceeded.", 429)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """What can be changed while the process runs.

    ``refuses``: why every send is refused (:data:`REFUSALS`), or ``unverified DOMAIN`` for those
    from addresses of one domain; where ``disabled``, GetAccount says so too.

    ``latency_ms`` passes between the decision on a call and its reply.
    ``error_rate`` is the share of sends that fail with an internal error and
    send nothing; ``lost_reply_rate`` the share that are accepted but whose
    connection is closed without a reply. ``seed`` makes both repeatable.
    """

    rate: float = 14.0
    daily_quota: int = 50_000
    limiter: str = "debt"
    latency_ms: int = 0
    error_rate: float = 0.0
    lost_reply_rate: float = 0.0
    refuses: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError for what can't be meant."""
        _check(0 < self.rate <= RATE_MAX, f"rate must be above 0 and at most {RATE_MAX}")
        _check(self.daily_quota >= UNLIMITED, "daily_quota must be -1 (no limit) or more")
        _check(self.limiter in LIMITERS, f"limiter must be one of {', '.join(LIMITERS)}")
        _check(0 <= self.latency_ms <= LATENCY_MS_MAX, f"latency_ms must be 0 to {LATENCY_MS_MAX}")
        known = self.refuses in {"", *REFUSALS} or self.refuses.startswith(UNVERIFIED)
        _check(known, f"refuses must be empty, {', '.join(REFUSALS)}, or {UNVERIFIED}DOMAIN")
        _check(0 <= self.error_rate <= 1, "error_rate must be 0 to 1")
        _check(0 <= self.lost_reply_rate <= 1, "lost_reply_rate must be 0 to 1")

    def changed(self, changes: Mapping[str, Any]) -> AccountSettings:
        """Return the settings with some of them replaced. Raises ValueError."""
        types = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        values: dict[str, Any] = {}
        for name, value in changes.items():
            _check(name in types, f"there is no setting {name!r}")
            wanted = types[name]
            given = float(value) if wanted is float and type(value) is int else value
            _check(type(given) is wanted, f"{name} must be of type {wanted.__name__}")
            values[name] = given
        return replace(self, **values)


@dataclass(slots=True)
class Counters:
    """What the account has done since the process started, in calls."""

    accepted: int = 0
    throttled: int = 0
    daily_refused: int = 0
    rejected: int = 0
    stopped: int = 0
    failed: int = 0


class SendingAccount:
    """An SES account of one region, as its sending limits see it."""

    def __init__(self, settings: AccountSettings) -> None:
        """Begin with nothing sent."""
        self.settings = settings
        self.counters = Counters()
        self._limiter = LIMITERS[settings.limiter](settings.rate)
        self._ledger = DailyLedger()
        self._peak = PeakMeter()
        self._random = random.Random(settings.seed)  # noqa: S311 - to repeat, not to hide

    def lets_out(self, domain: str) -> None:
        """Let mail from a domain pass, or raise ApiError where nothing of it is to leave."""
        refuses = self.settings.refuses
        if refuses in REFUSALS:
            self.counters.stopped += 1
            raise ApiError(*REFUSALS[refuses])
        if refuses and domain == refuses.removeprefix(UNVERIFIED):
            self.counters.stopped += 1
            message = f"The domain {domain} is not verified."
            raise ApiError("MailFromDomainNotVerifiedException", message)

    def admit(self, now_us: int, recipients: int) -> None:
        """Count a send to this many recipients, or raise ApiError and count nothing."""
        quota = self.settings.daily_quota
        if quota != UNLIMITED and self._ledger.total(now_us) + recipients > quota:
            self.counters.daily_refused += 1
            raise over_daily_quota()
        if not self._limiter.admit(now_us, recipients):
            self.counters.throttled += 1
            raise too_fast()
        self._ledger.add(now_us, recipients)
        self._peak.add(now_us, recipients)
        self.counters.accepted += 1

    def fails_now(self) -> bool:
        """Draw whether this send fails inside SES, and count it."""
        fails = self._random.random() < self.settings.error_rate
        self.counters.failed += fails
        return fails

    def loses_reply(self) -> bool:
        """Draw whether the reply to this accepted send gets lost."""
        return self._random.random() < self.settings.lost_reply_rate

    def change(self, now_us: int, changes: Mapping[str, Any]) -> None:
        """Change settings. Raises ValueError, and then nothing has changed.

        Another limiter starts with nothing sent; another rate keeps its memory.
        A seed that is given starts the draws afresh.
        """
        before, self.settings = self.settings, self.settings.changed(changes)
        if self.settings.limiter != before.limiter:
            self._limiter = LIMITERS[self.settings.limiter](self.settings.rate)
        elif self.settings.rate != before.rate:
            self._limiter.change_rate(now_us, self.settings.rate)
        if "seed" in changes:
            self._random.seed(self.settings.seed)

    def describe(self, now_us: int) -> dict[str, Any]:
        """Return the output of ``GetAccount``."""
        return {
            "DedicatedIpAutoWarmupEnabled": False,
            "EnforcementStatus": "HEALTHY",
            "ProductionAccessEnabled": True,
            "SendQuota": {
                "Max24HourSend": float(self.settings.daily_quota),
                "MaxSendRate": float(self.settings.rate),
                "SentLast24Hours": float(self._ledger.total(now_us)),
            },
            "SendingEnabled": self.settings.refuses != "disabled",
            "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
        }

    def peak(self, from_us: int) -> Peak:
        """Return the highest rates since a moment, a day ago at most."""
        return self._peak.since(from_us)

    def stats(self) -> dict[str, int]:
        """Return the counters (calls) and ``peak_per_second`` (recipients)."""
        return {**asdict(self.counters), "peak_per_second": self._peak.peak}


def _check(condition: object, message: str) -> None:
    if not condition:
        raise ValueError(message)
