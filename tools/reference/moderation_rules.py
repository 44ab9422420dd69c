"""``moderation-rules.md``: every key of the file of moderation rules, and what rules do."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Iterator
from typing import Final

from mailtumble.moderation_rules import KEYS, RULES_MAX
from mailtumble.settings import variable_of
from mailtumble.worker.headers import HEADER_BYTES_MAX
from processors.forwarding.hops import TAGS
from processors.moderation.rules import MODERATED_ALIAS, Rule
from schemas.values import HOUR_US, ModerationAction, OnExpiry, Verdicts
from tools.reference.docstrings import meanings, text
from tools.reference.markdown import GENERATED, code, prose, table

ASIDE: Final = re.compile(r"; (\S+ for no such condition|for [A-Z]+)\.$")
"""In the file a condition is left out; which action a key goes with has a column of its own."""

EXAMPLE: Final = """\
[[rule]]
name = "virus"
action = "reject"
reason = "SES found a virus"
virus = "FAIL"

[[rule]]
name = "our own servers"
action = "pass"
sender = ["*@house.example", "*@shop.example"]
spf = "PASS"

[[rule]]
name = "spam"
action = "hold"
reason = "SES takes it for spam"
spam = ["FAIL", "GRAY"]
expires_after_h = 24
on_expiry = "reject"

[[rule]]
name = "mailing lists"
action = "tag"
tag = "list"
header = { List-Id = "*" }

[[rule]]
name = "large"
action = "hold"
reason = "more than 10 MB"
larger_than = 10_000_000
on_expiry = "approve"
"""

PAGE: Final = """\
# Moderation rules

{generated}

`{variable}` names a TOML file with the rules. Every worker reads it when it
starts, and core decides by it. Where a rule is wrong, the worker ends with exit code 2 and a line
that names the file, the rule and the key. A file has {rules_max} rules at most. What was decided
stands on the log: a changed rule holds for mails that are looked up after the restart.

The rules are asked in the order of the file, once a mail's alias was looked up. Of a rule's
conditions all must hold; a rule without conditions fits every mail. The first rule that fits and
passes, holds or rejects decides; those that fit before it and tag leave their tags. Last comes a
rule that is built in, `{built_in}`: it holds what goes to an alias that is moderated, for
{built_in_h} hours. What no rule fits passes.

What passes so can be held by the `breaker` all the same, where too much of an alias's or a
sender's mail came back ([how](../how-to.md#hold-what-comes-back)): a rule that passes mail speaks
for its content, not for its targets. Rules that hold or reject come first.

Rules that ask for a header field make core read the first {header_kb} KB of each mail from S3.

## An example

```toml
{example}```

With `{variable}` set to its path:

- a mail in which SES found a virus is not sent on;
- mail from our own servers (SPF says so) passes, to moderated aliases too, since no later rule is
  asked;
- what SES takes for spam waits a day for a moderator, and is rejected then;
- a mailing list's mail gets the tag `list`, and the next rules are asked;
- a mail of more than 10 MB waits for a moderator, and goes after {default_h} hours if none decides.

## Keys

{keys}

A glob has `*` for any text, `?` for any character and `[...]` for one of several. It fits whole
texts, whatever the case.

The words of SES's verdicts are {words} ("Contents of
notifications for Amazon SES email receiving" in the SES developer guide); `""` is that of a
verdict that SES does not give.

## Actions

{actions}

Tags stand in the mail's story, and in the field `{tags}` of the mail as it is sent on.

## What becomes of held mail in the end

{expiry}
"""


def page() -> str:
    """The page."""
    return PAGE.format(
        generated=GENERATED,
        variable=variable_of("moderation_rules"),
        rules_max=RULES_MAX,
        built_in=MODERATED_ALIAS.name,
        built_in_h=MODERATED_ALIAS.expires_after_us // HOUR_US,
        default_h=_defaults()["expires_after_us"],
        header_kb=HEADER_BYTES_MAX // 1024,
        example=EXAMPLE,
        keys="\n".join(_keys()),
        words=_words(),
        actions="\n".join(_meanings(ModerationAction)),
        tags=TAGS.decode(),
        expiry="\n".join(_meanings(OnExpiry)),
    )


def _keys() -> Iterator[str]:
    told, defaults = _attributes(), _defaults()
    return table(
        ("key", "takes", "default", "with", "meaning"),
        (
            (
                code(name),
                prose(key.allowed),
                defaults.get(key.attribute, ""),
                code(f'action = "{key.only}"') if key.only else "",
                _of_scanner(name) if key.attribute == "verdicts" else prose(told[key.attribute]),
            )
            for name, key in KEYS.items()
        ),
    )


def _of_scanner(name: str) -> str:
    return f"words of which SES's `{name}` verdict has to be one, whatever the case"


def _attributes() -> dict[str, str]:
    """What the docstring of a rule says of each attribute."""
    _, _, listed = text(Rule).partition("Attributes:\n")
    found = re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", listed, re.MULTILINE)
    return {name: ASIDE.sub("", " ".join(meaning.split())).rstrip(".") for name, meaning in found}


def _defaults() -> dict[str, str]:
    """What holds where a key is left out; conditions have none."""
    found: dict[str, str] = {}
    for field in dataclasses.fields(Rule):
        if field.default is dataclasses.MISSING:
            found[field.name] = "none: it has to be there"
        elif isinstance(field.default, enum.Enum):
            found[field.name] = code(f'"{field.default.value}"')
        elif field.name == "expires_after_us":
            found[field.name] = str(field.default // HOUR_US)
    return found


def _words() -> str:
    _, _, listed = text(Verdicts).partition(": ")
    return listed.partition(", or new")[0]


def _meanings(kind: type[enum.Enum]) -> Iterator[str]:
    rows = ((code(f'"{each}"'), meaning) for each, meaning in meanings(kind).items())
    return table(("value", "meaning"), rows)
