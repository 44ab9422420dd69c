"""Settings come from the environment or a file, and a wrong one is named before it does harm."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.settings import (
    FILE_VARIABLE,
    PREFIX_PATTERN,
    Settings,
    load_settings,
    variable_of,
)
from schemas.errors import BadInput
from schemas.values import UnknownPolicy

ROOT = Path(__file__).parents[3]
NUMBERS = {each.name: each for each in fields(Settings) if not isinstance(each.default, str)}

FromFile = Callable[..., Settings]


@pytest.fixture
def from_file(tmp_path: Path) -> FromFile:
    """Reads the settings from a file with this text, and from these variables."""

    def load(text: str, **variables: str) -> Settings:
        path = tmp_path / "mailtumble.toml"
        path.write_text(text, encoding="utf-8")
        return load_settings({FILE_VARIABLE: str(path), **variables})

    return load


def _refusal(environment: dict[str, str]) -> str:
    with pytest.raises(BadInput) as refused:
        load_settings(environment)
    return str(refused.value)


class TestSources:
    """Defaults, boto's region, the file, the environment: the later one wins."""

    def test_without_any_the_defaults_hold(self) -> None:
        """Other variables are nobody's business."""
        assert load_settings({}) == Settings()
        assert load_settings({"HOME": "/", "MAIL": "x", "AWS_PROFILE": "p"}) == Settings()

    def test_the_environment_of_the_process_is_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where no other is given."""
        monkeypatch.setenv("MAILTUMBLE_LIFETIME_H", "5")
        assert load_settings().lifetime_h == 5

    def test_every_setting_has_its_variable(self) -> None:
        """Its default written as text gives the default again, in its type."""
        for each in fields(Settings):
            loaded = getattr(load_settings({variable_of(each.name): str(each.default)}), each.name)
            assert loaded == each.default
            assert type(loaded) is type(each.default)

    def test_every_setting_can_stand_in_a_file(self, from_file: FromFile) -> None:
        """Its default in TOML gives the default again."""
        lines = [
            f'{each.name} = "{each.default}"'
            if isinstance(each.default, str)
            else f"{each.name} = {each.default}"
            for each in fields(Settings)
        ]
        assert from_file("\n".join(lines)) == Settings()

    def test_the_environment_wins_over_the_file(self, from_file: FromFile) -> None:
        """And what it doesn't name is the file's."""
        loaded = from_file("web_port = 1\nlifetime_h = 2", MAILTUMBLE_WEB_PORT="3")
        assert (loaded.web_port, loaded.lifetime_h) == (3, 2)

    def test_the_order_of_variables_does_not_matter(self, tmp_path: Path) -> None:
        """The file is read first, wherever its variable stands."""
        path = tmp_path / "a.toml"
        path.write_text("web_port = 1", encoding="utf-8")
        given = {"MAILTUMBLE_WEB_PORT": "3", FILE_VARIABLE: str(path)}
        assert load_settings(given).web_port == 3
        assert load_settings(dict(reversed(given.items()))).web_port == 3

    @pytest.mark.parametrize(
        ("variables", "text", "region"),
        [
            ({}, "", "us-east-1"),
            ({"AWS_DEFAULT_REGION": "eu-west-2"}, "", "eu-west-2"),
            ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "", "eu-west-1"),
            ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-2"}, "", "eu-west-2"),
            ({"AWS_REGION": "eu-west-1"}, 'region = "eu-north-1"', "eu-north-1"),
            ({"MAILTUMBLE_REGION": "eu-south-1"}, 'region = "eu-north-1"', "eu-south-1"),
        ],
    )
    def test_the_region_may_be_botos(
        self, from_file: FromFile, variables: dict[str, str], text: str, region: str
    ) -> None:
        """A region for mailtumble alone wins over boto's."""
        assert from_file(text, **variables).region == region

    def test_an_empty_name_of_a_file_names_none(self) -> None:
        """As a shell passes a variable that was emptied."""
        assert load_settings({FILE_VARIABLE: ""}) == Settings()

    def test_texts_may_be_empty_where_that_means_something(self) -> None:
        """Then the name that follows from the prefix is taken."""
        assert load_settings({"MAILTUMBLE_LOOKUP_TABLE": ""}).lookup_table == ""

    def test_the_policy_is_a_value(self) -> None:
        """Each of its words is one."""
        for policy in UnknownPolicy:
            assert load_settings({"MAILTUMBLE_ON_UNKNOWN": str(policy)}).policy() is policy


