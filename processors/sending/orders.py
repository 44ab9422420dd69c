"""What a person may want of a mail whose targets are known: another time, an end, another try."""

from __future__ import annotations

from collections import Counter

from processors.kernel import Obeyed
from processors.sending.decider import Moment, call_off_all
from processors.sending.targets import Sending
from schemas.events import (
    CommandGiven,
    SendCancelRequested,
    SendRescheduled,
    SendTimeSet,
    TargetReopened,
)
from schemas.values import Command, Status


def obey(sending: Sending, command: CommandGiven, moment: Moment) -> Obeyed:
    """What follows from the command; refused where it finds nothing to do."""
    match command.command:
        case Command.SEND_AT:
            return _send_at(sending, command, max(command.at, moment.now), moment)
        case Command.SEND_NOW:
            return _send_at(sending, command, moment.now, moment)
        case Command.EXPIRE:
            return _end(sending, command, Status.EXPIRED)
        case Command.CANCEL:
            return _end(sending, command, Status.REJECTED)
        case Command.RETRY:
            return _retry(sending, command)
        case _:
            return Obeyed.refused(f"a mail can't {command.command}")


def _send_at(sending: Sending, command: CommandGiven, at: int, moment: Moment) -> Obeyed:
    set_at = SendTimeSet(at=at, by=command.by)
    movable = (Status.RECEIVED, Status.HELD, Status.SCHEDULED)
    waits = [each for each in sending.targets if each.status in movable]
    if sending.targets and all(each.is_called_off for each in waits):
        return Obeyed.refused(f"nothing of the mail waits any more: {_standing(sending)}")
    moved = tuple(
        SendRescheduled(
            target=index,
            attempt_id=target.attempt_id,
            due_at=at,
            expires_at=at + moment.lifetime_us,
        )
        for index, target in enumerate(sending.targets)
        if target.status is Status.SCHEDULED and not target.is_called_off
    )
    what = "it is sent now" if command.command is Command.SEND_NOW else "its time is set"
    waited = "1 attempt was" if len(moved) == 1 else f"{len(moved)} attempts were"
    return Obeyed((set_at, *moved), f"{what}: {waited} waiting")


def _end(sending: Sending, command: CommandGiven, status: Status) -> Obeyed:
    events = call_off_all(sending, status, _by(command))
    if not events:
        over = all(target.has_ended for target in sending.targets)
        what = "the mail has ended" if over else "the mail is called off already"
        return Obeyed.refused(f"{what}: {_standing(sending)}")
    called_off = sum(isinstance(event, SendCancelRequested) for event in events)
    return Obeyed(events, f"{called_off} open targets are called off")


def _retry(sending: Sending, command: CommandGiven) -> Obeyed:
    """Reopen what failed; in bulk only what stands in the status that the command names.

    And in bulk nothing that somebody called off: who chooses by status has not looked at each.
    """
    failed = [
        index
        for index, target in enumerate(sending.targets)
        if target.has_ended
        and target.status is not Status.COMPLETED
        and command.detail in ("", target.status)
    ]
    if not failed:
        what = f"is {command.detail}" if command.detail else "has failed"
        return Obeyed.refused(f"nothing of the mail {what}: {_standing(sending)}")
    unwanted = [each for each in failed if command.detail and sending.targets[each].is_called_off]
    left_out = f"{len(unwanted)} left out that somebody called off"
    again = [index for index in failed if index not in unwanted]
    if not again:
        return Obeyed.refused(left_out)
    events = tuple(TargetReopened(target=index, by=command.by) for index in again)
    told = f"{len(again)} targets are tried again"
    return Obeyed(events, f"{told}, {left_out}" if unwanted else told)


def _by(command: CommandGiven) -> str:
    return f"{command.command} by {command.by}" + (f": {command.why}" if command.why else "")


def _standing(sending: Sending) -> str:
    if not sending.targets:
        return "it is still looked up"
    counts = Counter(
        f"{target.status} and called off" if target.is_called_off else str(target.status)
        for target in sending.targets
    )
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
