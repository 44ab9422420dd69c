"""The breaker, asked before the claim: what is scheduled already is held back by it as well.

A campaign is routed within a minute, before the first of it can have come back; core's judgement
of each mail (:mod:`processors.mail.decider`) comes too early for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mailtumble.sender.entry import Entry
from mailtumble.worker.returns import ReturnsReader, parties
from processors.kernel import NO_RETURNS
from processors.moderation.breaker import Breaker


class Fuse:
    """For one shard: which entries are of an alias, or of a sender, whose mail comes back."""

    def __init__(self, breaker: Breaker, returns: ReturnsReader, address_key: str) -> None:
        """``address_key`` keys the digests by which returns are counted."""
        self._breaker = breaker
        self._returns = returns
        self._address_key = address_key

    def held_back(self, entries: Iterable[Entry]) -> Mapping[str, str]:
        """Attempt -> why it is held back; none of those that a person wants sent.

        Raises:
            RetryableError: what came back can't be read, so that nobody can say.
        """
        who = {
            each.attempt_id: parties(each.route, each.envelope_sender, self._address_key)
            for each in entries
            if not each.wanted
        }
        known = self._returns.of(name for each in who.values() for name in each.names())
        told = {
            attempt: self._breaker.tripped(
                known.get(each.alias, NO_RETURNS), known.get(each.source, NO_RETURNS)
            )
            for attempt, each in who.items()
        }
        return {attempt: reason for attempt, reason in told.items() if reason}
