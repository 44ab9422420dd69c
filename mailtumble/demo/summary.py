"""The end of the demo: what went in, how it ended, and what did not end as it should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailtumble.demo.performance import Part
from mailtumble.ports.store import Item
from mailtumble.story import listed
from schemas.errors import MailtumbleError
from schemas.values import ENDED, Status


class DemoFailed(MailtumbleError):  # noqa: N818 - what happened
    """A mail did not end as it should, or the sum is not right."""


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


def sum_of(parts: Sequence[Part], items: Mapping[str, Item]) -> Sum:
    """Add up what the projection says of the mails that were handed in."""
    ended: Counter[str] = Counter()
    still_open = 0
    for part in parts:
        for status in _statuses(items.get(part.mail_id)):
            if status in ENDED:
                ended[status] += 1
            else:
                still_open += 1
    received = sum(part.scene.targets for part in parts)
    return Sum(len(parts), received, ended, still_open)


def _statuses(item: Item | None) -> list[str]:
    if item is None:
        return [Status.RECEIVED]
    targets: Any = item["targets"]
    return [str(each["status"]) for each in targets] or [str(item["status"])]


def late(parts: Sequence[Part], items: Mapping[str, Item]) -> list[str]:
    """What did not end as it should, in words."""
    wrong = []
    for part in parts:
        item = items.get(part.mail_id)
        if not part.has_ended(item):
            status = item["status"] if item else "not there"
            after = f" after {part.scene.attempts} attempts" if part.scene.attempts > 1 else ""
            wrong.append(f"{part.scene.title} ({part.recipient}): {status}, not {part.ends}{after}")
    return wrong
