"""The words of HTML as a person would see them, in a time that grows with its length alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.cli.html_text import plain


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("plain", "plain"),
        ("<b>bold</b>er", "bolder"),
        ("a &lt;b&gt; &amp; c&nbsp;d", "a <b> & c d"),
        ("1 < 2 <3", "1 < 2 <3"),
        ("one<br>two<BR/>three", "one\ntwo\nthree"),
        ("<p>one</p>\n\n  <div>two\n  more</div>", "one\ntwo\nmore"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "ab\nc"),
        ("<html><head><title>T</title><body>words", "T\nwords"),
        ("a<!-- c > d -->b", "ab"),
        ("a<!doctype html>b<?xml x?>c</>d", "abcd"),
        ("a<![foo[b]]>c", "ac"),
    ],
)
def test_tags_go_and_words_stay(html: str, words: str) -> None:
    """Blocks begin lines; blank lines and blanks in a row are of no use."""
    assert plain(html) == words


@pytest.mark.parametrize(
    "html",
    [
        "a<script>alert('<b>x</b>')</script>b",
        "a<SCRIPT type='x>y'>x</b></script\n>b",
        "a<style>p > b { }</style>b",
        "a<script/>x</script>b",
        "a<script>x</scripty>y</script>b",
    ],
)
def test_scripts_and_styles_are_left_out(html: str) -> None:
    """With all that looks like a tag in them."""
    assert plain(html) == "ab"


@pytest.mark.parametrize("html", ["a<script>x", "a<style>x</styl", "a<script>x</script"])
def test_a_script_without_an_end_goes_on_to_the_end(html: str) -> None:
    """As in a browser."""
    assert plain(html) == "a"


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ('<a href="http://x.example/?a=1&amp;b=2">here</a>!', "here <http://x.example/?a=1&b=2>!"),
        ("<a class=x href='http://x.example/'>here</a>", "here <http://x.example/>"),
        ("<A HREF = http://x.example/>here</A>", "here <http://x.example/>"),
        ("<a name=top>here</a>", "here"),
        ("<a href=evil href=good>here</a>", "here <evil>"),
        ("<a title=' href=good ' href=evil>here</a>", "here <evil>"),
        ("<a data-href=good href=evil>here</a>", "here <evil>"),
        ("<a href=one>a<a href=two>b</a>c", "a <one>b <two>c"),
        ("<a title='>' href=x>here</a>", "here <x>"),
        ("<abbr href=x>no link</abbr>", "no link"),
        ("</a>no link</a>", "no link"),
    ],
)
def test_where_a_link_goes_is_shown(html: str, words: str) -> None:
    """That which a browser would follow."""
    assert plain(html) == words


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("a<b", "a<b"),
        ("a<b class='", "a<b class='"),
        ("a<!-- b", "a<!-- b"),
        ("a<!b", "a<!b"),
        ("a</", "a</"),
        ("a<", "a<"),
        ("a<b title='>c", "ac"),
    ],
)
def test_what_breaks_off_is_shown_as_it_is(html: str, words: str) -> None:
    """Nobody hides words by a tag that never ends."""
    assert plain(html) == words


@pytest.mark.parametrize(
    "piece",
    ["<a ", "<!--", "<a b='", '<a ="', "</", "<script>", "<a href=x>", "<a href", "=' ", "<", "&#",
     "<a " + " " * 50, "</script", "<![", '<a x="y" '],
)  # fmt: skip
@pytest.mark.parametrize("end", ["", ">", "'\">"])
def test_no_text_takes_long(piece: str, end: str) -> None:
    """A stranger writes it; linear, it takes a fraction of a second."""
    begun = time.process_time()
    plain("<a " + piece * 30_000 + end)
    plain(piece * 30_000 + end)
    assert time.process_time() - begun < 5


@given(st.text(alphabet="<>/!-?aA='\" \nhref&;script", max_size=80))
def test_whatever_stands_there_is_read(html: str) -> None:
    """Without an error, and in lines without blanks around them."""
    lines = plain(html).split("\n")
    assert lines == [line.strip() for line in lines]


@given(st.text(st.characters(exclude_characters="<&", exclude_categories=["Cs"]), max_size=60))
def test_words_without_tags_are_all_there(text: str) -> None:
    """Nothing is lost but blanks."""
    assert plain(text).split() == text.split()
