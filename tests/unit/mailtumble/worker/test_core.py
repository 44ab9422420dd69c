"""Core: an outage of the repository is an answer, and every accepted record shows in the views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from mailtumble import throughput
from mailtumble.ports.store import Update
from mailtumble.ports.stream import StoredRecord
from mailtumble.ports.world import AliasEntry, AliasUnreadable
from mailtumble.worker.application import Accepted, Question, Reaction, Span
from mailtumble.worker.core import Core, CoreRules
from mailtumble.worker.headers import HeaderReader
from mailtumble.worker.views import iso
from processors import mail
from processors.kernel import Timer
from processors.routing.decider import Found, NotFound, Unavailable
from processors.throughput.projection import Grain
from schemas.codec import encode
from schemas.envelope import EventEnvelope
from schemas.errors import RetryableError
from schemas.events import Event, RecordQuarantined, RecordRedriven, RouteDeferred
from schemas.values import DAY_US, SECOND_US, TimerKind
from tests.fakes import InMemoryAliases, InMemoryObjects
from tests.samples import (
    MAIL_ID,
    RECEIVED_AT,
    SUBJECT,
    accepted,
    after,
    delivered,
    fact,
    fired,
    received,
    resolved,
    scheduled,
    unknown,
)

QUARANTINED = RecordQuarantined(
    application="sender",
    shard_id="shard-0",
    sequence_number="7",
    partition_key="mail:x",
    reason="not msgpack",
    bucket="mail",
    object_key="quarantine/sender/shard-0/7",
)


GOOD = ("good@example.com", "@example.com")


class Down(InMemoryAliases):
    """A repository that doesn't answer."""

    def find(self, names: Sequence[str]) -> Mapping[str, AliasEntry]:
        """Nothing but an error."""
        message = f"no answer about {len(names)} names"
        raise RetryableError(message)


class Broken(InMemoryAliases):
    """A repository with an entry that is none."""

    def find(self, names: Sequence[str]) -> Mapping[str, AliasEntry]:
        """The good ones come with the complaint."""
        good = {name: AliasEntry(name, 1, "shop", ("bob@example.org",)) for name in GOOD}
        problems = {name: "tenant is not a text" for name in names if name.startswith("bad@")}
        raise AliasUnreadable(problems, good)


def _core(aliases: InMemoryAliases | None = None) -> Core:
    headers = HeaderReader(InMemoryObjects(), frozenset())
    return Core(aliases or InMemoryAliases(), headers, CoreRules(), "g1")


def _react(record: EventEnvelope, *before: Event) -> Reaction:
    state = mail.fold(mail.INITIAL, before)
    stored = StoredRecord("9".zfill(64), record.subject, encode(record), RECEIVED_AT)
    return _core().react(
        Accepted(
            record=record,
            stored=stored,
            shard_id="shard-0",
            before=state,
            after=mail.fold(state, record.events),
            spans=(Span("shard-0", "8", "9"),),
        )
    )


def test_a_whole_batch_is_looked_up_at_once() -> None:
    """Each fact gets the entry of its own most particular name, or that there is none."""
    aliases = InMemoryAliases()
    aliases.put("sales@example.com", ["bob@example.org"], "shop")
    aliases.put("@example.com", ["all@example.org"], "shop")
    answers = _core(aliases).answers(
        [
            Question(("sales+x@example.com", "sales@example.com", "@example.com")),
            Question(("other@example.com", "@example.com")),
            Question(("a@example.net", "@example.net")),
        ]
    )
    assert answers == [
        Found("sales@example.com", 1, "shop", ("bob@example.org",)),
        Found("@example.com", 1, "shop", ("all@example.org",)),
        NotFound(),
    ]


def test_an_outage_is_an_answer_for_everybody() -> None:
    """It defers each mail of the batch, and ends no worker."""
    answers = _core(Down()).answers([Question(("a@example.com",)), Question(("b@example.com",))])
    assert answers == [Unavailable("no answer about 2 names")] * 2


