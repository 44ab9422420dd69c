"""A row of benchmarks/pacing.py: who sent under which limiter, what came of it, what was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from _measure import Cell

from processors.sending.control import FLEET, WHOLE
from processors.sending.pacing import AHEAD_SLICES
from schemas.values import SECOND_US

LEAST: Final = 0.95
"""What has to be used of a quota."""
FOLLOWED_WITHIN_S: Final = 5.0
"""After GetAccount shows another rate, the fleet sends at it."""

COLUMNS: Final = (
    "sender",
    "limiter",
    "senders",
    "per s",
    "aim %",
    "accepted",
    "throttled",
    "used %",
    "asked %",
    "CPU %, senders",
    "servers",
    "others",
    "remark",
)


class Cpu(NamedTuple):
    """What senders, servers and everything else on the machine took, as shares of one core."""

    senders: float
    servers: float
    others: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to, or several runs that differ in their seed: then the worst of each.

    Attributes:
        sender: what paced the calls, and where they were made.
        per_s: MaxSendRate; two numbers where it changed in the middle.
        fraction: the share of it that was aimed at; None for what aims at nothing.
        throttled: how many calls were refused, by the server's count.
        used: accepted calls as a share of what the quota allowed meanwhile.
        least: what ``used`` has to be at least; None where nothing is asked.
        refusable_us: for so long after the first refusal there may be others; 0: there may be none;
            None: nothing is asked.
        refused_for_us: from the first refusal to the last.
        refused_before: how many calls were refused before anything had changed; never any may be,
            where something is asked.
        lost: mails that SES never got, or that never ended.
        unmarked: mails that SES has accepted twice, and the log does not say that it may have.
        doubled: mails that SES has accepted twice; where they are to be marked there have to be
            some, or the row says nothing of it.
        cpu: what was taken of the cores; None in virtual time.
        remark: what else has to be known.
    """

    sender: str
    limiter: str
    senders: int
    per_s: str
    fraction: float | None
    accepted: int
    throttled: int
    used: float
    least: float | None = None
    refusable_us: int | None = 0
    refused_for_us: int = 0
    refused_before: int = 0
    lost: int = 0
    unmarked: int = 0
    doubled: int | None = None
    cpu: Cpu | None = None
    remark: str = ""

    def holds(self) -> bool:
        """Whether it is as was asked."""
        if self.lost or self.unmarked or self.doubled == 0:
            return False
        if self.least is not None and self.used < self.least:
            return False
        if self.refusable_us is None or not self.throttled:
            return True
        if self.refused_before:
            return False
        return bool(self.refusable_us) and self.refused_for_us <= self.refusable_us

    def row(self) -> tuple[Cell, ...]:
        """As the table has it."""
        return (
            self.sender,
            self.limiter,
            self.senders,
            self.per_s,
            _percent(self.fraction),
            self.accepted,
            self.throttled,
            _percent(self.used),
            _percent(self.least),
            *(round(100 * share) for share in self.cpu or ()),
            *(None,) * (0 if self.cpu else len(Cpu._fields)),
            self._remarks(),
        )

    def _remarks(self) -> str:
        refused = f"refused within {self.refused_for_us / SECOND_US:.1f} s"
        remarks = (
            "" if self.holds() else "NOT AS ASKED",
            refused if self.refusable_us and self.throttled else "",
            self.remark,
        )
        return ", ".join(filter(None, remarks))


def least_after_deaths(dead: int, of: int, seconds: float) -> float:
    """What has to be used of a quota for so long, where some of the senders die meanwhile.

    All but what the dead had in hand: the others, whose queues are not empty, take up the rest.
    """
    return LEAST * (1 - dead / of * AHEAD_SLICES / seconds)


def least_after_change(before: float, after: float, seconds: float) -> float:
    """What has to be used of a quota for so long, where its rate changes in the middle.

    Until a higher one is followed, the rest of it is lost. With a lower one nothing is asked until
    it is followed, since calls are refused; for these the fleet has cut its rate once, and comes
    back slowly: from then on it has to use what it has cut to.
    """
    half_s = seconds / 2
    until_s = min(FOLLOWED_WITHIN_S, half_s)
    if after > before:
        lost = (after - before) * until_s
    else:
        lost = after * (until_s + (1 - FLEET.cut / WHOLE) * (half_s - until_s))
    return LEAST * (1 - lost / ((before + after) * half_s))


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
