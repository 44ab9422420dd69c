"""Which mails pass, wait for a moderator, are tagged or rejected: by rules, read in their order.

The first rule that fits and passes, holds or rejects is the answer; rules that fit and tag before
it leave their tags. Of a rule's conditions all must hold; a rule without conditions fits every
mail. Last comes :data:`MODERATED_ALIAS`, and what no rule fits passes.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from schemas.values import DAY_US, ModerationAction, OnExpiry, Verdicts

NULL_SENDER: Final = "<>"
"""How the empty envelope sender (RFC 5321 section 4.5.5) is written; "" is the same."""

GLOB_LENGTH_MAX: Final = 200
"""For who reads rules: a glob's worst case is its length times that of the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What to do with which mails.

    A glob has ``*`` for any text, ``?`` for any character and ``[...]`` for one of several; it
    fits whole texts, whatever the case.

    Attributes:
        name: what the rule is called in a mail's story.
        action: what it does.
        reason: why, for people.
        tag: which one; for TAG.
        expires_after_us: how long a moderator has; for HOLD.
        on_expiry: what happens then; for HOLD.
        verdicts: names of :class:`schemas.values.Verdicts`' fields, each with the words of which
            it has to say one, whatever the case; "" is that of a scanner that said nothing.
        senders: globs, of which one has to fit the envelope sender; "" and "<>" are the null
            sender.
        recipients: globs, of which one has to fit the envelope recipient.
        headers: names of header fields, whatever the case, each with a glob that has to fit the
            value (unfolded, decoded) of one field of this name.
        larger_than: bytes that the mail's size has to exceed; -1 for no such condition.
        smaller_than: bytes that the mail's size has to fall below; -1 for no such condition.
        moderated: whether the alias has to be flagged as moderated; None for no such condition.
        line: at which line of the rules file it begins; 0 for a built-in rule, and for one that was
            written in line.
    """

    name: str
    action: ModerationAction
    reason: str = ""
    tag: str = ""
    expires_after_us: int = 3 * DAY_US
    on_expiry: OnExpiry = OnExpiry.EXPIRE
    verdicts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    senders: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    larger_than: int = -1
    smaller_than: int = -1
    moderated: bool | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What rules can ask about a mail. ``headers``: name and value, unfolded and decoded.

    Only the fields that :func:`header_names` gives need be there.
    """

    envelope_sender: str
    recipient: str
    size_bytes: int
    verdicts: Verdicts
    moderated: bool
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the rules say: the action, and which rule ("" for none) took it.

    The action is never TAG. ``tags`` are those of every rule that fitted before, each once;
    ``expires_after_us`` and ``on_expiry`` matter where it is HOLD. ``line`` is the rule's line in
    the rules file, 0 for none, and ``rules_digest`` says which version of the file was asked.
    """

    action: ModerationAction
    rule: str
    reason: str
    tags: tuple[str, ...]
    expires_after_us: int
    on_expiry: OnExpiry
    line: int = 0
    rules_digest: str = ""


MODERATED_ALIAS: Final = Rule(
    name="moderated alias",
    action=ModerationAction.HOLD,
    reason="the alias is moderated",
    moderated=True,
)
"""The rule that always comes last: a moderated alias is held unless an earlier rule decides."""

_NO_RULE: Final = Rule(name="", action=ModerationAction.PASS)


def judge_mail(rules: Sequence[Rule], facts: Facts) -> Verdict:
    """Ask each rule in turn, then :data:`MODERATED_ALIAS`."""
    tags: list[str] = []
    decisive = _NO_RULE
    for rule in (*rules, MODERATED_ALIAS):
        if not _fits(rule, facts):
            continue
        if rule.action is not ModerationAction.TAG:
            decisive = rule
            break
        tags.append(rule.tag)
    return Verdict(
        action=decisive.action,
        rule=decisive.name,
        reason=decisive.reason,
        tags=tuple(dict.fromkeys(tags)),
        expires_after_us=decisive.expires_after_us,
        on_expiry=decisive.on_expiry,
        line=decisive.line,
    )


def header_names(rules: Iterable[Rule]) -> frozenset[str]:
    """The header fields that some rule asks about, in lower case: none, and none need be read."""
    return frozenset(name.lower() for rule in rules for name, _ in rule.headers)


def _fits(rule: Rule, facts: Facts) -> bool:
    """Whether every condition of the rule holds; the cheap ones are asked first."""
    return (
        rule.moderated in (None, facts.moderated)
        and (rule.larger_than < 0 or facts.size_bytes > rule.larger_than)
        and (rule.smaller_than < 0 or facts.size_bytes < rule.smaller_than)
        and all(_says(facts.verdicts, name, words) for name, words in rule.verdicts)
        and _any_fits(rule.senders, facts.envelope_sender)
        and _any_fits(rule.recipients, facts.recipient)
        and all(_has_field(facts.headers, name, glob) for name, glob in rule.headers)
    )


def _says(verdicts: Verdicts, scanner: str, words: Sequence[str]) -> bool:
    # A scanner unknown to this version has said nothing.
    said: str = getattr(verdicts, scanner, "")
    return said.upper() in {word.upper() for word in words}


def _any_fits(globs: Sequence[str], address: str) -> bool:
    """Whether one of them does; no condition fits all."""
    return not globs or any(_fits_glob(_bare(glob), _bare(address)) for glob in globs)


def _bare(address: str) -> str:
    return "" if address == NULL_SENDER else address


def _has_field(headers: Sequence[tuple[str, str]], name: str, glob: str) -> bool:
    wanted = name.lower()
    return any(each.lower() == wanted and _fits_glob(glob, value) for each, value in headers)


def _fits_glob(glob: str, text: str) -> bool:
    return _compiled(glob).match(text) is not None


@cache
def _compiled(glob: str) -> re.Pattern[str]:
    # Kept for good: there are as many as somebody wrote.
    # Python's translation never backtracks into a star once the text between two of them was
    # found (atomic groups), so that no pattern takes exponential time.
    return re.compile(fnmatch.translate(glob), re.IGNORECASE)
