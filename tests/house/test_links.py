"""Every relative link of a document leads to a file, and its anchor to a heading there."""

import os
import re
from functools import cache
from pathlib import Path

import pytest
from house.fresh import ROOT

import docs_reference

FENCE = re.compile(r"^(`{3,})[^\n]*\n.*?^\1`*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?)(?: +\{ *#([\w.-]+) *\})?$", re.MULTILINE)
ANCHOR = re.compile(r"""(?:\bid|\bname)="([^"]+)"|\{ *#([\w.-]+) *\}""")

FOLDERS = ("bench", "docs", "examples", "fuzz", "tests", ".github")


def documents() -> "list[Path]":
    below = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md")]
    return sorted([*ROOT.glob("*.md"), *below])


def generated() -> "dict[Path, str]":
    """The pages of the reference, which do not exist until the documentation is built."""
    return {ROOT / "docs" / name: text for name, text in docs_reference.pages().items()}


REFERENCE = generated()


def text_of(path: Path) -> str:
    return FENCE.sub("", REFERENCE.get(path) or path.read_text("utf-8"))


def slug(heading: str) -> str:
    """Return the anchor of a heading on which GitHub and MkDocs agree."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    plain = re.sub(r"[^\w\s-]", "", plain.replace("`", "")).strip().lower()
    return re.sub(r"\s", "-", plain)


@cache
def anchors(path: Path) -> "frozenset[str]":
    text = text_of(path)
    found = {own or slug(words) for words, own in HEADING.findall(text)}
    found.update(one or other for one, other in ANCHOR.findall(text))
    return frozenset(found)


def broken_links(path: Path) -> "list[str]":
    broken = []
    for link in LINK.findall(re.sub(r"`[^`\n]*`", "", text_of(path))):
        if re.match(r"[a-z]+:", link):
            continue
        address, _, anchor = link.partition("#")
        target = Path(os.path.normpath(path.parent / address)) if address else path
        is_page = target in REFERENCE or target.suffix == ".md"
        # A page in the repository is also read there, where the reference does not exist.
        if not target.exists() and not (target in REFERENCE and path in REFERENCE):
            broken.append(f"{link}: there is no such file")
        elif anchor and not (is_page and anchor in anchors(target)):
            broken.append(f"{link}: there is no such heading")
    return broken


@pytest.mark.parametrize(
    "path", [*documents(), *REFERENCE], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_links_lead_somewhere(path: Path) -> None:
    assert broken_links(path) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# Limits, and `Timeout`\n\n## Own { #mine }\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md#limits-and-timeout) [b](other.md#mine) [c](other.md#not-there)\n"
        "[d](gone.md) `[e](gone.md)` [f](https://example.com/) ![g](gone.svg) [h](#here)\n\n"
        "```md\n[i](gone.md)\n```\n\n# Here\n"
    )
    assert broken_links(page) == [
        "other.md#not-there: there is no such heading",
        "gone.md: there is no such file",
        "gone.svg: there is no such file",
    ]
