"""What was repaired or dropped in a mail, in words: for the mail's history."""

from __future__ import annotations


class Notes:
    """Collects remarks while a mail is rewritten; each is said once, with how often it applied.

    Remarks name header fields, never their values: they go into events, where addresses and
    subjects have no business. Field names come from the table of rules, so a hostile mail can't
    make the list long.
    """

    def __init__(self) -> None:
        """Start without remarks; ``add`` takes one more."""
        self._remarks: list[str] = []
        self.add = self._remarks.append

    def as_tuple(self) -> tuple[str, ...]:
        """Return the remarks in the order of their first occurrence."""
        counts: dict[str, int] = {}
        for remark in self._remarks:
            counts[remark] = counts.get(remark, 0) + 1
        return tuple(
            remark if count == 1 else f"{remark} ({count} times)"
            for remark, count in counts.items()
        )
