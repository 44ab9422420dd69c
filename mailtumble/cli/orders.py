"""Giving commands: onto the log as facts, and waiting for what core answers to each."""

from __future__ import annotations

import getpass
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import uuid4

import click

from mailtumble.cli.output import (
    print_hint,
    print_json,
    print_line,
    print_table,
    progress_bar,
)
from mailtumble.cli.state import state_option
from mailtumble.wiring import Wiring
from mailtumble.worker.application import Fact
from mailtumble.worker.records import outgoing
from mailtumble.worker.views import answer_key, pauses_key
from processors.moderation.rules import NULL_SENDER
from processors.sending.schedule import CALENDAR_ENDS_AT
from schemas.errors import BadInput, MailtumbleError, RetryableError
from schemas.events import CommandGiven
from schemas.values import SECOND_US, Command

F = TypeVar("F", bound=Callable[..., Any])

DECIDER: Final = "operator"
ANSWERED_WITHIN_US: Final = 60 * SECOND_US
PAUSE_S: Final = 0.2
SHOWN_MAX: Final = 20
REASONS_SHOWN: Final = 5
NONE_LEFT_OUT: Final[Mapping[str, str]] = {}
UNITS_S: Final = {"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command about a subject; ``name`` is how a person knows it."""

    name: str
    subject: str
    command: Command
    at: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of it. ``accepted`` and ``text`` are None: core has not answered yet."""

    order: Order
    accepted: bool | None
    text: str | None


class Refused(MailtumbleError):  # noqa: N818 - an answer
    """Some command was refused: the answers say which and why."""


class Unanswered(RetryableError):  # noqa: N818 - an answer that is missing
    """Core has answered nothing for a while. ``answers``: of all commands, those that came too."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        """Count those that are missing."""
        missing = sum(1 for each in answers if each.accepted is None)
        super().__init__(
            f"{missing} of {len(answers)} commands are not answered yet: "
            "is core at work? They stand on the log, and are obeyed when it is"
        )
        self.answers = answers


def order_options(command: F) -> F:
    """Add ``--by`` and ``--why``, which stand on the log with the command."""
    command = click.option("--why", default="", help="The reason; it stands on the log.")(command)
    return click.option(
        "--by", default=None, metavar="NAME", help="Who wants it (default: your user name)."
    )(command)


def give(wired: Wiring, orders: Sequence[Order], by: str | None, why: str) -> list[Answer]:
    """Append the commands, and wait for core's answers as long as some come.

    Raises:
        Unanswered: core has not answered all; the commands stand on the log, and it will.
    """
    by = by or user_name()
    ids = [str(uuid4()) for _ in orders]
    now = wired.clock.now()
    facts = [
        Fact(
            command_id,
            order.subject,
            command_id,
            DECIDER,
            (
                CommandGiven(
                    command_id=command_id,
                    command=order.command,
                    by=by,
                    why=why,
                    at=order.at,
                    detail=order.detail,
                ),
            ),
        )
        for command_id, order in zip(ids, orders, strict=True)
    ]
    wired.stream().append([outgoing(fact, now) for fact in facts])
    return _await_answers(wired, dict(zip(ids, orders, strict=True)))


def _await_answers(wired: Wiring, waiting: dict[str, Order]) -> list[Answer]:
    store, generation = wired.store(), wired.settings.generation
    give_up_at = wired.clock.now() + ANSWERED_WITHIN_US
    found: dict[str, Answer] = {}
    with progress_bar(len(waiting), "Waiting for core's answers") as move:
        while len(found) < len(waiting):
            left = [command_id for command_id in waiting if command_id not in found]
            items = store.get_all("answers", [answer_key(generation, each) for each in left])
            come = {
                command_id: Answer(waiting[command_id], bool(item["accepted"]), str(item["answer"]))
                for command_id, item in zip(left, items, strict=True)
                if item is not None
            }
            now = wired.clock.now()
            if come:
                found |= come
                move(len(found))
                give_up_at = now + ANSWERED_WITHIN_US
            elif now > give_up_at:
                raise Unanswered(
                    [found.get(name) or Answer(each, None, None) for name, each in waiting.items()]
                )
            if len(found) < len(waiting):
                wired.clock.sleep(PAUSE_S)
    return [found[command_id] for command_id in waiting]


def carry_out(
    wired: Wiring,
    orders: Sequence[Order],
    by: str | None,
    why: str,
    *,
    as_json: bool = False,
    left_out: Mapping[str, str] = NONE_LEFT_OUT,
) -> None:
    """Give commands, and tell what became of them.

    ``left_out``: why some mails were given none, by id.

    Raises:
        Refused: some were not obeyed.
        Unanswered: core has not answered all; what it has answered is told.
    """
    try:
        answers = give(wired, orders, by, why)
    except Unanswered as error:
        try:
            tell(error.answers, as_json=as_json, left_out=left_out)
        except Refused as refused:
            raise Refused(f"{refused}; and {error}") from error
        raise
    tell(answers, as_json=as_json, left_out=left_out)


def tell(
    answers: Sequence[Answer], *, as_json: bool, left_out: Mapping[str, str] = NONE_LEFT_OUT
) -> None:
    """Print what became of the commands.

    Raises:
        Refused: some were not obeyed.
    """
    if as_json:
        shown = [
            {"id": each.order.name, "accepted": each.accepted, "answer": each.text}
            for each in answers
        ]
        print_json([*shown, *_left_out(left_out)])
    else:
        for each in answers:
            if each.accepted:
                print_line(f"{each.order.name}: {each.text}")
        _tell_left_out(left_out)
    refused = [each for each in answers if each.accepted is False]
    if refused:
        some = "; ".join(f"{each.order.name}: {each.text}" for each in refused[:SHOWN_MAX])
        more = f"; and {len(refused) - SHOWN_MAX} more" if len(refused) > SHOWN_MAX else ""
        raise Refused(f"refused: {some}{more}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a person gave to a command for one mail or many."""

    mail_ids: tuple[str, ...]
    sender: str | None
    recipient: str | None
    preview: bool
    yes: bool
    as_json: bool
    by: str | None
    why: str
    state_dir: Path | None
    debug: bool
    everything: bool = False
    rule: str | None = None
    status: str | None = None

    def fits(self, row: Mapping[str, Any]) -> bool:
        """Whether a mail's item is one of those meant by ``--sender`` and ``--recipient``."""
        return fits(row["envelope_sender"], self.sender) and fits(row["recipient"], self.recipient)


def bulk_options(*choosing: Callable[[F], F]) -> Callable[[F], F]:
    """Add IDs, ``choosing`` (how mails are chosen instead), and what every bulk command has."""
    options: tuple[Callable[[F], F], ...] = (
        click.argument("mail_ids", metavar="ID...", nargs=-1),
        *choosing,
        click.option("--sender", metavar="PATTERN", help="Those from such envelope senders."),
        click.option("--recipient", metavar="PATTERN", help="Those to such recipients."),
        click.option("--preview", is_flag=True, help="Show what would be done, and stop."),
        click.option("--yes", is_flag=True, help="Don't ask."),
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            help="An array of {id, accepted, answer}; null where nothing was done, or answered,"
            " yet; false also where a mail was left out.",
        ),
        order_options,
        state_option,
    )

    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def confirm(
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    what: Command,
    choice: Choice,
    left_out: Mapping[str, str] = NONE_LEFT_OUT,
) -> bool:
    """Whether to go on with these mails, one a row, the id first.

    A preview shows them and never goes on. Mails that were named by their ids are not asked
    about, others are shown and asked about. ``left_out``: why others that fit are not among them.

    Raises:
        BadInput: there is nobody to ask, and ``--yes`` was not given.
    """
    if not rows or choice.preview:
        if choice.as_json:
            undone = [{"id": row[0], "accepted": None, "answer": None} for row in rows]
            print_json([*undone, *_left_out(left_out)])
        elif rows:
            _show(headings, rows, what, left_out)
        else:
            _tell_left_out(left_out)
            print_hint("Nothing fits." if not left_out else "Nothing else fits.")
        return False
    if choice.yes or choice.mail_ids:
        return True
    if choice.as_json:
        raise BadInput(f"with --json nobody is asked: add --yes to {what} these {len(rows)}")
    _show(headings, rows, what, left_out)
    if not click.get_text_stream("stdin").isatty():
        raise BadInput(f"nobody is there to ask: add --yes to {what} these {len(rows)}")
    return click.confirm(f"{what.capitalize()} {len(rows)}?")


