"""The words of an HTML text, read in one pass: its time grows with its length alone.

Python's own HTML parser goes over what is left again at each tag that has no end: 60 KB that
somebody made for the purpose would keep a moderator waiting for a minute.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Final

HIDDEN: Final = frozenset({"script", "style"})
"""What stands between their tags is for machines."""
BREAKS: Final = frozenset(
    {"br", "p", "div", "tr", "li", "title", "h1", "h2", "h3", "h4", "h5", "h6", "table"}
)

# Quotes count behind an equals sign alone, and there they may hide a ">".
_TAG: Final = re.compile(
    r"""<(/?)([a-z][^\s/>]*+)((?:=\s*+"[^"]*+"|=\s*+'[^']*+'|[^>])*+)>""", re.IGNORECASE
)
_ATTRIBUTE: Final = re.compile(
    r"""([^\s"'<>/=]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>]*+)))?"""
)
_ENDS: Final = {name: re.compile(rf"</{name}[\s/>]", re.IGNORECASE) for name in HIDDEN}


def plain(text: str) -> str:
    """The words without the tags; where links go stands behind them.

    Where the text breaks off in the middle of a tag or a comment, the rest is shown as it is.
    """
    lines = "".join(_Words(text).words()).split("\n")
    return "\n".join(line for line in (" ".join(each.split()) for each in lines) if line)


class _Words:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._links: list[str] = []

    def words(self) -> Iterator[str]:
        """Pieces of text with line breaks between them."""
        while (opened := self._text.find("<", self._at)) >= 0:
            yield html.unescape(self._text[self._at : opened])
            self._at = opened
            following = self._text[opened + 1 : opened + 3]
            if following.lstrip("/")[:1].isalpha():
                yield from self._tag()
            elif following[:1] in {"!", "?", "/"}:
                yield from self._aside()
            else:
                yield self._taken(opened + 1)
        yield html.unescape(self._taken(len(self._text)))

    def _taken(self, end: int) -> str:
        begin, self._at = self._at, end
        return self._text[begin:end]

    def _aside(self) -> Iterator[str]:
        """A comment, or a declaration."""
        mark = "-->" if self._text.startswith("<!--", self._at) else ">"
        end = self._text.find(mark, self._at)
        if end < 0:
            yield self._taken(len(self._text))
        else:
            self._at = end + len(mark)

    def _tag(self) -> Iterator[str]:
        found = _TAG.match(self._text, self._at)
        if found is None:
            yield self._taken(len(self._text))
            return
        self._at = found.end()
        closes, name = bool(found[1]), found[2].lower()
        if name in BREAKS:
            yield "\n"
        if name == "a":
            # Another link ends one that was left open.
            if self._links and (link := self._links.pop()):
                yield f" <{link}>"
            if not closes:
                self._links.append(_target(found[3]))
        if name in HIDDEN and not closes:
            end = _ENDS[name].search(self._text, self._at)
            self._at = end.start() if end else len(self._text)


def _target(attributes: str) -> str:
    """Where a link goes: of several the first counts, as in a browser."""
    for name, *values in _ATTRIBUTE.findall(attributes):
        if name.lower() == "href":
            return html.unescape("".join(values))
    return ""
