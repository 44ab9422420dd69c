"""Any mail becomes text that is safe to read, however broken or cunning it is."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailtumble.cli.mail_text import TEXT_MAX, as_text
from mailtumble.cli.output import printable_lines

MAILS = Path(__file__).parents[3] / "fixtures" / "mail"
FILES = sorted(MAILS.rglob("*.eml"))


def _mail(*parts: bytes, header: bytes = b"") -> bytes:
    inside = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    return (
        header + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        + inside + b"--b--\r\n"
    )  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(MAILS)))
def test_real_mails_can_be_read(path: Path) -> None:
    """Every one of them: printable lines, and no part given up."""
    raw = path.read_bytes()
    text = as_text(raw)
    assert all(line.isprintable() for line in printable_lines(text).split("\n"))
    assert "can't be" not in text
    assert "[" in text


def test_there_are_real_mails() -> None:
    """An empty search would pass for a clean one."""
    assert len(FILES) > 100


def test_the_header_has_what_people_know() -> None:
    """Decoded and unfolded; what machines wrote is left out."""
    assert as_text(
        b"Received: from x\r\nFrom: =?utf-8?q?J=C3=B6rg?= <j@x.example>\r\n"
        b"SUBJECT: a\r\n folded one\r\nX-Spam: no\r\nDKIM-Signature: v=1\r\n\r\nhi\r\n"
    ).splitlines() == [
        "From: Jörg <j@x.example>",
        "SUBJECT: a folded one",
        "",
        "[text/plain]",
        "hi",
    ]


@pytest.mark.parametrize(
    "subject",
    [
        b"=?utf-8?q?hi=0AFrom:_the_boss?=",
        b"=?utf-8?b?aGkKRnJvbTogdGhlIGJvc3M=?=",
        b"hi\x1b[2J",
        b"=?utf-8?b?abcde?=",
        b"=?no-such-charset?q?hi?=",
        b"=?a\0b?q?hi?=",
        b"\xff\xfe",
    ],
)
def test_a_field_stays_a_line(subject: bytes) -> None:
    """Whatever it decodes to, and where it can't be decoded."""
    lines = as_text(b"Subject: " + subject + b"\r\n\r\nhi\r\n").splitlines()
    assert lines[0].startswith("Subject: ")
    assert lines[0].isprintable()
    assert lines[1:] == ["", "[text/plain]", "hi"]


def test_attachments_are_told_by_name_and_size() -> None:
    """Their content is not shown, be it text or not."""
    text = as_text(
        _mail(
            b"Content-Type: text/plain\r\n\r\nhello\r\n",
            b'Content-Type: text/html; name="page.html"\r\n\r\n<b>inside</b>',
            b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
            b"Content-Disposition: attachment; filename*=utf-8''%E2%82%AC.pdf\r\n\r\nAAAA",
            b"Content-Type: image/png\r\n\r\nxx",
        )
    )
    assert "[text/plain]\nhello" in text
    assert "[text/html: page.html, 13 bytes]" in text
    assert "[application/pdf: €.pdf, 3 bytes]" in text
    assert "[image/png: without a name, 2 bytes]" in text
    assert "inside" not in text


def test_an_attachments_name_stays_in_its_line() -> None:
    """It can't pretend to be a part, nor steer a terminal."""
    text = as_text(
        _mail(
            b"Content-Type: application/x\r\nContent-Disposition: attachment; "
            b"filename*=utf-8''a%0A%5Btext/plain%5D%0Aharmless%1B%5B2J\r\n\r\nx"
        )
    )
    assert r"[application/x: a\n[text/plain]\nharmless\x1b[2J, 1 bytes]" in text
    assert "\x1b" not in text


def test_a_mail_in_a_mail_is_read_too() -> None:
    """A forwarded one."""
    inner = b"From: eve@x.example\r\n\r\ninner words\r\n"
    text = as_text(_mail(b"Content-Type: message/rfc822\r\n\r\n" + inner))
    assert "[text/plain]\ninner words" in text


