"""What an owner remembers of its subjects comes back from the table as it was."""

from __future__ import annotations

from dataclasses import replace

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailtumble.sender.application import DispatchAggregate
from mailtumble.worker import memory as module
from mailtumble.worker.aggregates import MailAggregate
from mailtumble.worker.application import Span
from mailtumble.worker.core import Core, CoreRules
from mailtumble.worker.headers import HeaderReader
from mailtumble.worker.memory import Memory, Pending, read_subject
from processors import mail
from processors.kernel import Ledger
from processors.sending.dispatch import Dispatch
from processors.states import VERSIONS
from schemas.codec import encode
from schemas.envelope import GENESIS, Head
from schemas.errors import UndecodableRecord, UnknownEvent
from schemas.events import SendParked
from schemas.ids import fingerprint
from tests.event_strategies import envelopes, values_of
from tests.fakes import InMemoryAliases, InMemoryItems, InMemoryObjects
from tests.samples import SUBJECT, decision, fact, received

CAUSE = encode(fact(received()))
EVENT = SendParked(target=0, reason="because")


def _output(name: str, head: Head = GENESIS) -> bytes:
    return encode(decision(EVENT, name=name, builds_on=head))


def _memory(store: InMemoryItems) -> Memory:
    headers = HeaderReader(InMemoryObjects(), frozenset())
    return Memory(store, Core(InMemoryAliases(), headers, CoreRules(), "g1"))


def test_an_unknown_subject_begins_with_nothing() -> None:
    """Nothing on the stream, nothing pending: the first decision builds on genesis."""
    memory = _memory(InMemoryItems())
    memory.load([SUBJECT])
    subject = memory[SUBJECT]
    assert (subject.state, subject.ledger, subject.pending) == (mail.INITIAL, Ledger(), [])
    assert subject.tip() == GENESIS


@settings(max_examples=30)
@given(
    state=values_of(mail.Mail),
    ledger=values_of(Ledger),
    pending=st.lists(st.builds(Pending, envelopes().map(encode), envelopes().map(encode))),
    silent=st.booleans(),
    spans=st.lists(values_of(Span), max_size=3),
)
def test_a_subject_survives_its_owner(
    state: mail.Mail,
    ledger: Ledger,
    pending: list[Pending],
    silent: bool,  # noqa: FBT001 - drawn by name
    spans: list[Span],
) -> None:
    """State, ledger, pending outputs and spans: the successor knows what its predecessor knew."""
    store = InMemoryItems()
    memory = _memory(store)
    memory.load([SUBJECT])
    subject = memory[SUBJECT]
    subject.state, subject.ledger = state, ledger
    subject.pending = [*pending, Pending(CAUSE, None)] if silent else pending
    subject.spans = tuple(spans)
    store.write(memory.put(SUBJECT))
    successor = _memory(store)
    successor.load([SUBJECT])
    # The aggregate is the application's own.
    assert replace(successor[SUBJECT], aggregate=subject.aggregate) == subject


@settings(max_examples=30)
@given(values_of(Dispatch))
def test_the_senders_state_is_stored_in_the_same_way(state: Dispatch) -> None:
    """Whatever an application's state is made of, by its type."""
    plain = [1, {"heads": {}, "seen": {}}, module.to_plain(state), [], [], VERSIONS["dispatch"]]
    item = {"subject_key": "k", "state": msgpack.packb(plain)}
    assert read_subject(SUBJECT, item, DispatchAggregate()).state == state


def _stored(**parts: object) -> dict[str, object]:
    """A stored item, with some of its parts replaced."""
    plain = {
        "layout": 1,
        "ledger": module.to_plain(Ledger()),
        "state": module.to_plain(mail.INITIAL),
        "pending": [[CAUSE, None]],
        "spans": [],
        "version": VERSIONS["mail"],
    }
    return {"state": msgpack.packb([*{**plain, **parts}.values()])}


UNREADABLE = {
    "has layout 2: known is 1": _stored(layout=2),
    "not msgpack": {"state": b"\xc1"},
    "KeyError 'state'": {},
    "TypeError": {"state": msgpack.packb(7)},
    "IndexError": {"state": msgpack.packb([])},
    "ValueError not enough values": {"state": msgpack.packb([1, {}])},
    "Ledger: expected": _stored(ledger=None),
    "Mail": _stored(state=[]),
    "version 'two'": _stored(version="two"),
    "version 0: they begin with 1": _stored(version=0),
    "expected|not msgpack": _stored(pending=[["cause", "output"]]),
    "ValueError": _stored(pending=[[CAUSE]]),
    "Span": _stored(spans=[7]),
}


@pytest.mark.parametrize("message", UNREADABLE)
def test_a_stored_state_that_cannot_be_read_is_refused(message: str) -> None:
    """One error for whatever is wrong with it. No upgrade is known to help, so it is not newer."""
    aggregate = MailAggregate(mail.Rules())
    assert read_subject(SUBJECT, _stored(), aggregate).state == mail.INITIAL  # type: ignore[arg-type]
    with pytest.raises(UndecodableRecord, match=message) as refused:
        read_subject(SUBJECT, UNREADABLE[message], aggregate)  # type: ignore[arg-type]
    assert not isinstance(refused.value, UnknownEvent)


def test_the_next_decision_builds_on_the_last_pending_one() -> None:
    """Not on silent answers, and on the stream's head only where nothing is pending."""
    memory = _memory(InMemoryItems())
    memory.load([SUBJECT])
    subject = memory[SUBJECT]
    on_stream = Head("seen", b"x" * 16)
    subject.ledger = Ledger(heads={"mail": on_stream})
    assert subject.tip() == on_stream
    data = _output("pending", on_stream)
    subject.pending = [Pending(CAUSE, data), Pending(CAUSE, None)]
    assert subject.tip() == Head("pending", fingerprint(data))


def test_pending_outputs_tell_their_events_and_causes() -> None:
    """The owner decides on them as on what the stream says, and can answer the cause again."""
    pending = Pending(CAUSE, _output("d"))
    assert pending.events == (EVENT,)
    assert Pending(CAUSE, None).events == ()
    assert pending.fact == fact(received())


def test_spans_widen_and_begin_anew_on_another_shard() -> None:
    """Where a subject's records lie: through splits and merges, in order."""
    memory = _memory(InMemoryItems())
    memory.load([SUBJECT])
    subject = memory[SUBJECT]
    for shard, sequence in (("a", "1"), ("a", "4"), ("b", "7"), ("b", "8")):
        subject.saw(shard, sequence)
    assert subject.spans == (Span("a", "1", "4"), Span("b", "7", "8"))


def test_only_the_latest_subjects_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded; a batch's own subjects are never dropped, and others are read again."""
    monkeypatch.setattr(module, "SUBJECTS_MAX", 2)
    store = InMemoryItems()
    memory = _memory(store)
    memory.load(["mail:1", "mail:2"])
    memory["mail:2"].saw("a", "1")
    store.write(memory.put("mail:2"))
    memory.load(["mail:1", "mail:3", "mail:4"])
    assert {"mail:1", "mail:3", "mail:4"} == set(memory._subjects)
    memory.load(["mail:2"])
    assert memory["mail:2"].spans == (Span("a", "1", "1"),)
    assert len(memory._subjects) == 2


def test_generations_and_applications_have_items_of_their_own() -> None:
    """A replay into another generation doesn't touch the live one."""
    store = InMemoryItems()
    memory = _memory(store)
    memory.load([SUBJECT])
    assert memory.put(SUBJECT).item["subject_key"] == f"core#g1#{SUBJECT}"
