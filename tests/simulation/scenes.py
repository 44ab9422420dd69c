"""Situations that a run has to bring about, or it proves little: how often each occurred."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from mailtumble.archive import heads
from mailtumble.archive import shard as archive
from processors.fleet.decider import AT
from schemas.events import (
    AddressSuppressed,
    BounceReceived,
    CommandAnswered,
    CommandGiven,
    ComplaintReceived,
    DeliveryConfirmed,
    Event,
    MailApproved,
    MailExpired,
    MailHeld,
    MailRejected,
    RecordRedriven,
    RouteDeferred,
    RouteExpired,
    RouteNotFound,
    RouteResolved,
    SendAccepted,
    SendCancelled,
    SendDeferred,
    SendExpired,
    SendFailed,
    SendHeldBack,
    SendingPaused,
    SendingStopped,
    SendRescheduled,
    SendStarted,
    SendSuppressed,
    SendUnknown,
    TargetReopened,
    TimerFired,
)
from schemas.values import BY_RULE, Command, Observer, TimerKind
from tests.simulation.evidence import gather

if TYPE_CHECKING:
    from tests.simulation.evidence import Evidence
    from tests.simulation.world import World

NOTED: Final = (
    "commit refused",
    "claim refused",
    "transaction conflict",
    "PutRecords failed in part",
    "core lost a shard",
    "sender lost a shard",
    "archive lost a shard",
    "frozen at ses send",
    "frozen at dynamodb transact claim",
    "clock wrong at the start",
    "clock set forward",
    "clock set back",
    "slices dropped by their time to live",
    "claims dropped by their time to live",
    "record past its retention",
    "shard forgotten",
    "frozen at s3 get",
    "generation changed",
)
"""What no record shows, counted where it happens: :meth:`tests.simulation.faults.Faults.note`."""

_PLAIN: Final[dict[type[Event], str]] = {
    MailHeld: "mail held",
    AddressSuppressed: "address suppressed",
    RecordRedriven: "record redriven",
    RouteExpired: "expired before it was routed",
    SendCancelled: "send cancelled",
    SendExpired: "expired by the sender",
    SendHeldBack: "held back before the call",
    SendSuppressed: "send suppressed",
    SendingStopped: "stopped by SES",
    SendRescheduled: "send rescheduled",
    TargetReopened: "target reopened",
}

_ANSWERED: Final = {
    Command.SEND_NOW: "sent now by command",
    Command.SEND_AT: "send time set by command",
    Command.CANCEL: "cancelled by command",
    Command.EXPIRE: "expired by command",
    Command.RETRY: "retried by command",
    Command.RELEASE: "address released by command",
}

SCENES: Final = (
    "void decision",
    "decided again",
    "fact repeated",
    "record quarantined",
    "decision quarantined",
    "two answers to one look-up",
    "shard split or merged",
    "feedback before the outcome",
    "feedback after the outcome",
    "outcome after SendUnknown",
    "outcome of an earlier round",
    "SendStarted after its claim's deadline",
    "claim without SendStarted",
    "sent twice in doubt",
    "refused for good",
    "mail unroutable",
    "mail bounced",
    "mail rejected",
    "mail parked",
    "mail expired",
    "mail completed",
    "held by the breaker",
    "approved",
    "approved against rejected",
    "rejected by a moderator",
    "approved by the clock",
    "rejected by the clock",
    "expired by the clock",
    "command refused",
    "everything paused",
    "tenant paused",
    "domain paused",
    "transaction known by its token",
    "large item",
    "archive taken over",
    "segment outside of the chain",
    *_PLAIN.values(),
    *_ANSWERED.values(),
    *NOTED,
)

LARGE_BYTES: Final = 100 * 1024
"""A quarter of what DynamoDB takes."""

LEAST: Final = 20
OF_SEEDS: Final = 300
"""Each scene has to occur at least so often in so many seeds; in fewer, in proportion."""

_ROUTES = (RouteResolved, RouteNotFound, RouteDeferred)


def least(seeds: int) -> int:
    """How often each scene has to occur in a run of so many seeds."""
    return LEAST * seeds // OF_SEEDS


def scenes(world: World) -> Counter[str]:
    """How often each of :data:`SCENES` occurred in a world."""
    evidence = gather(world)
    events = evidence.events()
    found: Counter[str] = Counter({name: world.faults.noted[name] for name in NOTED})
    for tally in world.tallies:
        found["void decision"] += tally.void
        found["decided again"] += tally.decided_again
        found["fact repeated"] += tally.repeated
        found["record quarantined"] += tally.quarantined
    found.update(f"mail {status}" for status in world.statuses().values())
    found["shard split or merged"] += sum(1 for each in world.stream.every_shard() if each.parents)
    found["refused for good"] += len(world.provider.impossible)
    found["two answers to one look-up"] += _contradictions(evidence)
    found["sent twice in doubt"] += sum(len(each) - 1 for each in evidence.accepted.values())
    found["held by the breaker"] += len(evidence.held_by_breaker())
    found["decision quarantined"] += _quarantined_decisions(world, evidence)
    found["transaction known by its token"] += world.dynamo.repeated
    found["large item"] += world.store.heaviest >= LARGE_BYTES
    found["archive taken over"] += _takeovers(world)
    found["segment outside of the chain"] += _orphans(world)
    found.update(filter(None, map(_what, events)))
    _tell_of_rounds(events, found)
    _tell_of_outcomes(events, found)
    _tell_of_commands(world, events, found)
    return found


def _what(event: Event) -> str:
    """What of moderators, operators and addresses an event is an instance of."""
    match event:
        case MailApproved(by=by):
            return "approved by the clock" if by.startswith(BY_RULE) else "approved"
        case MailRejected(by=by):
            by_rule = by.startswith(BY_RULE)
            return "rejected by the clock" if by_rule else "rejected by a moderator"
        case MailExpired(by=by) if by.startswith(BY_RULE):
            return "expired by the clock"
        case CommandAnswered(accepted=False):
            return "command refused"
        case SendingPaused(scope=scope):
            kind = "domain" if scope.startswith(AT) else "tenant"
            return f"{kind} paused" if scope else "everything paused"
        case _:
            return _PLAIN.get(type(event), "")


def _contradictions(evidence: Evidence) -> int:
    """Causes that were decided twice, with other answers from outside."""
    answers: dict[str, set[str]] = {}
    for _, envelope in evidence.log:
        route = next((each for each in envelope.events if isinstance(each, _ROUTES)), None)
        if route is not None:
            version = route.alias_version if isinstance(route, RouteResolved) else ""
            answers.setdefault(envelope.id, set()).add(f"{type(route).__name__} {version}")
    return sum(1 for each in answers.values() if len(each) > 1)


def _quarantined_decisions(world: World, evidence: Evidence) -> int:
    fatal = {number for _, number in world.poison.fatal}
    return sum(
        1
        for record, envelope in evidence.log
        if record.sequence_number in fatal and envelope.is_decision
    )


def _takeovers(world: World) -> int:
    """How often another worker took a shard of the archive over."""
    prefix = f"{archive.NAME}#"
    epochs = [
        item.get("epoch")
        for item in world.store.scan("cursors")
        if str(item["cursor"]).startswith(prefix)
    ]
    return sum(epoch - 1 for epoch in epochs if isinstance(epoch, int))


def _orphans(world: World) -> int:
    """Segments that were written by a worker that lost its shard before it moved the head."""
    chained = sum(head.segments for head in heads.every(world.store))
    return len(world.objects.keys(world.archive)) - chained


def _tell_of_rounds(events: list[Event], found: Counter[str]) -> None:
    """What came too late for its round."""
    started: set[tuple[str, int]] = set()
    lapsed: set[tuple[str, int]] = set()
    last: dict[str, int] = defaultdict(int)
    for event in events:
        match event:
            case SendStarted(attempt_id=attempt, round=number):
                found["SendStarted after its claim's deadline"] += (attempt, number) in lapsed
                started.add((attempt, number))
                last[attempt] = max(last[attempt], number)
            case TimerFired(kind=TimerKind.CLAIM, attempt_id=attempt, number=number):
                if (attempt, number) not in started:
                    found["claim without SendStarted"] += 1
                    last[attempt] = max(last[attempt], number + 1)
                lapsed.add((attempt, number))
            case SendDeferred(attempt_id=attempt, round=number):
                found["outcome of an earlier round"] += number < last[attempt]
            case _:
                pass


def _tell_of_outcomes(events: list[Event], found: Counter[str]) -> None:
    """What came in which order about the attempts."""
    outcomes: set[str] = set()
    unknown: set[str] = set()
    early: set[str] = set()
    for event in events:
        match event:
            case SendUnknown(attempt_id=attempt):
                unknown.add(attempt)
            case SendAccepted(attempt_id=attempt, observed_by=Observer.CALL):
                found["feedback before the outcome"] += attempt in early
                found["outcome after SendUnknown"] += attempt in unknown
                outcomes.add(attempt)
            case SendDeferred() | SendFailed():
                found["outcome after SendUnknown"] += event.attempt_id in unknown
            case DeliveryConfirmed() | BounceReceived() | ComplaintReceived():
                found["feedback after the outcome"] += event.attempt_id in outcomes
                early.add(event.attempt_id)
            case _:
                pass


def _tell_of_commands(world: World, events: list[Event], found: Counter[str]) -> None:
    """What people's commands came to, and moderators who were at odds."""
    given = {event.command_id: event for event in events if isinstance(event, CommandGiven)}
    answers = {
        event.command_id: event.accepted for event in events if isinstance(event, CommandAnswered)
    }
    for name, accepted in answers.items():
        if accepted and name in given:
            found[_ANSWERED.get(given[name].command, "")] += 1
    moderated: dict[str, set[tuple[Command, bool]]] = defaultdict(set)
    for name, order in world.commands.items():
        if order.command in (Command.APPROVE, Command.REJECT) and name in answers:
            moderated[order.subject].add((order.command, answers[name]))
    found["approved against rejected"] += sum(1 for each in moderated.values() if len(each) > 1)