def test_html_is_shown_without_scripts() -> None:
    """Its words, and where its links go; nothing of what a browser would run."""
    raw = (
        b"Content-Type: text/html\r\n\r\n<head><title>Hi</title><script>run()</script></head>"
        b'<p onclick="run()">click <a href="http://x.example/">here</a><style>p{}</style>'
    )
    assert as_text(raw) == "\n[text/html]\nHi\nclick here <http://x.example/>"


@pytest.mark.parametrize(
    ("charset", "shown"),
    [
        (b"iso-8859-1", "Gr\u00fc\u00dfe"),
        (b"no-such-charset", "Gr\ufffd\ufffde"),
        (b"idna", "Gr\ufffd\ufffde"),
        (b"undefined", "Gr\ufffd\ufffde"),
        (b"hex", "Gr\ufffd\ufffde"),
        (b'"a\0b"', "Gr\ufffd\ufffde"),
        (b'""', "Gr\ufffd\ufffde"),
        (b"punycode", "Gr\ufffd\ufffde"),
    ],
)
def test_a_charset_may_be_unknown(charset: bytes, shown: str) -> None:
    """Or no charset at all: what can be read is shown, and the other parts too."""
    first = b"Content-Type: text/plain; charset=" + charset + b"\r\n\r\nGr\xfc\xdfe\r\n"
    text = as_text(_mail(first, b"Content-Type: text/plain\r\n\r\nsecond\r\n"))
    assert f"[text/plain]\n{shown}" in text
    assert "second" in text


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"no header at all",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nnever closed",
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: uuencode\r\n\r\nbegin 1 a\r\n~",
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: no-such\r\n\r\nhi",
        b"Content-Type: \xff\xff\r\n\r\nhi",
        b"Content-Type: text/plain; charset*=x'y'z%\r\n\r\nhi",
        b"Content-Disposition: attachment; filename*0*=a'b; filename*x=c\r\n\r\nhi",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + b"--b\r\nContent-Type: message/rfc822\r\n\r\n" * 300,
    ],
)
def test_what_is_broken_is_read_as_far_as_it_goes(raw: bytes) -> None:
    """No error comes out."""
    assert as_text(raw).isascii() in {True, False}


def test_nested_deeper_than_python_goes() -> None:
    """That is said in one line; the header stands above it."""
    depth = 3000
    raw = b"Subject: deep\r\n" + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (number, number)
        for number in range(depth)
    )
    lines = as_text(raw).splitlines()
    assert lines[0] == "Subject: deep"
    assert any("can't be told apart" in line for line in lines)


def test_a_long_part_is_cut() -> None:
    """What is left out is counted."""
    text = as_text(b"Subject: long\r\n\r\n" + b"x" * (TEXT_MAX + 7))
    assert text.endswith("x\n[7 more characters]")
    assert len(text) < TEXT_MAX + 100


def test_a_mail_made_to_be_slow_is_read_at_once() -> None:
    """Python's own HTML parser takes minutes for this one."""
    begun = time.process_time()
    as_text(b"Content-Type: text/html\r\n\r\n" + b"<a " * 100_000)
    assert time.process_time() - begun < 10


HEADER_LINES = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: text/html; charset=utf-16\r\n",
        b"Content-Type: text/plain; charset=idna\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Type: message/delivery-status\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n",
        b"Content-Transfer-Encoding: x-uuencode\r\n",
        b"Content-Disposition: attachment; filename*1*=%\r\n",
        b"Subject: =?utf-8?b?abcde?=\r\n",
        b"\r\n",
        b"--b\r\n",
        b"--b--\r\n",
        b"<![foo[\r\n",
        b"begin 644 a\r\n",
    ]
)


@given(st.lists(HEADER_LINES | st.binary(max_size=12), max_size=14).map(b"".join))
@example(b"Content-Type: text/html\r\n\r\n<![foo[")
@example(b"Content-Type: text/plain; charset\r\n\r\nx")
def test_whatever_comes_is_printable_text(raw: bytes) -> None:
    """Any bytes at all."""
    shown = printable_lines(as_text(raw))
    assert all(line.isprintable() for line in shown.split("\n"))
