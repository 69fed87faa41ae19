"""Read ARCHITECTURE.md: the tables below its headings, and the arrows between rooms."""

import re

from house.fresh import ROOT

TEXT = (ROOT / "ARCHITECTURE.md").read_text("utf-8")


def section(title: str) -> str:
    """The text below a heading, up to the next one."""
    text = TEXT.split(f"\n{title}\n", 1)[1]
    return re.split(r"\n##+ ", text)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of a table's rows, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def arrows() -> dict[str, frozenset[str]]:
    """Return room -> the rooms that it imports; `_sync` is like `_async` and not drawn."""
    return {quoted(row[0])[0]: frozenset(quoted(row[1])) for row in rows(section("### Arrows"))}
