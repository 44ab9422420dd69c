"""Judge a world: is mail lost or sent twice, and do the views match the log?

The judge does not believe the workers. Loss and duplicates are counted from what the provider
accepted, against what SES took in and what the aliases were. The independent model of a message
then follows the log: :mod:`~tests.simulation.conduct` and :mod:`~tests.simulation.reports` judge
what was claimed and called, :mod:`~tests.simulation.decisions` what was decided, and
:mod:`~tests.simulation.aftermath` what the tables hold in the end.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mailtumble.sender import application as sender
from mailtumble.worker import core
from schemas.values import Command, Status, UnknownPolicy
from tests.simulation import plans
from tests.simulation.aftermath import leftovers
from tests.simulation.archived import archive_complaints
from tests.simulation.decisions import wrong_decisions
from tests.simulation.evidence import Evidence, attempt_of, gather
from tests.simulation.orders import ENDINGS, HELD
from tests.simulation.policies import broken_policies
from tests.simulation.readings import readings, unread_answers
from tests.simulation.replay import differences
from tests.simulation.reports import misconduct
from tests.simulation.verified import verification_complaints

if TYPE_CHECKING:
    from mailtumble.ports.store import Item
    from tests.simulation.plans import SentIn
    from tests.simulation.world import World

APPLICATIONS = (core.NAME, sender.NAME)


def verdict(world: World) -> list[str]:
    """Return all complaints about a world that has been run; empty if every promise was kept."""
    evidence, log = gather(world), readings(world)
    views = world.views()
    complaints = [] if world.rests else [_unrest(world)]
    for mail in world.sent_in:
        complaints.extend(_lost(world, evidence, mail, views.get(mail.mail_id)))
    complaints.extend(_doubled(world, evidence))
    complaints.extend(_sum(world, views))
    complaints.extend(_unquarantined(world))
    complaints.extend(_unanswered(world, views, evidence, unread_answers(log, core.NAME)))
    complaints.extend(wrong_decisions(log))
    complaints.extend(broken_policies(world, log))
    complaints.extend(misconduct(world, evidence, log))
    complaints.extend(leftovers(world, evidence, log))
    complaints.extend(differences(world))
    complaints.extend(archive_complaints(world))
    complaints.extend(verification_complaints(world))
    return complaints


def _unrest(world: World) -> str:
    statuses = world.statuses()
    open_mails = {mail.mail_id: statuses.get(mail.mail_id, "-") for mail in world.sent_in}
    return f"unrest: the world never came to rest; mails: {open_mails}"


def _lost(world: World, evidence: Evidence, mail: SentIn, view: Item | None) -> list[str]:
    """Check that the provider has the mail for all targets, and that the view agrees with it."""
    name = mail.mail_id
    if view is None:
        return [f"loss: {name} is not in the view"]
    took = {address for owner, address in evidence.accepted if owner == name}
    never = {address for owner, address in world.provider.impossible if owner == name}
    possible = world.aliases.answers_since(mail.alias, mail.arrived_at)
    if name in world.harmed:
        # It may have been looked up again, and one of its routes may be what could not be read.
        if took | never <= frozenset().union(*possible):
            return []
        return [f"loss: harmed {name} was sent to {sorted(took)}, which no route names"]
    targets: Any = view["targets"]
    shown = {str(target["address"]): Status(target["status"]) for target in targets}
    if _was_stopped(world, evidence, name, shown, view):
        # By a moderator, an operator or a rule's policy: what did not go is excused.
        return [] if took <= set(shown) else [f"loss: stopped {name} reached {sorted(took)}"]
    excused = {address for address in shown if _excused(world, evidence, name, shown, address)}
    settled = took | never | excused
    complaints = []
    if settled not in possible and not _expired_unrouted(world, view, settled):
        routes = sorted(map(sorted, possible))
        complaints.append(f"loss: {name} reached {sorted(settled)}, its routes were {routes}")
    if shown.keys() != settled:
        complaints.append(f"view: {name} shows {sorted(shown)}, it reached {sorted(settled)}")
    complaints.extend(
        f"view: {name} to {address} is {status}, the provider says {_truth(took, address)}"
        for address, status in shown.items()
        if address not in excused and status is not _truth(took, address)
    )
    return complaints


def _truth(took: set[str], address: str) -> Status:
    """Return how a target must end, given what the provider accepted, refused and reported."""
    if address not in took or plans.VIRUS in address:
        return Status.REJECTED
    return Status.BOUNCED if plans.BOUNCES in address else Status.COMPLETED


def _excused(
    world: World, evidence: Evidence, mail: str, shown: dict[str, Status], address: str
) -> bool:
    """Whether a target may have ended unsent: out of time, or parked by the policy in doubt."""
    if (mail, address) in evidence.accepted:
        return False
    if world.short_lived and shown[address] in {Status.EXPIRED, Status.PARKED}:
        return True
    if shown[address] is Status.REJECTED and _is_suppressed(world, evidence, address):
        return True
    parks = world.rules.on_unknown is UnknownPolicy.PARK
    return parks and shown[address] is Status.PARKED and (mail, address) in evidence.doubted()


def _was_stopped(
    world: World, evidence: Evidence, mail: str, shown: dict[str, Status], view: Item
) -> bool:
    """Whether somebody or some rule may have kept it from being sent."""
    ordered = world.ordered.get(mail, set())
    held = bool(world.rules.moderation) and str(view["recipient"]) == HELD
    held = held or mail in evidence.held_by_breaker()
    ended = {Status.REJECTED, Status.EXPIRED, Status.PARKED}
    stopped = not shown or any(status in ended for status in shown.values())
    return stopped and (held or bool(ordered & {*ENDINGS, Command.REJECT, Command.RETRY}))


def _is_suppressed(world: World, evidence: Evidence, address: str) -> bool:
    """Whether an address may be suppressed: by hand, or by an earlier bounce or complaint."""
    bad = plans.BOUNCES in address or plans.COMPLAINS in address
    earlier = any(each == address for _, each in evidence.accepted)
    return address in world.suppressed or (bad and earlier)


def _unanswered(
    world: World, views: dict[str, Item], evidence: Evidence, unread: set[str]
) -> list[str]:
    """Check that every command has one answer, and that one of approve and reject wins.

    ``unread``: commands whose answer lies in quarantine.
    """
    answers = {
        str(item["command_id"]).partition("#")[2]: bool(item["accepted"])
        for item in world.store.scan("answers")
        if str(item["command_id"]).startswith(f"{world.generation}#")
    }
    unanswered = sorted(world.commands.keys() - answers.keys() - unread)
    complaints = [f"answers: {name} has none" for name in unanswered]
    won: dict[str, list[Command]] = {}
    for name, given in world.commands.items():
        if answers.get(name) and given.command in (Command.APPROVE, Command.REJECT):
            won.setdefault(given.subject, []).append(given.command)
    for subject, commands in won.items():
        if len(commands) > 1:
            complaints.append(f"moderation: {subject} was decided twice: {commands}")
        mail = subject.removeprefix("mail:")
        sent = any(owner == mail for owner, _ in evidence.accepted)
        again = Command.RETRY in world.ordered.get(mail, set())
        if commands == [Command.REJECT] and sent and not again:
            complaints.append(f"moderation: {subject} was rejected, and sent")
        if commands == [Command.REJECT] and views[mail]["status"] != Status.REJECTED and not again:
            complaints.append(f"moderation: rejected {subject} is {views[mail]['status']}")
    return complaints


def _expired_unrouted(world: World, view: Item, settled: set[str]) -> bool:
    return world.short_lived and not settled and view["status"] == Status.EXPIRED


def _doubled(world: World, evidence: Evidence) -> list[str]:
    """Check that duplicates come from different attempts, in doubt, and are announced as such."""
    complaints = []
    tags = Counter(attempt_of(taken) for taken in world.provider.accepted)
    complaints.extend(
        f"duplicate: attempt {attempt} was accepted {count} times"
        for attempt, count in tags.items()
        if count > 1
    )
    known = {mail.mail_id for mail in world.sent_in}
    for (mail, address), times in evidence.accepted.items():
        if mail not in known:
            complaints.append(f"duplicate: {mail} was never taken in, and sent to {address}")
        # In the order of the attempts: a call that hung may reach the provider after the next one.
        attempts = sorted({attempt_of(taken) for taken in times}, key=evidence.place)
        for earlier, later in pairwise(attempts):
            complaint = _unexcused(world, evidence, mail, earlier, later)
            if complaint:
                complaints.append(f"duplicate: {mail} to {address}, {complaint}")
    return complaints


def _unexcused(world: World, evidence: Evidence, mail: str, earlier: str, later: str) -> str:
    """Return why a second message to the same recipient is wrong; "" if it is right."""
    announced = all(each.possible_duplicate for each in evidence.scheduled[later])
    if Command.RETRY in world.ordered.get(mail, set()):
        # A person wanted it so: it had come back, or nobody knew whether it was sent.
        known = announced or evidence.came_back_before(earlier, later)
        return "" if known else f"not announced by {later}, which a person wanted"
    if world.rules.on_unknown is UnknownPolicy.PARK:
        return "though the policy is to park"
    if earlier not in evidence.unknown:
        return f"after {earlier} without doubt"
    return "" if announced else f"not announced by {later}"


def _sum(world: World, views: dict[str, Item]) -> list[str]:
    """Check received = ended + open, with nothing open and every received message in the view."""
    received = len({mail.mail_id for mail in world.sent_in})
    kinds = Counter(str(view["status"]) for view in views.values())
    if sum(kinds.values()) == received:
        return []
    return [f"sum: {received} mails were taken in, the view holds {dict(kinds)}"]


def _unquarantined(world: World) -> list[str]:
    """Check that each reader has quarantined exactly the unreadable and the fatal records."""
    listed = {
        (str(item["application"]), str(item["sequence_number"]))
        for item in world.store.scan("quarantine")
        if str(item["quarantine_id"]).startswith(f"{world.generation}#")
    }
    due = set()
    for record in world.stream.all_records():
        for application in APPLICATIONS:
            place = (application, record.sequence_number)
            if record.data in world.garbage or place in world.poison.fatal:
                due.add(place)
    return [
        f"quarantine: {name} {'lacks' if (name, number) in due else 'wrongly has'} {number}"
        for name, number in sorted(due ^ listed)
    ]
