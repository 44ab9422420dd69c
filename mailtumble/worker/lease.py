"""One embedded host per application: a beating heart in a table, watched before it is replaced.

The fence of the cursors makes two owners harmless; this makes sure that there aren't two in the
first place, and that a host takes its dead predecessor's place by itself. No clocks are compared:
a heart that beats is seen to beat.

The KCL's fleet holds the place as one (:data:`FLEET`): its workers beat the same heart, and the
place is free once none of them does.
"""

from __future__ import annotations

import contextlib
from typing import Final

from mailtumble.ports.store import (
    Condition,
    ConditionFailed,
    Delete,
    Equals,
    Item,
    ItemStore,
    Put,
    Update,
)
from mailtumble.ports.world import Clock
from schemas.errors import MailtumbleError

BEAT_S: Final = 1.0
WATCHED_S: Final = 3.0
FLEET: Final = "the KCL's workers"
"""The holder that all workers of a fleet are; no host's name has blanks."""


class HostAlive(MailtumbleError):  # noqa: N818 - what was found
    """Another host of the same application is alive."""


def host_key(application: str) -> dict[str, str]:
    """The key of an application's heart, in the table ``fleet``."""
    return {"name": f"host#{application}"}


class HostLease:
    """The right to host an application in one process."""

    def __init__(self, store: ItemStore, application: str, holder: str) -> None:
        """``holder`` names this host, or is :data:`FLEET`."""
        self._store = store
        self._application = application
        self._holder = holder
        self._key = host_key(application)
        self._mine = Condition(exists=True, alternatives=((Equals("holder", holder),),))

    def acquire(self, clock: Clock) -> None:
        """Take a dead predecessor's place, having watched its heart for a while.

        Raises:
            HostAlive: the predecessor lives.
        """
        before = self._store.get("fleet", self._key)
        if before is not None and self._is_shared(before):
            self.beat()
            return
        if before is not None:
            waited = 0.0
            while waited < WATCHED_S:
                clock.sleep(BEAT_S / 2)
                waited += BEAT_S / 2
                now = self._store.get("fleet", self._key)
                if now is None:
                    break
                if now.get("beat") != before.get("beat") or now["holder"] != before["holder"]:
                    raise self._alive(now)
        self._take(before)

    def beat(self) -> None:
        """Show that this host is alive; every :data:`BEAT_S`.

        Raises:
            HostAlive: another one has taken the place.
        """
        try:
            self._store.write(Update("fleet", self._key, add={"beat": 1}, when=(self._mine,)))
        except ConditionFailed as error:
            raise self._alive(error.items[0]) from error

    def release(self) -> None:
        """Leave the place to whoever comes; a fleet's worker leaves it to the others."""
        if self._holder == FLEET:
            return
        with contextlib.suppress(ConditionFailed):  # another one has the place already
            self._store.write(Delete("fleet", self._key, (self._mine,)))

    def _take(self, before: Item | None) -> None:
        when = [Condition(exists=False)]
        if before is not None:
            last_seen = (
                Equals("holder", str(before["holder"])),
                Equals("beat", int(str(before["beat"]))),
            )
            when.append(Condition(exists=True, alternatives=(last_seen,)))
        item: Item = {**self._key, "holder": self._holder, "beat": 0}
        try:
            self._store.write(Put("fleet", item, tuple(when)))
        except ConditionFailed as error:
            now = error.items[0]
            if now is None or not self._is_shared(now):
                raise self._alive(now) from error
            self.beat()  # another worker of the same fleet was quicker

    def _is_shared(self, item: Item) -> bool:
        return self._holder == FLEET and item["holder"] == FLEET

    def _alive(self, item: Item | None) -> HostAlive:
        other = item["holder"] if item else "nobody"
        return HostAlive(f"{self._application} is hosted by {other}, which is alive: stop it first")
