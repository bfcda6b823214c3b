"""Links between the pages: each leads to a file, and to a heading in it; each page is reached from the README. Extras
that they name are there.
"""

import re
import tomllib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@cache
def prose(page: Path) -> str:
    """A page without what stands in blocks of code."""
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def links(page: Path) -> list[tuple[Path, str]]:
    """The files that a page links to, each with the heading."""
    found = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose(page)))
    parts = (link.partition("#") for link in found if not re.match(r"\w+:", link))
    return [((page.parent / file).resolve() if file else page, anchor) for file, _, anchor in parts]


@cache
def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w -]", "", heading).strip().replace(" ", "-") for heading in plain}


def test_each_link_leads_to_what_there_is() -> None:
    wrong = [
        f"{page.relative_to(ROOT)}: {file.name}#{anchor}"
        for page in PAGES
        for file, anchor in links(page)
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file))
    ]
    assert wrong == []


def test_each_page_is_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        page = page / "README.md" if page.is_dir() else page
        if page.suffix == ".md" and page not in reached and page.exists():
            reached.add(page)
            waiting += [file for file, _ in links(page)]
    assert {page for page in PAGES if page not in reached} == set()


def test_each_extra_that_a_page_installs_is_one() -> None:
    there = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"].keys()
    named = {
        extra
        for page in PAGES
        for text in re.findall(r"orbits-iac\[([\w,]+)\]", page.read_text())
        for extra in text.split(",")
    }
    assert {"offline", "mongodb"} <= named <= there