def _show(
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    what: Command,
    left_out: Mapping[str, str],
) -> None:
    print_table(headings, rows[:SHOWN_MAX])
    if len(rows) > SHOWN_MAX:
        print_line(f"... and {len(rows) - SHOWN_MAX} more")
    print_line(f"{len(rows)} to {what}")
    _tell_left_out(left_out)


def _tell_left_out(left_out: Mapping[str, str]) -> None:
    """How many were left out, by the reason; the most frequent ones by name."""
    if not left_out:
        return
    counts = Counter(left_out.values()).most_common()
    whys = [f"{count} {why}" for why, count in counts[:REASONS_SHOWN]]
    others = sum(count for _, count in counts[REASONS_SHOWN:])
    told = ", ".join([*whys, f"{others} for other reasons"] if others else whys)
    print_line(f"{len(left_out)} left out ({told}): name them by their ids to include them")


def _left_out(left_out: Mapping[str, str]) -> list[dict[str, object]]:
    return [
        {"id": each, "accepted": False, "answer": f"left out: {why}"}
        for each, why in left_out.items()
    ]


def fits(address: object, pattern: str | None) -> bool:
    """Whether an address matches a person's pattern (* and ?), whatever its case; None: any.

    The null sender is ``<>``, as it is shown.
    """
    if pattern is None:
        return True
    shown, wanted = (str(each).lower() or NULL_SENDER for each in (address, pattern))
    return fnmatchcase(shown, wanted)


def moment(text: str, now: int) -> int:
    """A time as people write it, in microseconds UTC: ISO 8601, or ``+90m`` from now on.

    Raises:
        BadInput: it is none, or the calendar does not go so far.
    """
    try:
        at = _parsed(text, now)
    except (ValueError, OverflowError) as error:
        raise BadInput(
            f"{text!r} is no time: give 2026-12-24T18:00Z (UTC where no zone is told) or +90m"
        ) from error
    if at >= CALENDAR_ENDS_AT:
        raise BadInput(f"{text!r} is too far away: the calendar ends with the year 9999")
    return at


def _parsed(text: str, now: int) -> int:
    if text.startswith("+") and text[-1] in UNITS_S and text[1:-1].isdecimal():
        return now + int(text[1:-1]) * UNITS_S[text[-1]] * SECOND_US
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    return round(parsed.timestamp() * SECOND_US)


def aws_time(wired: Wiring) -> int:
    """Now (microseconds UTC), by AWS's clock, for a moment that the workers are to keep.

    The clock learns from AWS's replies, and before the first one it is this machine's own, which
    may be minutes fast: so one call is made first, of the smallest kind.
    """
    wired.store().get("fleet", pauses_key(wired.settings.generation))
    return wired.clock.now()


def user_name() -> str:
    """Who sits at the keyboard."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user, in a container
        return "somebody"
