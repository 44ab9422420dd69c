"""The file of moderation rules: what can be written, and what is told of every mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailtumble.moderation_rules import (
    DIGEST_LENGTH,
    KEYS,
    LIST_LENGTH_MAX,
    RULES_MAX,
    read_rules,
    read_rules_file,
)
from processors.moderation.rules import (
    Facts,
    Rule,
    judge_mail,
)
from schemas.errors import BadInput
from schemas.values import DAY_US, HOUR_US, ModerationAction, OnExpiry, Verdicts

WRITTEN = """
[[rule]]
name = "spam"
action = "hold"
reason = "SES calls it spam"
spam = ["fail", "GRAY"]
dmarc = "FAIL"
expires_after_h = 48
on_expiry = "reject"

[[rule]]
name = "newsletter"
action = "tag"
tag = "list"
header = { List-Id = "*", Subject = "*News*" }

[[rule]]
name = "big"
action = "reject"
larger_than = 26214400
sender = ["*@example.com", "<>"]
recipient = "support*@house.example"
moderated = true

[[rule]]
name = "rest"
action = "pass"
smaller_than = 1
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the rules of a test lie."""
    return tmp_path_factory.mktemp("rules") / "rules.toml"


def _read(path: Path, text: str | bytes) -> tuple[Rule, ...]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return read_rules(path)


def _complaint(path: Path, text: str | bytes) -> str:
    with pytest.raises(BadInput) as caught:
        _read(path, text)
    words = str(caught.value)
    assert words.startswith(str(path))
    assert "\n" not in words
    return words.removeprefix(str(path)).removeprefix(": ")


def test_every_key_can_be_written(path: Path) -> None:
    """Rules in their order; one text or a list; words of scanners in upper case."""
    assert _read(path, WRITTEN) == (
        Rule(
            name="spam",
            action=ModerationAction.HOLD,
            reason="SES calls it spam",
            verdicts=(("spam", ("FAIL", "GRAY")), ("dmarc", ("FAIL",))),
            expires_after_us=48 * HOUR_US,
            on_expiry=OnExpiry.REJECT,
        ),
        Rule(
            name="newsletter",
            action=ModerationAction.TAG,
            tag="list",
            headers=(("List-Id", "*"), ("Subject", "*News*")),
        ),
        Rule(
            name="big",
            action=ModerationAction.REJECT,
            larger_than=26_214_400,
            senders=("*@example.com", "<>"),
            recipients=("support*@house.example",),
            moderated=True,
        ),
        Rule(name="rest", action=ModerationAction.PASS, smaller_than=1),
    )


LINES = (
    """# Rules
[[rule]]
name = "one"
action = "pass"

  [[ rule ]]  # indented
name = "two"
reason = 'a reason'
action = "tag"
tag = """
    '"""x"""'
    """
[["rule"]]
name = "three"
header = { Subject = """
    '"""a\\\n[[rule]]\\\n"""'
    """ }