class TestFiles:
    """What is wrong with a file is said, with its name."""

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        """Not a default in its place."""
        told = _refusal({FILE_VARIABLE: str(tmp_path / "none.toml")})
        assert told == (
            f"MAILTUMBLE_CONFIG names {tmp_path}/none.toml, which can't be read: "
            "No such file or directory"
        )

    def test_a_folder(self, tmp_path: Path) -> None:
        """Is no file either."""
        assert "which can't be read: Is a directory" in _refusal({FILE_VARIABLE: str(tmp_path)})

    @pytest.mark.parametrize(
        "content", [b"web_port: 1", b"web_port = 1\nweb_port = 2", b"prefix = '\xff'"]
    )
    def test_a_file_that_is_not_toml(self, tmp_path: Path, content: bytes) -> None:
        """YAML, a name given twice, bytes that are no text."""
        path = tmp_path / "a.toml"
        path.write_bytes(content)
        told = _refusal({FILE_VARIABLE: str(path)})
        assert told.startswith(f"MAILTUMBLE_CONFIG names {path}, which is not TOML: ")


class TestNames:
    """A name that nobody reads is a mistake, not a comment."""

    @pytest.mark.parametrize(
        "variable",
        ["MAILTUMBLE_WEBPORT", "MAILTUMBLE_", "MAILTUMBLE_web_port", "MAILTUMBLE_Web_Port"],
    )
    def test_in_the_environment(self, variable: str) -> None:
        """Capitals count there."""
        assert _refusal({variable: "1"}) == (
            f"{variable}: there is no such setting, see docs/reference/settings.md"
        )

    @pytest.mark.parametrize(
        ("text", "name"),
        [("webport = 1", "webport"), ("WEB_PORT = 1", "WEB_PORT"), ("[mailtumble]", "mailtumble")],
    )
    def test_in_a_file(self, from_file: FromFile, text: str, name: str) -> None:
        """A table is a name, too."""
        with pytest.raises(BadInput, match=rf"mailtumble\.toml: {name}: there is no such setting"):
            from_file(text)

    def test_the_page_that_the_error_names_is_there(self) -> None:
        """So that what to do about it can be done."""
        assert (ROOT / "docs/reference/settings.md").is_file()


@pytest.mark.parametrize("name", sorted(NUMBERS))
class TestNumbers:
    """Of the right kind and within bounds, from wherever they come."""

    def test_both_bounds_are_allowed(self, name: str) -> None:
        """Each has two, and the default lies between."""
        known = NUMBERS[name]
        least, most = known.metadata["least"], known.metadata["most"]
        assert least <= known.default <= most
        for bound in (least, most):
            assert getattr(load_settings({variable_of(name): str(bound)}), name) == bound

    def test_what_lies_beyond_a_bound_is_refused(self, name: str) -> None:
        """However little or much; the error tells variable, value and what is allowed."""
        known = NUMBERS[name]
        step = 1 if isinstance(known.default, int) else 1e-6
        least, most = known.metadata["least"], known.metadata["most"]
        for text in (str(least - step), str(most + step), "-1e9", "1e300", str(10**400)):
            told = _refusal({variable_of(name): text})
            assert told == f"{variable_of(name)} is {text!r}: give {known.metadata['allowed']}"
            assert f" from {least} to {most}" in told

    @pytest.mark.parametrize("text", ["nan", "inf", "-inf", "", "many", "1,5", "true", "0x10"])
    def test_what_is_no_number_is_refused(self, name: str, text: str) -> None:
        """Python's own words for what is not finite, too."""
        assert _refusal({variable_of(name): text}).startswith(f"{variable_of(name)} is {text!r}: ")

    @pytest.mark.parametrize(
        "value", ["true", "false", "nan", "inf", "-inf", "[]", "{}", "2026-01-31", f"1{'0' * 400}"]
    )
    def test_what_is_no_number_in_a_file_is_refused(
        self, from_file: FromFile, name: str, value: str
    ) -> None:
        """TOML has booleans, dates, and numbers that are none; an integer there knows no end."""
        with pytest.raises(BadInput, match=rf"mailtumble\.toml: {name} is .*: give a"):
            from_file(f"{name} = {value}")


