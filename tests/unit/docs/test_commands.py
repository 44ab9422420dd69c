"""What documentation and help tell people to type can be typed: it parses. Nothing is run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from mailtumble.cli.main import group
from mailtumble.settings import FILE_VARIABLE, PREFIX, load_settings
from schemas.errors import BadInput
from tests.unit.docs.command_lines import CommandLine, in_markdown, in_shell
from tools.reference import commands

ROOT = Path(__file__).parents[3]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = frozenset(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
FILE_TO_GIVE = re.compile(r"FILE\w*|[\w-]+\.(csv|eml|json|toml)")
"""A word that stands for a file of the reader's own."""

Typed = Callable[[CommandLine], None]


def _pages() -> Iterator[Path]:
    yield ROOT / "README.md"
    for page in sorted((ROOT / "docs").rglob("*.md")):
        # A decision is a document of its day: its commands may be gone.
        if "adr" not in page.relative_to(ROOT).parts:
            yield page


def _documented() -> Iterator[tuple[str, CommandLine]]:
    for page in _pages():
        for line in in_markdown(page.read_text(encoding="utf-8")):
            yield str(page.relative_to(ROOT)), line
    for context in commands.contexts():
        for example in commands.examples(context.command):
            for line in in_shell(example):
                yield f"{context.command_path} --help", line


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Types a command line in a checkout with the reader's files in it; nothing is run."""
    for context in commands.contexts():
        monkeypatch.setattr(context.command, "callback", None)
    for entry in ROOT.iterdir():
        (tmp_path / entry.name).symlink_to(entry)
    monkeypatch.chdir(tmp_path)

    def type_in(line: CommandLine) -> None:
        own = {name: text for name, text in line.variables.items() if name.startswith(PREFIX)}
        own.pop(FILE_VARIABLE, None)
        load_settings(own)
        if line.program == "make":
            _make(line)
            return
        arguments: list[str] = []
        for word in line.arguments:
            if FILE_TO_GIVE.fullmatch(word) and not Path(word).exists():
                Path(word).touch()
            found = sorted(map(str, Path().glob(word))) if "*" in word else []
            arguments += found or [word]
        group.main(arguments, prog_name="mailtumble", standalone_mode=False)

    return type_in


def _make(line: CommandLine) -> None:
    variables = {**line.variables}
    for word in line.arguments:
        name, equals, value = word.partition("=")
        if equals:
            variables[name] = value
        elif word not in TARGETS:
            raise BadInput(f"there is no target {word} in the Makefile")
    for name in variables:
        if f"$({name})" not in MAKEFILE:
            raise BadInput(f"the Makefile reads no variable {name}")


DOCUMENTED = {(place, str(line)): line for place, line in _documented()}
"""Each line once a page."""


@pytest.mark.parametrize(
    ("place", "line"), [(place, line) for (place, _), line in DOCUMENTED.items()], ids=str
)
def test_what_is_documented_can_be_typed(typed: Typed, place: str, line: CommandLine) -> None:
    """The command exists, with these options and arguments; the target is in the Makefile."""
    try:
        typed(line)
    except (click.ClickException, BadInput) as error:
        reason = error.format_message() if isinstance(error, click.ClickException) else str(error)
        pytest.fail(f"{place}: {line}: {reason}", pytrace=False)


@pytest.mark.parametrize(
    "text",
    [
        "mailtumble mial list",
        "mailtumble mail lst",
        "mailtumble mail list --jsn",
        "mailtumble mail list --status lost",
        "mailtumble mail show",
        "mailtumble mail show ID and more",
        "mailtumble local --smtp-port many",
        "mailtumble local inject tests/nowhere.eml --from a@b.example --to c@d.example",
        "mailtumble local inject tests/no*where --from a@b.example --to c@d.example",
        "MAILTUMBLE_NOTHING=1 mailtumble mail list",
        "MAILTUMBLE_WEB_PORT=many mailtumble worker core",
        "make tset",
        "make test PYTEST_ARG=-x",
        "PYTHN=python3.12 make test",
    ],
)
def test_what_can_not_be_typed_is_found(typed: Typed, text: str) -> None:
    """The check itself tells right from wrong."""
    (line,) = in_shell(text)
    with pytest.raises((click.ClickException, BadInput)):
        typed(line)


@pytest.mark.parametrize(
    "text",
    [
        "mailtumble --help",
        "mailtumble mail list -h",
        "mailtumble --version",
        "mailtumble mail show ID --json --debug --state-dir .mailtumble",
        "mailtumble local inject FILE1 mine.eml --from a@b.example --to c@d.example",
        "mailtumble local inject tests/fixtures/mail/*/*.eml --from a@b.example --to c@d.example",
        "MAILTUMBLE_CONFIG=FILE MAILTUMBLE_WEB_PORT=8080 mailtumble worker core",
        "PYTHON=/usr/bin/python3.12 make lint test",
        'make test PYTEST_ARGS="-k pacing"',
    ],
)
def test_what_can_be_typed_is_left_alone(typed: Typed, text: str) -> None:
    """Placeholders, patterns, variables and the options of every command."""
    (line,) = in_shell(text)
    typed(line)


PAGE = """
```
make run     # AWS; and mailtumble nonsense
$ cd there && FOO='a b' .venv/bin/mailtumble mail list --json 2>errors.txt | jq '.[0]' > first
  mailtumble local inject \\
    a.eml < b.eml
mailtumble: an error, it's no command line
make: *** no command line either
 SMTP ──▶ make's drawing
```

mailtumble outside

~~~sh
mailtumble mail show "$(jq -r .id)"
~~~

```toml
make = "mailtumble"
mailtumble mail
```
"""


def test_command_lines_are_found_as_a_shell_would_read_them() -> None:
    """Comments, prompts, variables, pipes, redirection, lines that go on; and nothing else."""
    assert list(in_markdown(PAGE)) == [
        CommandLine("make", ("run",)),
        CommandLine("mailtumble", ("mail", "list", "--json"), {"FOO": "a b"}),
        CommandLine("mailtumble", ("local", "inject", "a.eml")),
        CommandLine("mailtumble", ("mail", "show", "$(jq -r .id)")),
    ]


def test_the_readme_has_command_lines() -> None:
    """An empty search would pass for a clean one."""
    programs = {line.program for place, line in _documented() if place == "README.md"}
    assert programs == {"mailtumble", "make"}


@pytest.mark.parametrize("context", list(commands.contexts()), ids=lambda each: each.command_path)
class TestEveryCommand:
    """What holds for each."""

    def test_the_help_says_what_it_is_for(self, context: click.Context) -> None:
        """Of the command and of each of its options."""
        assert context.command.help
        for option in context.command.get_params(context):
            if isinstance(option, click.Option):
                assert option.help, option.name

    def test_it_has_an_example_of_itself(self, context: click.Context) -> None:
        """Every one that does something."""
        lines = [
            str(each) for text in commands.examples(context.command) for each in in_shell(text)
        ]
        if commands.runs(context.command) and context.parent is not None:
            assert lines
        assert all(line.startswith(context.command_path) for line in lines)

    def test_it_takes_the_options_of_every_command(self, context: click.Context) -> None:
        """--state-dir, --debug and --help, as the reference says."""
        taken = {name for each in context.command.get_params(context) for name in each.opts}
        shared = {name for names, _ in commands.shared_options() for name in names.split()}
        missing = {name for name in shared if name.startswith("--")} - taken
        assert missing == (set() if commands.runs(context.command) else {"--debug", "--state-dir"})
