"""SES's own samples become facts, and what can't be one is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.intake.notification import Arrival, Feedback, Nothing, parse
from mailtumble.sender.transmission import TAG_ATTEMPT, TAG_MAIL, TAG_TARGET
from schemas.codec import decode, encode
from schemas.errors import BadInput
from schemas.events import (
    BounceReceived,
    ComplaintReceived,
    DeliveryConfirmed,
    DeliveryDelayed,
    Event,
    MailReceived,
    SendAccepted,
    SendRejected,
)
from schemas.ids import mail_id, mail_subject
from schemas.values import Observer, Verdicts
from tests import samples

FOLDER = Path(__file__).parents[3] / "fixtures" / "ses-events"
RECEIVED = FOLDER.parent / "ses-events" / "received-notification-of-an-sns-action.json"
TAGS = {TAG_MAIL: ["m-1"], TAG_TARGET: ["2"], TAG_ATTEMPT: ["a-1"]}
SES_ID = "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000"

OUR_FEEDBACK = ("bounce", "complaint", "delivery", "deliverydelay", "reject", "send")
IGNORED = ("click", "open", "rendering-failure", "subscription")


def _sample(name: str) -> dict[str, Any]:
    return dict(json.loads((FOLDER / f"feedback-{name}-record.json").read_text(encoding="utf-8")))


def tagged(name: str, **tags: list[str]) -> dict[str, Any]:
    """SES's sample of feedback, about a mail of ours."""
    message = _sample(name)
    message["mail"]["tags"] = {**message["mail"].get("tags", {}), **TAGS, **tags}
    return message