class TestKinds:
    """A file's values have types of their own."""

    @pytest.mark.parametrize("value", ["8080.5", "8080.0", "1e3", '"8080.5"'])
    def test_a_fraction_is_no_whole_number(self, from_file: FromFile, value: str) -> None:
        """It is refused, not cut off."""
        with pytest.raises(BadInput, match=r"web_port is .*: give a whole number from 0 to 65535"):
            from_file(f"web_port = {value}")

    def test_a_whole_number_is_a_number(self, from_file: FromFile) -> None:
        """And becomes what the setting is."""
        loaded = from_file("lifetime_h = 24").lifetime_h
        assert (loaded, type(loaded)) == (24, float)

    def test_a_number_may_be_written_as_text(self, from_file: FromFile) -> None:
        """As the environment writes it."""
        assert from_file('web_port = "8080"').web_port == 8080

    @pytest.mark.parametrize("value", ["1", "1.5", "true", "2026-01-31", '["a"]', '"a\\nb"'])
    def test_what_is_no_text_is_refused(self, from_file: FromFile, value: str) -> None:
        """A name that looks like a number has to stand in quotes; one line is all there is."""
        with pytest.raises(BadInput, match=r"lookup_table is .*: give a line of text"):
            from_file(f"lookup_table = {value}")


class TestForms:
    """Texts that become part of names and keys have a form."""

    @pytest.mark.parametrize(
        ("variable", "text"),
        [
            ("MAILTUMBLE_ON_UNKNOWN", "RESEND"),
            ("MAILTUMBLE_ON_UNKNOWN", ""),
            ("MAILTUMBLE_ON_UNKNOWN", "resend or park"),
            ("MAILTUMBLE_PREFIX", ""),
            ("MAILTUMBLE_PREFIX", "Mail"),
            ("MAILTUMBLE_PREFIX", "mail-"),
            ("MAILTUMBLE_PREFIX", "mail_tumble"),
            ("MAILTUMBLE_PREFIX", "m" * 41),
            ("MAILTUMBLE_GENERATION", ""),
            ("MAILTUMBLE_GENERATION", "g1#g2"),
            ("MAILTUMBLE_REGION", ""),
            ("MAILTUMBLE_REGION", "eu west"),
            ("AWS_REGION", "http://127.0.0.1"),
            ("MAILTUMBLE_LOOKUP", ""),
            ("MAILTUMBLE_LOOKUP", "our driver"),
            ("MAILTUMBLE_VERIFY_SNS", "yes"),
            ("MAILTUMBLE_VERIFY_SNS", "ON"),
        ],
    )
    def test_others_are_refused(self, variable: str, text: str) -> None:
        """By the name of the variable that holds them."""
        assert _refusal({variable: text}).startswith(f"{variable} is {text!r}: give ")

    def test_the_words_of_a_choice_are_told(self) -> None:
        """All of them."""
        told = _refusal({"MAILTUMBLE_ON_UNKNOWN": "ask"})
        assert told == "MAILTUMBLE_ON_UNKNOWN is 'ask': give resend or park"

    def test_the_prefix_has_the_form_that_terraform_demands(self) -> None:
        """What can be set up can be worked with, and the other way round."""
        text = (ROOT / "infra/terraform/envs/prod/variables.tf").read_text(encoding="utf-8")
        found = re.search(r'regex\("\^(.+)\$", var\.prefix\)', text)
        assert found
        assert found[1] == PREFIX_PATTERN


@given(st.sampled_from([each.name for each in fields(Settings)]), st.floats() | st.text(max_size=9))
def test_whatever_is_given_is_taken_or_refused(name: str, value: object) -> None:
    """No other error comes out, and what is taken is finite, in bounds and in the right type."""
    try:
        loaded = getattr(load_settings({variable_of(name): str(value)}), name)
    except BadInput:
        return
    default = getattr(Settings(), name)
    assert type(loaded) is type(default)
    if name in NUMBERS:
        assert math.isfinite(loaded)
        assert NUMBERS[name].metadata["least"] <= loaded <= NUMBERS[name].metadata["most"]