action = "pass"
[[rule]]
name = "four"
action = "hold"
"""
)


def test_each_rule_knows_its_line(path: Path) -> None:
    """A text of several lines may look like the beginning of a rule."""
    path.write_text(LINES, encoding="utf-8")
    rules = read_rules(path)
    lines = LINES.splitlines()
    assert [each.name for each in rules] == ["one", "two", "three", "four"]
    assert [f'name = "{each.name}"' == lines[each.line] for each in rules] == [True] * 4
    assert LINES.count("[[rule]]") == 3  # one of them within a text


def test_a_rule_that_is_written_in_line_has_no_line_of_its_own(path: Path) -> None:
    """TOML allows it; there is no line at which it begins."""
    (rule,) = _read(path, 'rule = [{ name = "one", action = "pass" }]')
    assert rule.line == 0


def test_the_digest_names_the_very_bytes_of_the_file(path: Path) -> None:
    """A comment more is another version: the lines of rules move with it."""
    path.write_text('[[rule]]\nname = "one"\naction = "pass"\n', encoding="utf-8")
    one = read_rules_file(path)
    assert (len(one.digest), one.rules) == (DIGEST_LENGTH, read_rules(path))
    path.write_text("# more\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    other = read_rules_file(path)
    assert other.rules == one.rules
    assert (other.rules[0].line, one.rules[0].line) == (2, 1)
    assert other.digest != one.digest


def test_the_least_that_can_be_written(path: Path) -> None:
    """No rules at all, and a rule that fits every mail."""
    assert _read(path, "# none yet\n") == ()
    assert _read(path, "rule = []") == ()
    (rule,) = _read(path, '[[rule]]\nname = "all"\naction = "hold"')
    assert rule == Rule(name="all", action=ModerationAction.HOLD)
    assert (rule.expires_after_us, rule.on_expiry) == (3 * DAY_US, OnExpiry.EXPIRE)


def test_hours_may_be_parts(path: Path) -> None:
    """To the microsecond."""
    (rule,) = _read(path, '[[rule]]\nname = "a"\naction = "hold"\nexpires_after_h = 0.5')
    assert rule.expires_after_us == HOUR_US // 2


# -------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ('action = "pass"', "rule 2: name is missing: give a line of at most 200 characters"),
        ('name = "b"', 'rule 2 (\'b\'): action is missing: give "pass" or "hold" or "tag" or'),
        ('name = ""\naction = "pass"', "rule 2: name is '': give a line"),
        ('name = " "\naction = "pass"', "rule 2: name is ' ': give a line"),
        ('name = "b\\nc"\naction = "pass"', r"rule 2: name is 'b\nc': give a line"),
        ('name = 1\naction = "pass"', "rule 2: name is 1: give a line"),
        ('name = "a"\naction = "pass"', "rule 2: name 'a' is that of rule 1: give each rule its"),
        (
            'name = "moderated alias"\naction = "pass"',
            "rule 2: name 'moderated alias' is that of the built-in one that comes last: give",
        ),
        ('name = "b"\naction = "drop"', "rule 2 ('b'): action is 'drop': give \"pass\" or"),
        ('name = "b"\naction = "Pass"', "rule 2 ('b'): action is 'Pass': give \"pass\" or"),
        ('name = "b"\naction = ["pass"]', "rule 2 ('b'): action is a list: give \"pass\" or"),
        ('name = "b"\naction = "tag"', "rule 2 ('b'): tag is missing: give 1 to 64 letters"),
        ('name = "b"\naction = "tag"\ntag = ""', "rule 2 ('b'): tag is '': give 1 to 64 letters"),
        ('name = "b"\naction = "tag"\ntag = "a b"', "rule 2 ('b'): tag is 'a b': give 1 to 64"),
        (
            'name = "b"\naction = "pass"\ntag = "x"',
            "rule 2 ('b'): tag goes with action = \"tag\": leave it out of one that does pass",
        ),
        (
            'name = "b"\naction = "reject"\nexpires_after_h = 4',
            "rule 2 ('b'): expires_after_h goes with action = \"hold\": leave it out of one that",
        ),
        (
            'name = "b"\naction = "tag"\ntag = "x"\non_expiry = "expire"',
            "rule 2 ('b'): on_expiry goes with action = \"hold\": leave it out of one that",
        ),
    ],
)
def test_a_rule_that_is_not_one(path: Path, lines: str, complaint: str) -> None:
    """The complaint names the rule by number and name, the key, and what to do."""
    first = '[[rule]]\nname = "a"\naction = "pass"\n[[rule]]\n'
    assert _complaint(path, first + lines).startswith(complaint)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('colour = "red"', "there is no key 'colour': give any of name, action, reason, tag,"),
        ('Sender = "a"', "there is no key 'Sender': give any of"),
        ("reason = true", "reason is true: give a line of at most 200 characters"),
        (f'reason = "{"x" * 201}"', f"reason is '{'x' * 60}'...: give a line"),
        ("expires_after_h = 0", "expires_after_h is 0: give hours from 0.001 to 8760"),
        ("expires_after_h = 8761", "expires_after_h is 8761: give hours"),
        ("expires_after_h = nan", "expires_after_h is nan: give hours"),
        ("expires_after_h = -inf", "expires_after_h is -inf: give hours"),
        ("expires_after_h = true", "expires_after_h is true: give hours"),
        ('expires_after_h = "48"', "expires_after_h is '48': give hours"),
        ('on_expiry = "pass"', 'on_expiry is \'pass\': give "expire" or "approve" or "reject"'),
        ("spam = 1", 'spam is 1: give a word like "FAIL", or a list of such'),
        ("virus = []", "virus is a list: give a word"),
        ("sender = []", "sender is a list: give a glob of at most 200 characters, or a list of"),
        ('sender = ["a", 1]', "sender is a list: give a glob"),
        (f'sender = "{"x" * 201}"', f"sender is '{'x' * 60}'...: give a glob"),
        (f"sender = {['x'] * (LIST_LENGTH_MAX + 1)}", "sender is a list: give a glob"),
        ("recipient = {}", "recipient is a table: give a glob"),
        ("recipient = 1979-05-27", "recipient is a date or time: give a glob"),
        ("header = {}", "header is a table: give a glob of at most 200 characters for each field"),
        ('header = "List-Id"', "header is 'List-Id': give a glob"),
        ('header = { List-Id = ["a"] }', "header is a table: give a glob"),
        ('header = { List.Id = "a" }', "header is a table: give a glob"),
        ('header = { "a:" = "a" }', "header is a table: give a glob"),
        ('header = { "" = "a" }', "header is a table: give a glob"),
        ("larger_than = -1", "larger_than is -1: give bytes, a whole number"),
        ("larger_than = 1.5", "larger_than is 1.5: give bytes, a whole number"),
        ("larger_than = true", "larger_than is true: give bytes, a whole number"),
        (f"spam = 0x{'f' * 5000}", "spam is a huge number: give a word"),
        ("smaller_than = 0", "smaller_than leaves no size: give more, and more than larger_than"),
        ("smaller_than = 5\nlarger_than = 4", "smaller_than leaves no size: give more, and more"),
        ('moderated = "yes"', "moderated is 'yes': give true or false"),
    ],
)
def test_a_key_that_does_not_fit(path: Path, line: str, complaint: str) -> None:
    """What stands there and what belongs there; an empty list is no condition, but a mistake."""
    told = _complaint(path, f'[[rule]]\nname = "a"\naction = "hold"\n{line}')
    assert told.startswith(f"rule 1 ('a'): {complaint}")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("rule", "is not TOML: "),
        (b"\xff", "is not TOML: "),
        ('name = "a"', "there is no key 'name': begin each rule with [[rule]]"),
        ("[[rules]]", "there is no key 'rules': begin each rule with [[rule]]"),
        ('[rule]\nname = "a"', "rule is a table: begin each rule with [[rule]]"),
        ("rule = [1]", "rule is a list: begin each rule with [[rule]]"),
        ("rule = " + "[" * 5000, "is nested too deeply to be read: rules need no nesting"),
        ("[[rule]]\n" * (RULES_MAX + 1), f"has {RULES_MAX + 1} rules: give at most {RULES_MAX}"),
    ],
)
def test_a_file_that_is_not_one(path: Path, text: str | bytes, complaint: str) -> None:
    """No TOML, or TOML of something else."""
    assert _complaint(path, text).removeprefix(" ").startswith(complaint)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """One that isn't there, and a folder: named with the reason."""
    with pytest.raises(BadInput, match="can't be read: No such file or directory"):
        read_rules(tmp_path / "missing.toml")
    with pytest.raises(BadInput, match="can't be read: Is a directory"):
        read_rules(tmp_path)