def arrived(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """SES's sample of a received mail, with the S3 action that keeps the mail's bytes."""
    message: dict[str, Any] = json.loads(RECEIVED.read_text(encoding="utf-8"))
    message["receipt"]["action"] = {"type": "S3", "bucketName": "mail", "objectKey": "inbound/1"}
    message["receipt"].update(changes)
    return message


def _event(message: dict[str, Any]) -> Event:
    parsed = parse(json.dumps(message))
    assert isinstance(parsed, Feedback)
    (event,) = parsed.fact.events
    return event


def test_a_received_mail_is_an_arrival() -> None:
    """All that the notification says of the mail, times in microseconds."""
    assert parse(json.dumps(arrived())) == Arrival(
        ses_message_id="d6iitobk75ur44p8kdnnp7g2n800",
        envelope_sender="61967230-7A45-4A9D-BEC9-87CBCF2211C9@example.com",
        recipients=("recipient@example.com",),
        subject_line="Example subject",
        received_at=1_442_003_553_936_000,
        bucket="mail",
        object_key="inbound/1",
        verdicts=Verdicts(spam="PASS", virus="PASS", spf="PASS", dkim="PASS"),
    )


def test_every_recipient_gets_a_mail_of_its_own() -> None:
    """One notification, several facts on several subjects; a recipient listed twice counts once."""
    recipients = ["a@example.com", "b@example.com", "a@example.com"]
    arrival = parse(json.dumps(arrived(recipients=recipients)))
    assert isinstance(arrival, Arrival)
    facts = arrival.facts(123, "notifications/1.json")
    assert [fact.subject for fact in facts] == [
        mail_subject(mail_id(arrival.ses_message_id, each)) for each in recipients[:2]
    ]
    assert len({fact.id for fact in facts}) == 2
    for fact, recipient in zip(facts, recipients, strict=False):
        (event,) = fact.events
        assert isinstance(event, MailReceived)
        assert (event.recipient, event.size_bytes) == (recipient, 123)
        assert event.notification_key == "notifications/1.json"


def test_a_redelivery_has_the_same_ids() -> None:
    """Also when another receipt rule spells the recipient in capitals."""
    first, second = (
        parse(json.dumps(arrived(recipients=[name])))
        for name in ("sales@example.com", "Sales@Example.com")
    )
    assert isinstance(first, Arrival)
    assert isinstance(second, Arrival)
    (one,), (other,) = first.facts(1, "k"), second.facts(2, "k2")
    assert (one.id, one.subject) == (other.id, other.subject)


def test_only_the_s3_action_keeps_a_mails_bytes() -> None:
    """SES's sample of an SNS action: refused with what is wrong with the receipt rule."""
    with pytest.raises(BadInput, match="action is SNS; only S3 keeps"):
        parse(RECEIVED.read_text(encoding="utf-8"))


@pytest.mark.parametrize("half", ["\\ud83d", "\\uDE00", "\ud83d"])
def test_half_a_character_is_replaced_and_whole_ones_stay(half: str) -> None:
    """JSON may hold what no UTF-8 can; the mail goes its way all the same."""
    message = arrived()
    message["mail"]["commonHeaders"]["subject"] = "HALF \U0001f600"
    arrival = parse(json.dumps(message).replace("HALF", half))
    assert isinstance(arrival, Arrival)
    assert arrival.subject_line == "\ufffd \U0001f600"
    (fact,) = arrival.facts(1, "key")[:1]
    assert decode(encode(samples.fact(*fact.events))).events == fact.events


def test_a_bounce_message_has_no_envelope_sender() -> None:
    """The null reverse path (RFC 5321 4.5.5) is a sender too."""
    message = arrived()
    for source in ("<>", "", None):
        message["mail"]["source"] = source
        arrival = parse(json.dumps(message))
        assert isinstance(arrival, Arrival)
        assert arrival.envelope_sender == ""


@pytest.mark.parametrize("name", OUR_FEEDBACK)
def test_feedback_without_our_tags_is_refused(name: str) -> None:
    """SES's samples as they are: mails that somebody else sent. The missing tag is named."""
    with pytest.raises(BadInput, match=f"not sent by mailtumble: no '{TAG_MAIL}'"):
        parse(json.dumps(_sample(name)))


@pytest.mark.parametrize("missing", TAGS)
def test_each_tag_is_needed_and_named(missing: str) -> None:
    """Mail, target and attempt."""
    message = tagged("bounce")
    del message["mail"]["tags"][missing]
    with pytest.raises(BadInput, match=f"a Bounce notification .* no '{missing}'"):
        parse(json.dumps(message))


EXPECTED: dict[str, Event] = {
    "send": SendAccepted(
        target=2,
        attempt_id="a-1",
        provider_message_id=SES_ID,
        called_at=1_476_421_336_645_000,
        observed_by=Observer.PROVIDER,
    ),
    "delivery": DeliveryConfirmed(
        target=2,
        attempt_id="a-1",
        provider_message_id=SES_ID,
        happened_at=1_476_919_264_133_000,
        smtp_response="250 2.6.0 Message received",
    ),
    "deliverydelay": DeliveryDelayed(
        target=2,
        attempt_id="a-1",
        provider_message_id=SES_ID,
        happened_at=1_592_267_140_095_000,
        delay_type="TransientCommunicationFailure",
        enhanced_status="4.4.1",
        diagnostic="smtp; 421 4.4.1 Unable to connect to remote host",
    ),
    "bounce": BounceReceived(
        target=2,
        attempt_id="a-1",
        provider_message_id=SES_ID,
        happened_at=1_501_893_662_669_000,
        bounce_type="Permanent",
        bounce_subtype="General",
        diagnostic="smtp; 550 5.1.1 user unknown",
        enhanced_status="5.1.1",
    ),
    "complaint": ComplaintReceived(
        target=2,
        attempt_id="a-1",
        provider_message_id=SES_ID,
        happened_at=1_501_893_662_669_000,
        feedback_type="abuse",
    ),
    "reject": SendRejected(
        target=2,
        attempt_id="a-1",
        provider_message_id=SES_ID,
        happened_at=1_476_466_695_211_000,
        reason="Bad content",
    ),
}


@pytest.mark.parametrize("name", OUR_FEEDBACK)
def test_feedback_with_our_tags_is_a_fact_about_the_attempt(name: str) -> None:
    """SES's samples with the tags that the sender sets."""
    message = tagged(name)
    assert _event(message) == EXPECTED[name]
    parsed = parse(json.dumps(message))
    assert isinstance(parsed, Feedback)
    assert parsed.fact.subject == "mail:m-1"


@pytest.mark.parametrize("name", IGNORED)
def test_what_asks_for_nothing_is_nothing(name: str) -> None:
    """Opened, clicked: no event of ours, and no reason to keep the message."""
    assert isinstance(parse(json.dumps(_sample(name))), Nothing)


LOCALSTACK_MAIL = {
    "timestamp": "2026-11-24T13:40:01.123456+00:00",
    "source": "info@house.example",
    "sourceArn": "arn:aws:ses:eu-central-1:000000000000:identity/info@house.example",
    "sendingAccountId": "000000000000",
    "destination": ["ann@far.example"],
    "messageId": "hkqvlnmumxxeovgx-frmtnspy-ewyx-aqzn-lprb-hmmxgtjkoukg-pkxqdi",
    "tags": TAGS,
}
"""LocalStack's form: microseconds and an offset, no headers, SES v1's message id."""


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"eventType": "Send", "send": {}}, SendAccepted),
        (
            {
                "eventType": "Delivery",
                "delivery": {
                    "recipients": ["ann@far.example"],
                    "timestamp": "2026-11-24T13:40:01.123456+00:00",
                },
            },
            DeliveryConfirmed,
        ),
    ],
)
def test_localstacks_events_are_read(event: dict[str, object], expected: type) -> None:
    """It says less than SES: tags, message id and time are what counts."""
    text = json.dumps({**event, "mail": LOCALSTACK_MAIL})
    parsed = parse(json.dumps({"Type": "Notification", "Message": text}))
    assert isinstance(parsed, Feedback)
    (told,) = parsed.fact.events
    assert isinstance(told, expected)
    assert (told.target, told.attempt_id) == (2, "a-1")
    assert told.provider_message_id == LOCALSTACK_MAIL["messageId"]


