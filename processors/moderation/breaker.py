"""The bounce-rate breaker: what comes back too often is held, before AWS stops the whole account.

AWS reviews an account at a bounce rate of 5 % and may pause it at 10 % (SES developer guide,
"Sender review process"). One alias whose target is gone, or one sender of spam, is enough for that;
the breaker holds the further mails of this alias, or of this sender, for a moderator. It is asked
when a mail is scheduled, and again before each attempt: a campaign is scheduled as a whole before
the first of it comes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from processors.kernel import Returns
from processors.moderation.rules import Verdict
from schemas.values import DAY_US, HOUR_US, ModerationAction, OnExpiry

RULE: Final = "breaker"
"""What it is called where rules are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """When it holds: of ``answered_min`` attempts or more, more than ``percent_max`` came back.

    ``window_us``: in which time, to the hour; ``expires_after_us``: how long a moderator has.
    """

    window_us: int = DAY_US
    answered_min: int = 20
    percent_max: float = 5.0
    expires_after_us: int = 3 * DAY_US

    def trips(self, returns: Returns) -> bool:
        """Whether it holds what has had these returns."""
        few = returns.answered < self.answered_min
        return not few and returns.returned * 100 > self.percent_max * returns.answered

    def may_trip(self, returned: int) -> bool:
        """Whether so many returns are enough, if the attempts are as few as they may be."""
        return self.trips(Returns(self.answered_min, returned))

    def judge(self, verdict: Verdict, of_alias: Returns, of_source: Returns) -> Verdict:
        """The verdict of the rules, unless it lets a mail pass that is to be held.

        A rule that passes mail says that its content is welcome; that its targets are gone is
        another matter.
        """
        if verdict.action is not ModerationAction.PASS:
            return verdict
        reason = self.tripped(of_alias, of_source)
        return self.hold(reason, verdict.tags) if reason else verdict

    def tripped(self, of_alias: Returns, of_source: Returns) -> str:
        """Why it holds a mail of which so much came back, in words; "" where it does not."""
        for whose, returns in (("to this alias", of_alias), ("of this sender", of_source)):
            if self.trips(returns):
                return self._reason(whose, returns)
        return ""

    def hold(self, reason: str, tags: tuple[str, ...] = ()) -> Verdict:
        """The verdict that holds a mail for this reason."""
        return Verdict(
            action=ModerationAction.HOLD,
            rule=RULE,
            reason=reason,
            tags=tags,
            expires_after_us=self.expires_after_us,
            on_expiry=OnExpiry.EXPIRE,
        )

    def _reason(self, whose: str, returns: Returns) -> str:
        percent = 100 * returns.returned / returns.answered
        return (
            f"{returns.returned} of {returns.answered} mails {whose} came back within "
            f"{self.window_us / HOUR_US:g} h: {percent:.1f} %, more than {self.percent_max:g} %"
        )


def source_of(envelope_sender: str) -> str:
    """What a mail's sender is counted as; "" for the null sender, whom everybody uses for bounces.

    The address, not its domain: a domain of a mail service has strangers in it, of whom one would
    have all others' mail held. Without what follows a ``+`` (RFC 5233), where lists and spammers
    write something new for each mail.
    """
    local, at, domain = envelope_sender.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}".lower() if at and local else ""
