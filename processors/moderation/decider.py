"""Moderation: may the mail go? The rules say so, or a moderator, or (in the end) the clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from processors.kernel import Obeyed
from processors.moderation.rules import Verdict
from schemas.events import (
    CommandGiven,
    Event,
    MailApproved,
    MailExpired,
    MailHeld,
    MailRejected,
    ModerationDecided,
    RouteReopened,
    RouteResolved,
    SendHeldBack,
    TargetReopened,
    TimerFired,
)
from schemas.values import BY_RULE, DAY_US, Command, ModerationAction, OnExpiry, TimerKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Moderation:
    """The state. ``outcome``: what was decided, in words; "" while nothing was.

    ``wanted``: a person wants the mail sent, who approved it or has it tried again: no rule holds
    it back any more.
    """

    held: bool = False
    rule: str = ""
    reason: str = ""
    expires_at: int = 0
    on_expiry: OnExpiry = OnExpiry.EXPIRE
    outcome: str = ""
    blocked: bool = False
    wanted: bool = False
    tags: tuple[str, ...] = ()

    @property
    def lets_pass(self) -> bool:
        """Whether the mail may be scheduled."""
        return not self.held and not self.blocked


INITIAL: Final = Moderation()


def evolve(state: Moderation, event: Event) -> Moderation:
    """Fold one event."""
    match event:
        case ModerationDecided(tags=tags):
            return replace(state, tags=tags)
        case MailHeld(rule=rule, reason=reason, expires_at=at, on_expiry=on_expiry):
            return replace(
                state,
                held=True,
                rule=rule,
                reason=reason,
                expires_at=at,
                on_expiry=on_expiry,
                wanted=False,
            )
        case MailApproved(by=by):
            wanted = not by.startswith(BY_RULE)
            outcome = f"approved by {by}"
            return replace(state, held=False, blocked=False, wanted=wanted, outcome=outcome)
        case MailRejected(by=by):
            return replace(state, held=False, blocked=True, outcome=f"rejected by {by}")
        case MailExpired(by=by):
            return replace(state, held=False, blocked=True, outcome=f"expired by {by}")
        case RouteReopened():
            return INITIAL
        case TargetReopened():
            # Whoever wants it tried again wants what was refused sent after all.
            return replace(state, blocked=False, wanted=True)
        case _:
            return state


def decide(
    state: Moderation, event: Event, verdict: Verdict | None, *, now: int
) -> tuple[Event, ...]:
    """React to a resolved route (``verdict`` is what the rules say of the mail) and the clock.

    And to an attempt that was held back: then ``verdict`` says how the mail is held, if it is.
    """
    match event:
        case RouteResolved() if verdict is not None and not state.outcome:
            return _by_rules(verdict, now)
        case SendHeldBack() if verdict is not None and not state.wanted:
            # Of a mail that is held already, another target: its clock runs, or has rung unheard.
            waits = state.held and now < state.expires_at
            return () if waits else (_hold(verdict, now),)
        case TimerFired(kind=TimerKind.MODERATION, due_at=at) if (
            state.held and at == state.expires_at
        ):
            return (_by_clock(state),)
        case _:
            return ()


def obey(state: Moderation, command: CommandGiven) -> Obeyed:
    """A moderator approves or rejects; the first one to do so is obeyed."""
    if not state.held:
        standing = state.outcome or "no rule holds it"
        return Obeyed.refused(f"the mail is not held: {standing}")
    if command.command is Command.APPROVE:
        approved = MailApproved(by=command.by, why=command.why)
        return Obeyed((approved,), "the mail is approved")
    rejected = MailRejected(by=command.by, why=command.why)
    return Obeyed((rejected,), "the mail is rejected")


def hold_again(state: Moderation, now: int) -> MailHeld:
    """A held mail that was parked meanwhile waits for a moderator again, for a day at least."""
    return MailHeld(
        rule=state.rule,
        reason=state.reason,
        expires_at=max(state.expires_at, now + DAY_US),
        on_expiry=state.on_expiry,
    )


def _by_rules(verdict: Verdict, now: int) -> tuple[Event, ...]:
    if not verdict.rule and not verdict.tags:
        return ()
    decided = ModerationDecided(
        action=verdict.action,
        rule=verdict.rule,
        reason=verdict.reason,
        tags=verdict.tags,
        rules_digest=verdict.rules_digest,
        rule_line=verdict.line,
    )
    match verdict.action:
        case ModerationAction.HOLD:
            return (decided, _hold(verdict, now))
        case ModerationAction.REJECT:
            return (decided, MailRejected(by=f"{BY_RULE}{verdict.rule}", why=verdict.reason))
        case _:
            return (decided,)


def _hold(verdict: Verdict, now: int) -> MailHeld:
    return MailHeld(
        rule=verdict.rule,
        reason=verdict.reason,
        expires_at=now + verdict.expires_after_us,
        on_expiry=verdict.on_expiry,
    )


def _by_clock(state: Moderation) -> Event:
    by, why = f"{BY_RULE}{state.rule}", "nobody decided in time"
    match state.on_expiry:
        case OnExpiry.APPROVE:
            return MailApproved(by=by, why=why)
        case OnExpiry.REJECT:
            return MailRejected(by=by, why=why)
        case OnExpiry.EXPIRE:
            return MailExpired(by=by, why=why)