def test_a_broken_entry_defers_the_mails_that_may_be_its_own() -> None:
    """The others of the batch are routed; what a more particular good entry decides is too."""
    answers = _core(Broken()).answers(
        [
            Question(("bad@example.com", "@example.com")),
            Question(("good@example.com",)),
            Question(("none@example.com",)),
        ]
    )
    assert answers == [
        Unavailable("the alias's entry is broken (tenant is not a text): put it anew"),
        Found("good@example.com", 1, "shop", ("bob@example.org",)),
        NotFound(),
    ]


def test_a_record_of_a_mail_writes_its_view() -> None:
    """The item is a function of the folded state and of where the records lie."""
    writes = _react(fact(delivered()), received(), resolved(), scheduled()).writes
    assert [write.table for write in writes] == ["mails", "returns", "returns"]
    write = writes[0]
    assert write.item == {  # type: ignore[union-attr]
        "mail_key": f"g1#{MAIL_ID}",
        "mail_id": MAIL_ID,
        "status": "completed",
        "received_at": "2025-10-09T08:53:20.000000Z",
        "received_day": "g1#2025-10-09",
        "envelope_sender": "ann@example.net",
        "recipient": "sales@example.com",
        "subject": "Hello",
        "size_bytes": 2048,
        "bucket": "mail",
        "object_key": "inbound/d6iitobk75ur44p8kdnnp7g2n800",
        "targets": [
            {
                "address": "bob@example.org",
                "status": "completed",
                "attempts": 1,
                "provider_message_id": "01000157c44f053b-61b59c11",
                "reason": None,
            }
        ],
        "tags": [],
        "spans": [["shard-0", "8", "9"]],
    }


def test_outcomes_are_counted_by_shard_minute_and_hour() -> None:
    """The counter belongs to the shard, so that it has one writer."""
    updates = [
        write
        for write in _react(fact(accepted())).writes
        if isinstance(write, Update) and write.table == "throughput"
    ]
    assert [update.key["shard"] for update in updates] == ["g1#shard-0"] * 2
    assert [update.add["accepted"] for update in updates] == [1, 1]
    grains = [throughput.beginning(str(update.key["minute"])) for update in updates]
    assert [grain for grain, _ in grains] == [Grain.MINUTE, Grain.HOUR]
    kept_for = [
        int(str(update.set["expires_at"])) * SECOND_US - begins_at
        for update, (_, begins_at) in zip(updates, grains, strict=True)
    ]
    assert kept_for == [3 * DAY_US, 15 * DAY_US]


def test_timers_are_set_and_done() -> None:
    """A deferral sets one; its firing is the end of it. Claims' deadlines are the sender's."""
    deferral = RouteDeferred(reason="timed out", number=1, retry_at=after(2))
    reaction = _react(fact(deferral, unknown()), received())
    assert [timer.kind for timer in reaction.timers] == [TimerKind.LOOKUP, TimerKind.UNKNOWN]
    firing = fired(TimerKind.LOOKUP, number=1, due_at=after(2))
    done = _react(fact(firing, fired(TimerKind.CLAIM, "attempt-1"))).timers_done
    assert done == (Timer(SUBJECT, TimerKind.LOOKUP, "", 1, after(2)),)


@pytest.mark.parametrize("subject", [SUBJECT, "quarantine:q"])
def test_a_quarantined_record_shows_in_the_view(subject: str) -> None:
    """Open until it is driven again; a mail's own item is written besides."""
    record = fact(QUARANTINED, name="q", subject=subject)
    updates = [write for write in _react(record).writes if isinstance(write, Update)]
    (update,) = updates
    assert update.key == {"quarantine_id": "g1#q"}
    assert update.set["state"] == "open"
    assert update.set["object_key"] == "quarantine/sender/shard-0/7"
    again = fact(RecordRedriven(quarantined="q", by="ann"), subject="quarantine:q")
    (redriven,) = _react(again).writes
    assert redriven == Update("quarantine", {"quarantine_id": "g1#q"}, set={"state": "redriven"})


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1_760_000_000_000_001, "2025-10-09T08:53:20.000001Z"),
        (1_760_000_000_999_999, "2025-10-09T08:53:20.999999Z"),
    ],
)
def test_times_are_shown_to_the_microsecond(at: int, text: str) -> None:
    """No rounding by floats, always six digits: so they sort as text."""
    assert iso(at) == text
