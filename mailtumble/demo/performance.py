"""Plays the scenes on a running local stack, awaits how they end, and tells it."""

from __future__ import annotations

import smtplib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from mailtumble.demo.scenes import ALIASES, SENDER, Scene
from mailtumble.history import History, read_history
from mailtumble.ports.store import Item
from mailtumble.story import listed, tell
from mailtumble.wiring import Wiring
from mailtumble.worker.views import mail_key
from schemas import ids
from schemas.errors import MailtumbleError
from schemas.values import ENDED, SECOND_US, Status

WITHIN_US: Final = 120 * SECOND_US
PAUSE_S: Final = 0.5

_IN_CHECKOUT = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "mail"
_IN_WHEEL = "mails"


class DemoFailed(MailtumbleError):  # noqa: N818 - what happened
    """A mail did not end as it should, or the sum is not right."""


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


def prepare(wired: Wiring) -> None:
    """Put the demo's aliases into the repository."""
    repository = wired.aliases()
    for alias, targets in ALIASES.items():
        repository.put(alias, targets, alias)


def hand_in(scenes: Sequence[Scene], smtp_port: int) -> list[Part]:
    """Send every scene's mail by SMTP, as any mail server would.

    Raises:
        OSError: the SMTP side does not take it.
    """
    parts = []
    with smtplib.SMTP("127.0.0.1", smtp_port, timeout=30) as smtp:
        for scene in scenes:
            smtp.ehlo_or_helo_if_needed()
            smtp.mail(SENDER)
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


def await_ends(
    wired: Wiring, parts: Sequence[Part], progress: Callable[[int], None]
) -> dict[str, Item]:
    """Wait until every mail stands as it is to end; their items by mail id.

    ``progress`` hears how many do. Gives up after two minutes: what is late then is told by the
    sum.
    """
    store, generation = wired.store(), wired.settings.generation
    keys = [{"mail_key": mail_key(generation, part.mail_id)} for part in parts]
    give_up_at = wired.clock.now() + WITHIN_US
    while True:
        items = store.get_all("mails", keys)
        pairs = list(zip(parts, items, strict=True))
        done = sum(1 for part, item in pairs if item and item["status"] == part.ends)
        progress(done)
        if done == len(parts) or wired.clock.now() > give_up_at:
            return {part.mail_id: item for part, item in pairs if item}
        wired.clock.sleep(PAUSE_S)


def stories(wired: Wiring, parts: Sequence[Part]) -> Iterator[tuple[Part, History]]:
    """Each mail's history, read from the stream itself."""
    for part in parts:
        history = read_history(
            wired.stream(),
            wired.store(),
            wired.settings.generation,
            part.mail_id,
            wired.clock.sleep,
        )
        yield part, history


def told(part: Part, history: History) -> list[str]:
    """A mail's story as lines of text."""
    lines = [f"{part.scene.title}, for {part.recipient}", f"  mail {part.mail_id}"]
    lines += [f"  {line}" for line in tell(history)]
    return [*lines, f"  => {history.status}"]


@dataclass(frozen=True, slots=True)
class Sum:
    """What went in by SMTP and how it ended, counted by target (rule 7).

    ``received`` is what was handed in: it does not come from the system under the demo.
    """

    mails: int
    received: int
    ended: Counter[str]
    open: int

    @property
    def is_right(self) -> bool:
        """Whether received = ended, with nothing left."""
        return self.open == 0 and self.received == sum(self.ended.values())

    def told(self) -> str:
        """The sum in words."""
        kinds = listed([f"{count} {kind}" for kind, count in sorted(self.ended.items())])
        ended = sum(self.ended.values())
        sign = "=" if self.is_right else "is not"
        received = f"received {self.received} ({self.mails} mails, counted by target)"
        return f"{received} {sign} ended {ended}: {kinds}; open {self.open}"


def sum_of(parts: Sequence[Part], items: dict[str, Item]) -> Sum:
    """Add up what the projection says of the mails that were handed in."""
    ended: Counter[str] = Counter()
    still_open = 0
    for part in parts:
        item = items.get(part.mail_id)
        for status in _statuses(item):
            if status in ENDED:
                ended[status] += 1
            else:
                still_open += 1
    received = sum(part.scene.targets for part in parts)
    return Sum(len(parts), received, ended, still_open)


def _statuses(item: Item | None) -> list[str]:
    if item is None:
        return [Status.RECEIVED]
    targets = item["targets"]
    assert isinstance(targets, list)  # noqa: S101 - the shape of our own item
    return [str(each["status"]) for each in targets] or [str(item["status"])]


def late(parts: Sequence[Part], items: dict[str, Item]) -> list[str]:
    """What did not end as it should, in words."""
    wrong = []
    for part in parts:
        item = items.get(part.mail_id)
        status = item["status"] if item else "not there"
        if status != part.ends:
            wrong.append(f"{part.scene.title} ({part.recipient}): {status}, not {part.ends}")
    return wrong
