"""What became of the mails, by the stream itself and by what the local SES has accepted."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from mailtumble.ports.stream import EventStream
from mailtumble.sender.transmission import TAG_MAIL
from schemas import codec
from schemas.events import SendScheduled
from schemas.ids import mail_of
from schemas.values import SECOND_US

READ_LIMIT: Final = 2_000


@dataclass(slots=True)
class Kind:
    """One kind of event on the stream: how often, for which mails, from when to when (seconds)."""

    count: int = 0
    mails: set[str] = field(default_factory=set)
    first: float = float("inf")
    last: float = 0.0

    def seen(self, mail: str, at: float) -> None:
        """Count one."""
        self.count += 1
        self.mails.add(mail)
        self.first, self.last = min(self.first, at), max(self.last, at)


@dataclass(slots=True)
class OnStream:
    """Everything on the stream: records, bytes, and events by kind."""

    records: int = 0
    size_bytes: int = 0
    kinds: dict[str, Kind] = field(default_factory=dict)
    marked: set[str] = field(default_factory=set)
    """Mails of which the log says that they may have been sent twice."""

    def of(self, kind: str) -> Kind:
        """One kind; nothing of it if there was none."""
        return self.kinds.get(kind, Kind())


def read_stream(stream: EventStream) -> OnStream:
    """Read it from its beginning to its present end."""
    found = OnStream()
    for shard in stream.shards():
        reader = stream.reader(shard.id, after=None)
        while records := reader.read(READ_LIMIT).records:
            for record in records:
                found.records += 1
                found.size_bytes += len(record.data)
                mail = mail_of(record.subject)
                if mail is None:
                    continue
                for event in codec.decode(record.data).events:
                    if isinstance(event, SendScheduled) and event.possible_duplicate:
                        found.marked.add(mail)
                    kind = found.kinds.setdefault(type(event).__name__, Kind())
                    kind.seen(mail, record.arrived_at / SECOND_US)
    return found


@dataclass(frozen=True, slots=True)
class Sent:
    """What SES has accepted: how often each mail, and when (seconds since 1970, ascending)."""

    mails: Counter[str]
    at: Sequence[float]

    @property
    def doubled(self) -> set[str]:
        """The mails that it has accepted more often than once."""
        return {mail for mail, count in self.mails.items() if count > 1}

    @classmethod
    def of(cls, entries: Iterable[Any]) -> Sent:
        """Out of the local SES's list."""
        mails: Counter[str] = Counter()
        at = []
        for each in entries:
            mails[each["tags"].get(TAG_MAIL, "")] += 1
            at.append(datetime.fromisoformat(each["accepted_at"]).timestamp())
        return cls(mails, sorted(at))


class LocalSes:
    """The local SES's own pages."""

    def __init__(self, url: str) -> None:
        """Ask at this endpoint."""
        self._url = url

    def sent(self) -> Sent:
        """What it has accepted."""
        return Sent.of(self._ask("/_local/sent"))

    def stats(self) -> dict[str, int]:
        """Its counters."""
        found: dict[str, int] = self._ask("/_local/stats")
        return found

    def _ask(self, path: str) -> Any:  # noqa: ANN401 - JSON
        with urllib.request.urlopen(self._url + path, timeout=60) as answer:  # noqa: S310
            return json.load(answer)
