"""The first rule that fits decides; tags are gathered on the way; a moderated alias is held."""

from __future__ import annotations

import time
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processors.moderation.rules import (
    GLOB_LENGTH_MAX,
    MODERATED_ALIAS,
    Facts,
    Rule,
    Verdict,
    header_names,
    judge_mail,
)
from schemas.values import DAY_US, HOUR_US, ModerationAction, OnExpiry, Verdicts
from tests.event_strategies import values_of

MAIL = Facts(
    envelope_sender="Ann@Example.com",
    recipient="support@house.example",
    size_bytes=1000,
    verdicts=Verdicts(spam="GRAY", virus="PASS", spf="PASS", dkim="FAIL"),
    moderated=False,
    headers=(
        ("Received", "from a by b"),
        ("Received", "from b by c"),
        ("Subject", "Grüße aus [Köln]"),
        ("List-Id", "<news.example.com>"),
    ),
)

TEXTS = st.text(max_size=10) | st.text("aA*?[]!-^.@<>\\|&~", max_size=12)
PAIRS = st.tuples(st.sampled_from(["Subject", "subject", "List-Id"]), TEXTS)
RULES = st.builds(
    Rule,
    name=TEXTS,
    action=st.sampled_from(ModerationAction),
    tag=TEXTS,
    verdicts=st.lists(
        st.tuples(
            st.sampled_from(["spam", "dkim", "unknown"]),
            st.lists(st.sampled_from(["FAIL", "pass", ""])).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    senders=st.lists(TEXTS, max_size=2).map(tuple),
    recipients=st.lists(TEXTS, max_size=2).map(tuple),
    headers=st.lists(PAIRS, max_size=2).map(tuple),
    larger_than=st.integers(-1, 3),
    smaller_than=st.integers(-1, 3),
    moderated=st.none() | st.booleans(),
)
FACTS = st.builds(
    Facts,
    envelope_sender=TEXTS,
    recipient=TEXTS,
    size_bytes=st.integers(0, 4),
    verdicts=values_of(Verdicts),
    moderated=st.booleans(),
    headers=st.lists(PAIRS, max_size=3).map(tuple),
)


def _reject(**conditions: object) -> Rule:
    return Rule(name="no", action=ModerationAction.REJECT, **conditions)  # type: ignore[arg-type]


def _fits(mail: Facts, **conditions: object) -> bool:
    return judge_mail((_reject(**conditions),), mail).action is ModerationAction.REJECT


# ------------------------------------------------------------------------------------- the order


def test_without_rules_a_mail_passes() -> None:
    """Nobody has to write rules; no rule is named."""
    verdict = judge_mail((), MAIL)
    assert (verdict.action, verdict.rule, verdict.tags) == (ModerationAction.PASS, "", ())


def test_the_first_rule_that_fits_decides() -> None:
    """A rule that doesn't fit is passed over, one after the decision isn't asked."""
    rules = (
        _reject(larger_than=1000),
        Rule(
            name="spam",
            action=ModerationAction.HOLD,
            reason="SES doubts it",
            verdicts=(("spam", ("FAIL", "GRAY")),),
            expires_after_us=48 * HOUR_US,
            on_expiry=OnExpiry.REJECT,
        ),
        _reject(),
    )
    assert judge_mail(rules, MAIL) == Verdict(
        action=ModerationAction.HOLD,
        rule="spam",
        reason="SES doubts it",
        tags=(),
        expires_after_us=48 * HOUR_US,
        on_expiry=OnExpiry.REJECT,
    )


def test_tags_are_gathered_until_a_rule_decides() -> None:
    """Each once, in the order of the rules; those after the decision are not given."""
    rules = (
        Rule(name="1", action=ModerationAction.TAG, tag="list", headers=(("list-id", "*"),)),
        Rule(name="2", action=ModerationAction.TAG, tag="big", larger_than=999),
        Rule(name="3", action=ModerationAction.TAG, tag="never", larger_than=1000),
        Rule(name="4", action=ModerationAction.TAG, tag="list"),
        Rule(name="5", action=ModerationAction.PASS, reason="known", senders=("*@example.com",)),
        Rule(name="6", action=ModerationAction.TAG, tag="late"),
    )
    verdict = judge_mail(rules, MAIL)
    assert (verdict.action, verdict.rule, verdict.reason) == (ModerationAction.PASS, "5", "known")
    assert verdict.tags == ("list", "big")
    assert judge_mail(rules[:4], MAIL).tags == ("list", "big")
    assert judge_mail(rules[:4], MAIL).rule == ""


def test_a_moderated_alias_is_held() -> None:
    """Without a rule that says so, for three days, then the mail expires; tags stay."""
    rules = (Rule(name="1", action=ModerationAction.TAG, tag="list"),)
    assert judge_mail(rules, replace(MAIL, moderated=True)) == Verdict(
        action=ModerationAction.HOLD,
        rule="moderated alias",
        reason="the alias is moderated",
        tags=("list",),
        expires_after_us=3 * DAY_US,
        on_expiry=OnExpiry.EXPIRE,
    )


@pytest.mark.parametrize(
    "action", [ModerationAction.PASS, ModerationAction.REJECT, ModerationAction.HOLD]
)
def test_an_earlier_rule_decides_over_moderation(action: ModerationAction) -> None:
    """A moderated alias may let known senders pass, and need not see spam."""
    mine = Rule(name="mine", action=action, senders=("ann@*",), moderated=True)
    verdict = judge_mail((mine,), replace(MAIL, moderated=True))
    assert (verdict.action, verdict.rule) == (action, "mine")


# -------------------------------------------------------------------------------- the conditions


@pytest.mark.parametrize(
    ("conditions", "fits"),
    [
        ({}, True),
        ({"verdicts": (("spam", ("FAIL",)),)}, False),
        ({"verdicts": (("spam", ("FAIL", "GRAY")),)}, True),
        ({"verdicts": (("spam", ("gray",)),)}, True),
        ({"verdicts": (("spam", ("GRAY",)), ("dkim", ("FAIL",)))}, True),
        ({"verdicts": (("spam", ("GRAY",)), ("dkim", ("PASS",)))}, False),
        ({"verdicts": (("dmarc", ("",)),)}, True),
        ({"verdicts": (("dmarc", ("PASS",)),)}, False),
        ({"verdicts": (("colour", ("PASS",)),)}, False),
        ({"senders": ("ann@example.com",)}, True),
        ({"senders": ("*@EXAMPLE.com",)}, True),
        ({"senders": ("*@example.org", "a?n@*")}, True),
        ({"senders": ("*@example.org",)}, False),
        ({"senders": ("ann",)}, False),
        ({"senders": ("example.com",)}, False),
        ({"senders": ("", "<>")}, False),
        ({"recipients": ("support*@house.example",)}, True),
        ({"recipients": ("sales*@house.example", "support-*")}, False),
        ({"headers": (("list-id", "*"),)}, True),
        ({"headers": (("List-Id", "*"), ("SUBJECT", "grüsse*"))}, False),
        ({"headers": (("List-Id", "*"), ("SUBJECT", "GRÜßE*"))}, True),
        ({"headers": (("Received", "*by c"), ("Received", "*by b"))}, True),
        ({"headers": (("Received", "*by d"),)}, False),
        ({"headers": (("Subject", "*[[]Köln]"),)}, True),
        ({"headers": (("List", "*"),)}, False),
        ({"larger_than": 999}, True),
        ({"larger_than": 1000}, False),
        ({"smaller_than": 1001}, True),
        ({"smaller_than": 1000}, False),
        ({"smaller_than": 0}, False),
        ({"larger_than": 0, "smaller_than": 1001}, True),
        ({"moderated": False}, True),
        ({"moderated": True}, False),
        ({"senders": ("*",), "recipients": ("x",)}, False),
    ],
)
def test_a_rule_fits(conditions: dict[str, object], fits: bool) -> None:  # noqa: FBT001
    """All conditions have to hold, within a list any one; case never matters."""
    assert _fits(MAIL, **conditions) is fits


@pytest.mark.parametrize("sender", ["", "<>"])
def test_the_null_sender_is_written_in_two_ways(sender: str) -> None:
    """Of bounces: in the rule and in the mail, and a star fits it too."""
    bounce = replace(MAIL, envelope_sender=sender)
    assert all(_fits(bounce, senders=(glob,)) for glob in ("", "<>", "*"))
    assert not any(_fits(bounce, senders=(glob,)) for glob in ("?*", "*@*"))


@given(st.text("ab*?[]!", max_size=8), st.text("ab[]!\n", max_size=8))
@example("[ab]", "b")
@example("[!a]", "b")
@example("[!]", "[!]")
@example("[a[b]", "[")
@example("[[]", "[")
@example("*b", "a\nb")
def test_globs_are_those_of_fnmatch(glob: str, text: str) -> None:
    """Python's, whatever is written, but that case doesn't matter."""
    for given_text in (text, text.upper()):
        mail = replace(MAIL, headers=(("X", given_text),))
        assert _fits(mail, headers=(("X", glob),)) is fnmatchcase(text, glob)


def test_no_glob_takes_long() -> None:
    """The worst one that the file may hold, on a header of 64 KB: a star per letter."""
    value = "a" * 65_536
    began = time.process_time()
    for glob in ("*a" * (GLOB_LENGTH_MAX // 2) + "b", "*" + "a" * (GLOB_LENGTH_MAX - 2) + "b"):
        assert not _fits(replace(MAIL, headers=(("X", value),)), headers=(("X", glob),))
    assert time.process_time() - began < 5


# ----------------------------------------------------------------------------- of every rule


@given(st.lists(RULES, max_size=5), FACTS)
def test_every_mail_gets_an_answer(rules: list[Rule], facts: Facts) -> None:
    """Whatever rules and mail are: never TAG, and what some rule says or nothing."""
    verdict = judge_mail(rules, facts)
    assert verdict.action is not ModerationAction.TAG
    named = {rule.name: rule for rule in rules if rule.action is verdict.action}
    assert verdict.rule in {"", MODERATED_ALIAS.name, *named}
    assert len(set(verdict.tags)) == len(verdict.tags)
    assert set(verdict.tags) <= {rule.tag for rule in rules if rule.action is ModerationAction.TAG}
    if facts.moderated and not any(rule.action is not ModerationAction.TAG for rule in rules):
        assert verdict.action is ModerationAction.HOLD


@given(st.lists(RULES, max_size=5), FACTS)
def test_only_the_headers_asked_about_matter(rules: list[Rule], facts: Facts) -> None:
    """So that a mail's header is read only where a rule asks."""
    names = header_names(rules)
    asked = tuple(each for each in facts.headers if each[0].lower() in names)
    assert judge_mail(rules, replace(facts, headers=asked)) == judge_mail(rules, facts)


def test_header_names_are_in_lower_case() -> None:
    """Each once; of rules without such conditions there are none."""
    rules = (
        _reject(headers=(("List-Id", "*"), ("Subject", "a"))),
        _reject(headers=(("SUBJECT", "b"),)),
    )
    assert header_names(rules) == {"list-id", "subject"}
    assert header_names((_reject(), MODERATED_ALIAS)) == frozenset()
