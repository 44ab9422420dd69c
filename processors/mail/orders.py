"""What a person may want of a mail, by how it stands."""

from __future__ import annotations

from dataclasses import replace

from processors.kernel import Obeyed
from processors.mail.state import Mail
from processors.moderation import decider as moderation
from processors.sending import orders
from processors.sending.decider import Moment
from schemas.events import CommandGiven, MailExpired, MailRejected, RouteReopened
from schemas.values import Command


def obey(mail: Mail, command: CommandGiven, moment: Moment) -> Obeyed:
    """What follows from the command; refused, with the reason, where nothing does."""
    if mail.received is None:
        return Obeyed.refused("nothing is known of the mail but its id")
    match command.command:
        case Command.APPROVE | Command.REJECT:
            return _moderate(mail, command)
        case Command.RETRY:
            return _retry(mail, command, moment)
        case Command.EXPIRE | Command.CANCEL if mail.waits:
            why = command.why or f"by {command.command}"
            if command.command is Command.EXPIRE:
                return Obeyed((MailExpired(by=command.by, why=why),), "the mail is expired")
            return Obeyed((MailRejected(by=command.by, why=why),), "the mail is cancelled")
        case _ if mail.ended_unrouted:
            return Obeyed.refused(f"the mail has no targets: it is {mail.unrouted}")
        case _:
            return orders.obey(mail.sending, command, moment)


def _moderate(mail: Mail, command: CommandGiven) -> Obeyed:
    if mail.moderation.held and not mail.is_held:
        return Obeyed.refused(f"the mail is not held: it is {mail.status}")
    return moderation.obey(mail.moderation, command)


def _retry(mail: Mail, command: CommandGiven, moment: Moment) -> Obeyed:
    """Try again what ended; what was refused only where it is named, not in bulk by its status."""
    if command.detail and mail.refused:
        return Obeyed.refused(f"left out: the mail was {mail.refused}")
    if mail.ended_unrouted and command.detail not in ("", mail.unrouted):
        return Obeyed.refused(f"the mail is not {command.detail}: it is {mail.unrouted}")
    if mail.ended_unrouted:
        expires_at = moment.now + moment.lifetime_us
        reopened = RouteReopened(by=command.by, expires_at=expires_at)
        return Obeyed((reopened,), "the mail is looked up again")
    again = orders.obey(mail.sending, command, moment)
    if again.accepted and mail.moderation.held:
        # Parked while it was held: it goes back to the moderators, not past them.
        held = moderation.hold_again(mail.moderation, moment.now)
        return replace(again, events=(*again.events, held))
    return again
