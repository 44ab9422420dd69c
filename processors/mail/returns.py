"""Which attempts have got an answer by a record, and which came back: each is told once."""

from __future__ import annotations

from processors.kernel import NO_RETURNS, Returns
from processors.mail.state import Mail


def news(before: Mail, after: Mail) -> Returns:
    """How many attempts SES is now known to have taken, and how many came back.

    In whatever order it is told: an attempt that comes back before it is known to be accepted is
    both at once.
    """
    if before.sending is after.sending and before.came_back is after.came_back:
        return NO_RETURNS
    returned = set(after.came_back) - set(before.came_back)
    answered = _answered(after) - _answered(before)
    return Returns(len(answered), len(returned))


def _answered(mail: Mail) -> set[str]:
    """All attempts that SES has said something about, those before a retry among them."""
    return {
        attempt
        for target in mail.sending.targets
        for attempt in (*target.past, *(each.attempt_id for each in target.answered))
    }
