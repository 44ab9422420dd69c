"""An independent model of what the log says about every message.

``mailtumble verify`` and the simulation's judge compare the product with this model. It is written
from the rules and the reference pages, and imports only :mod:`schemas`, so it does not repeat a
fault in the product's own fold, judgement or deciders.

Pass it every record of the stream, each subject's records in stream order. One model shows the log
as one application reads it, because an application does not fold the records that it has
quarantined. Add the places of these records (shard id and sequence number) to :attr:`Model.aside`
before you pass the records themselves::

    >>> from schemas.envelope import EventEnvelope
    >>> from schemas.events import MailReceived
    >>> from schemas.values import Verdicts
    >>> received = MailReceived(
    ...     ses_message_id="s1", recipient="info@house.example", envelope_sender="a@b.example",
    ...     subject_line="hello", size_bytes=1, bucket="mail", object_key="inbound/s1",
    ...     notification_key="", received_at=1_000_000, verdicts=Verdicts(),
    ... )
    >>> record = EventEnvelope(
    ...     id="r1", subject="mail:m1", cause="s1", after=None, recorded_at=1_000_000,
    ...     decider="intake", rule_version=0, events=(received,),
    ... )
    >>> model = Model("core")
    >>> str(model.take(record, fingerprint=b"f", arrived_at=1_000_000, place=("shard-0", "1")))
    'accepted'
    >>> str(model.take(record, fingerprint=b"f", arrived_at=1_000_001, place=("shard-0", "2")))
    'repeated'
    >>> mail = model.mails["m1"]
    >>> [str(status) for status in mail.statuses], [due.what for due in mail.due()]
    (['received'], ['its alias has to be looked up'])
    >>> mail.may_leave("some-attempt", now=2_000_000, conditions=model.conditions(2_000_000))
    'it was never scheduled'

The model answers these questions:

- :attr:`Model.mails`: a :class:`MailModel` by message id. Its ``statuses`` are what the view
  ``mails`` must show: one for each target, or the message's own while it has no targets.
- :meth:`MailModel.may_leave`: "" if an attempt may be sent now, otherwise the reason why not.
- :meth:`MailModel.due`: for everything that is still open, what has to happen, and by when.
  ``at == 0`` means at once: core has to make that decision as soon as it has read all records of
  the message.
- :attr:`Model.timers`: the timers (lookup, unknown and moderation) that core must have set.
- :meth:`Model.waiting`: the attempts that wait. Each is in the sender's queue, unless a claim of
  its round has taken it out; then there is a timer for the deadline of that claim.
- :meth:`Model.claims`: rounds that were announced and have no outcome. For each, the sender must
  have a claim and a timer for its deadline.
- :attr:`Model.calls`: how many calls ended in which way, by shard and minute. These are the numbers
  of the view ``throughput``.
- :attr:`Model.quarantine`: which quarantined records are open, and which were redriven.
- :meth:`Model.conditions`: the pauses and suppressions at a given moment.
"""

from __future__ import annotations

from processors.audit.model.acceptance import Acceptance, Taken
from processors.audit.model.attempts import Attempt, State
from processors.audit.model.calls import Calls, Minute
from processors.audit.model.conditions import Conditions
from processors.audit.model.mails import Due, MailModel
from processors.audit.model.readers import Claim, Model, Timer, Waiting
from processors.audit.model.targets import Target

__all__ = [
    "Acceptance",
    "Attempt",
    "Calls",
    "Claim",
    "Conditions",
    "Due",
    "MailModel",
    "Minute",
    "Model",
    "State",
    "Taken",
    "Target",
    "Timer",
    "Waiting",
]
