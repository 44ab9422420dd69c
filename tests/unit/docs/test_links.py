"""A link in the documentation leads somewhere, and every page is linked from its index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def _anchors(page: Path) -> set[str]:
    """Headings as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """To a file or folder of the checkout, and to a heading in it."""
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        place = page.parent / path if path else page
        assert place.exists(), link
        assert not anchor or anchor in _anchors(place), link


def test_every_page_is_in_the_index() -> None:
    """docs/README.md links to each, or to the folder it lies in."""
    index = ROOT / "docs" / "README.md"
    linked = {
        (index.parent / link).resolve() for link in LINK.findall(index.read_text(encoding="utf-8"))
    }
    for page in PAGES:
        if page not in (ROOT / "README.md", index):
            assert {page.resolve(), page.parent.resolve()} & linked, page
