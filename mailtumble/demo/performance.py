"""Plays the scenes on a running local stack: hands mail in, moderates, awaits how each ends."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from mailtumble.cli.aliases import put_aliases
from mailtumble.cli.moderation import decide
from mailtumble.demo.scenes import ALIASES, BUSY_S, HOUSE, Scene
from mailtumble.history import History, read_history
from mailtumble.ports.store import Item
from mailtumble.story import tell
from mailtumble.wiring import Wiring
from mailtumble.worker.views import mail_key
from schemas import ids
from schemas.values import Status

WITHIN_S: Final = 90.0
PAUSE_S: Final = 0.5
MODERATOR: Final = "the demo's moderator"
CROWD: Final = 50
"""Recipients of one call, as many as SES takes: some seconds' worth of its rate."""
BEFORE_S: Final = 0.5
REFUSED_S: Final = 0.1

_IN_CHECKOUT = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "mail"
_IN_WHEEL = "mails"

Items = dict[str, Item]
"""Items of the view ``mails`` by mail id."""


@dataclass(frozen=True, slots=True)
class Part:
    """One mail of a scene: that for one recipient."""

    scene: Scene
    recipient: str
    mail_id: str

    @property
    def ends(self) -> Status:
        """How it is to end."""
        return self.scene.recipients[self.recipient]

    def has_ended(self, item: Item | None) -> bool:
        """Whether it stands as it is to end, after as many attempts."""
        if item is None or item["status"] != self.ends:
            return False
        targets: Any = item["targets"]
        return all(each["attempts"] >= self.scene.attempts for each in targets) or not targets


def prepare(wired: Wiring) -> None:
    """Put the demo's aliases into the repository."""
    put_aliases(wired, ALIASES, "the demo")


def hand_in(scenes: Sequence[Scene], smtp_port: int) -> list[Part]:
    """Send every scene's mail by SMTP, as any mail server would.

    Raises:
        OSError: the SMTP side does not take it.
    """
    parts = []
    with smtplib.SMTP("127.0.0.1", smtp_port, timeout=30) as smtp:
        for scene in scenes:
            smtp.ehlo_or_helo_if_needed()
            smtp.mail(scene.sender)
            for recipient in scene.recipients:
                smtp.rcpt(recipient)
            code, reply = smtp.data(raw_mail(scene.file))
            if code != 250:  # noqa: PLR2004 - RFC 5321, section 4.2.3: completed
                raise smtplib.SMTPDataError(code, reply)
            ses_id = reply.decode("ascii").split()[-1]
            parts += [Part(scene, each, ids.mail_id(ses_id, each)) for each in scene.recipients]
    return parts


def raw_mail(file: str) -> bytes:
    """A real mail: from the checkout, or from the wheel's copy."""
    if _IN_CHECKOUT.is_dir():
        return (_IN_CHECKOUT / file).read_bytes()
    return resources.files("mailtumble.demo").joinpath(_IN_WHEEL, file).read_bytes()


def moderate(wired: Wiring, parts: Sequence[Part]) -> None:
    """Wait until what is to be held is held, and decide about it as the scenes say."""
    todo = [part for part in parts if part.scene.moderator is not None]
    give_up_at = time.monotonic() + WITHIN_S
    while time.monotonic() < give_up_at:
        items = _items(wired, todo)
        if all(items.get(part.mail_id, {}).get("status") == Status.HELD for part in todo):
            break
        wired.clock.sleep(PAUSE_S)
    for part in todo:
        if part.scene.moderator is not None:
            decide(wired, [part.mail_id], part.scene.moderator, MODERATOR, part.scene.title)


def crowd_out(wired: Wiring, parts: Sequence[Part]) -> None:
    """Use the account up, as another system of the same account does, till a send is throttled.

    What SES refuses the sender then is tried again by itself.
    """
    throttled = [part for part in parts if part.scene.attempts > 1]
    # Not much before it is due: what is refused meanwhile is a debt that has to be paid off.
    wired.clock.sleep(BUSY_S - BEFORE_S)
    give_up_at = time.monotonic() + WITHIN_S / 3
    while time.monotonic() < give_up_at:
        items = _items(wired, throttled)
        targets: Any = [target for item in items.values() for target in item["targets"]]  # type: ignore[union-attr]
        if targets and all(each["attempts"] > 1 for each in targets):
            return
        _send_as_others_do(wired)


def _send_as_others_do(wired: Wiring) -> None:
    crowd = [f"reader{number}@example.com" for number in range(CROWD)]
    try:
        wired.clients.ses.send_email(
            FromEmailAddress=f"newsletter@{HOUSE}",
            Destination={"ToAddresses": crowd},
            Content={"Raw": {"Data": b"Subject: to many\r\n\r\nNot of mailtumble's making.\r\n"}},
        )
    except wired.clients.ses.exceptions.TooManyRequestsException:
        # The account is at its limit, as it is meant to be.
        wired.clock.sleep(REFUSED_S)


def await_ends(wired: Wiring, parts: Sequence[Part], progress: Callable[[int], None]) -> Items:
    """Wait until every mail stands as it is to end; their items.

    ``progress`` hears how many do. Gives up after a while: what is late then is told by the sum.
    """
    give_up_at = time.monotonic() + WITHIN_S
    while True:
        items = _items(wired, parts)
        done = sum(1 for part in parts if part.has_ended(items.get(part.mail_id)))
        progress(done)
        if done == len(parts) or time.monotonic() > give_up_at:
            return items
        wired.clock.sleep(PAUSE_S)


def _items(wired: Wiring, parts: Sequence[Part]) -> Items:
    generation = wired.settings.generation
    keys = [{"mail_key": mail_key(generation, part.mail_id)} for part in parts]
    items = wired.store().get_all("mails", keys)
    return {part.mail_id: item for part, item in zip(parts, items, strict=True) if item}


def stories(wired: Wiring, parts: Sequence[Part]) -> Iterator[tuple[Part, History]]:
    """Each mail's history, read from the stream itself."""
    stream, store, generation = wired.stream(), wired.store(), wired.settings.generation
    for part in parts:
        yield part, read_history(stream, store, generation, part.mail_id, wired.clock.sleep)


def told(part: Part, history: History) -> list[str]:
    """A mail's story as lines of text."""
    lines = [f"{part.scene.title}, for {part.recipient}", f"  mail {part.mail_id}"]
    lines += [f"  {line}" for line in tell(history)]
    return [*lines, f"  => {history.status}"]