# ------------------------------------------------------------------------------- every document

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
WORDS = st.sampled_from(["a", "*", "<>", *ModerationAction, *OnExpiry, "FAIL"]) | TEXTS
SCALARS = (
    WORDS | st.booleans() | st.integers(-2, 10**20) | st.sampled_from([0.5, -1.0, 48.0, 1e300])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["List-Id", "Subject"]) | TEXTS, inner, max_size=3)
    ),
    max_leaves=5,
)
TABLES = st.dictionaries(st.sampled_from(list(KEYS)) | TEXTS, VALUES, max_size=4)
# Those that may well be right.
NAMED = st.builds(
    lambda table, name, keys: {**table, "name": name, **keys},
    st.fixed_dictionaries(
        {},
        optional={
            "spam": WORDS | st.lists(WORDS, min_size=1, max_size=2),
            "sender": WORDS | st.lists(WORDS, min_size=1, max_size=2),
            "header": st.dictionaries(st.sampled_from(["List-Id", "Subject"]), WORDS, min_size=1),
            "larger_than": st.integers(0, 100),
            "moderated": st.booleans(),
        },
    ),
    st.integers().map(str),
    st.sampled_from(["pass", "reject", "hold"]).map(lambda action: {"action": action})
    | st.just({"action": "tag", "tag": "list"})
    | st.builds(
        lambda hours, then: {"action": "hold", "expires_after_h": hours, "on_expiry": then},
        st.floats(0.001, 8760),
        st.sampled_from(OnExpiry),
    ),
)


MAIL = Facts(
    envelope_sender="ann@example.com",
    recipient="support@house.example",
    size_bytes=50,
    verdicts=Verdicts(spam="FAIL"),
    moderated=False,
    headers=(("List-Id", "<news>"),),
)


def _toml(value: object) -> str:
    """An inline value; texts as JSON writes them, which TOML reads."""
    if isinstance(value, dict):
        pairs = (f"{_toml(key)} = {_toml(each)}" for key, each in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _rules_or_mistake(path: Path, text: str | bytes) -> tuple[Rule, ...]:
    try:
        return _read(path, text)
    except BadInput as error:
        # One line, and it can be printed.
        assert "\n" not in str(error)  # noqa: PT017
        return ()


@given(
    st.lists(NAMED, max_size=3) | st.lists(TABLES | NAMED, max_size=3),
    st.just({}) | st.dictionaries(TEXTS, VALUES, max_size=1),
)
def test_any_document_is_rules_or_a_mistake(
    path: Path, tables: list[dict[str, object]], rest: dict[str, object]
) -> None:
    """Nothing but BadInput is ever raised."""
    document = {"rule": tables} | rest
    text = "\n".join(f"{_toml(key)} = {_toml(value)}" for key, value in document.items())
    rules = _rules_or_mistake(path, text)
    assert len(rules) in (0, len(tables))
    assert len({rule.name for rule in rules}) == len(rules)
    assert judge_mail(rules, MAIL).rule in {"", *(rule.name for rule in rules)}


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"rule=" + b"1" * 5000)
@example(b"rule=0x" + b"f" * 5000)
@example(b"rule=[" + b"{a=" * 5000)
@example(b'"\\n"=1')
@example(b"\xef\xbb\xbf")
def test_any_bytes_are_rules_or_a_mistake(path: Path, data: bytes) -> None:
    """Also where they are no TOML, or no text."""
    _rules_or_mistake(path, data)