def test_ses_trying_a_topic_asks_for_nothing() -> None:
    """What it publishes when a topic becomes an event destination is text, and nobody's mail."""
    text = "Successfully validated SNS topic for Amazon SES event publishing."
    body = json.dumps({"Type": "Notification", "Message": text})
    assert parse(body) == Nothing("validation")


@pytest.mark.parametrize("name", OUR_FEEDBACK)
def test_the_same_feedback_has_the_same_id_and_another_has_another(name: str) -> None:
    """SES gives no event id: type, message, attempt, and feedback id or time make one."""
    ids = set()
    for tags in ({}, {}, {TAG_ATTEMPT: ["a-2"]}):
        parsed = parse(json.dumps(tagged(name, **tags)))
        assert isinstance(parsed, Feedback)
        ids.add(parsed.fact.id)
    assert len(ids) == 2


def test_two_bounces_of_one_attempt_are_two() -> None:
    """They differ by their feedback id."""
    one, other = tagged("bounce"), tagged("bounce")
    other["bounce"]["feedbackId"] = "another"
    parsed = [parse(json.dumps(each)) for each in (one, other)]
    assert parsed[0] != parsed[1]


@pytest.mark.parametrize(
    "message", [arrived(), tagged("bounce"), _sample("open")], ids=["mail", "bounce", "open"]
)
def test_an_sns_wrapper_makes_no_difference(message: dict[str, Any]) -> None:
    """Queues with and without raw delivery are read alike."""
    text = json.dumps(message)
    wrapped = {"Type": "Notification", "TopicArn": "arn:aws:sns:x:1:t", "Message": text}
    assert parse(json.dumps(wrapped)) == parse(text)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("", "the message is not JSON"),
        ("[]", "the message is JSON, but no object"),
        ("{}", "its type is None"),
        ('{"eventType": "Teleported"}', "its type is 'Teleported'"),
        ('{"eventType": ["Bounce"]}', "notification that can't be read"),
        ('{"Type": "Notification", "Message": "hello"}', "the SNS message text is not JSON"),
        ('{"notificationType": "Received"}', "a Received notification that can't be read"),
        ('{"eventType": "Bounce", "mail": 7}', "a Bounce notification that can't be read"),
        ('{"eventType": "Bounce", "mail": {"tags": {}}}', "not sent by mailtumble"),
        ("[" * 100_000, "the message is JSON nested too deeply"),
    ],
)
def test_garbage_is_refused_with_what_is_wrong(body: str, complaint: str) -> None:
    """BadInput and nothing else, so that intake quarantines it."""
    with pytest.raises(BadInput, match=complaint):
        parse(body)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("receipt", "recipients"), []),
        (("receipt", "recipients"), [7]),
        (("receipt", "action", "objectKey"), None),
        (("receipt", "timestamp"), "yesterday"),
        (("receipt", "timestamp"), "2015-09-11T20:32:33.936"),
        (("mail", "messageId"), 3),
    ],
)
def test_a_field_that_cannot_be_used_is_refused(path: tuple[str, ...], value: object) -> None:
    """A mail without recipient, place, time or id can't be taken in."""
    message = arrived()
    place = message
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(BadInput):
        parse(json.dumps(message))


def test_a_target_that_is_no_number_is_refused() -> None:
    """Tags are text that anybody could have set."""
    with pytest.raises(BadInput, match="can't be read"):
        parse(json.dumps(tagged("bounce", **{TAG_TARGET: ["two"]})))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["mail", "receipt", "bounce", "tags", "messageId", *TAGS, "timestamp"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from(["Received", "Bounce", "Delivery", "Send", "Complaint", "Reject"]))
def test_no_json_at_all_breaks_the_parser(inner: object, kind: str) -> None:
    """Whatever stands in the fields: a result that the log can hold, or BadInput."""
    message = {**(inner if isinstance(inner, dict) else {"mail": inner}), "eventType": kind}
    try:
        parsed = parse(json.dumps(message))
    except BadInput:
        return
    assert isinstance(parsed, Feedback)
    record = samples.fact(*parsed.fact.events)
    assert decode(encode(record)) == record
