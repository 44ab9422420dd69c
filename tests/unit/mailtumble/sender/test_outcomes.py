"""Outcomes on their way to the stream."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mailtumble.ports.stream import OutgoingRecord
from mailtumble.sender.outcomes import Outcomes
from mailtumble.worker.application import Fact
from schemas.codec import decode
from schemas.errors import PermanentError, RetryableError
from tests.fakes import InMemoryStream, VirtualClock
from tests.samples import accepted


class Flaky(InMemoryStream):
    """Takes nothing while it is out."""

    out = False
    denies = False
    appends = 0

    def append(self, records: Sequence[OutgoingRecord]) -> Sequence[str]:
        """Refuse, or take."""
        if self.out:
            raise RetryableError(f"{len(records)} not acknowledged")
        if self.denies:
            raise PermanentError("access denied")
        self.appends += 1
        return super().append(records)


@pytest.fixture
def stream() -> Flaky:
    """An empty one, of one shard."""
    return Flaky(VirtualClock(), shards=1)


def _fact(name: str) -> Fact:
    return Fact(name, f"mail:{name}", "attempt", "sender", (accepted(),))


def _told(stream: InMemoryStream) -> list[str]:
    (shard,) = stream.shards()
    return [decode(each.data).id for each in stream.reader(shard.id, after=None).read(99).records]


def test_they_are_appended_together_and_once(stream: Flaky) -> None:
    """In one call, whatever shards they come from."""
    outcomes = Outcomes(stream, VirtualClock())
    for name in ("a", "b", "c"):
        outcomes.add(_fact(name))
    outcomes.flush()
    outcomes.flush()
    assert _told(stream) == ["a", "b", "c"]
    assert stream.appends == 1


def test_they_are_kept_while_the_stream_is_out(stream: Flaky) -> None:
    """In their order, before those that come later; none is lost."""
    outcomes = Outcomes(stream, VirtualClock())
    stream.out = True
    for name in ("a", "b"):
        outcomes.add(_fact(name))
        with pytest.raises(RetryableError):
            outcomes.flush()
    stream.out = False
    outcomes.add(_fact("c"))
    outcomes.flush()
    assert _told(stream) == ["a", "b", "c"]


def test_whatever_the_stream_says_none_is_lost(stream: Flaky) -> None:
    """A grant may be missing: at its end the worker tries once more."""
    outcomes = Outcomes(stream, VirtualClock())
    stream.denies = True
    outcomes.add(_fact("a"))
    with pytest.raises(PermanentError):
        outcomes.flush()
    stream.denies = False
    outcomes.flush()
    assert _told(stream) == ["a"]


def test_all_are_heard_of_though_one_can_not_be_told(stream: Flaky) -> None:
    """The table of the fleet answers to some writes only."""
    outcomes = Outcomes(stream, VirtualClock())
    heard: list[str] = []

    def hear(each: Fact) -> None:
        if each.id == "a":
            raise RetryableError("the table does not answer")
        heard.append(each.id)

    for name in ("a", "b"):
        outcomes.add(_fact(name), hear)
    with pytest.raises(RetryableError):
        outcomes.flush()
    assert heard == ["b"]
    assert _told(stream) == ["a", "b"]
