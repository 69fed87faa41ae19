"""Tables on a terminal: in columns, or if it is too narrow, row by row."""

import unicodedata
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from meshapi.cli.terminal import Terminal

_BETWEEN = "  "


def show(
    screen: Terminal,
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: AbstractSet[str],
    width: int,
) -> None:
    """Write a table of cells that are in one line each; nothing if it has no rows."""
    if not rows:
        return
    widths = [max(map(_columns, column)) for column in zip(titles, *rows)]
    if sum(widths) + len(_BETWEEN) * (len(widths) - 1) > width:
        screen.say("\n".join(_row_by_row(screen, titles, rows)))
        return
    on_the_right = [title in right for title in titles]
    for number, row in enumerate((titles, *rows)):
        cells = map(_padded, row, widths, on_the_right)
        line = _BETWEEN.join(cells).rstrip()
        screen.say(line if number else screen.bold(line))


def _row_by_row(
    screen: Terminal, titles: Sequence[str], rows: Sequence[Sequence[str]]
) -> Iterator[str]:
    """No cell is cut: what is cut off an ID cannot be copied."""
    for row in rows:
        yield screen.bold(row[0])
        for title, cell in zip(titles[1:], row[1:]):
            if cell:
                yield f"{_BETWEEN}{title.lower()} {cell}"


def _padded(text: str, width: int, on_the_right: bool) -> str:
    space = " " * (width - _columns(text))
    return space + text if on_the_right else text + space


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes.

    Source: https://www.unicode.org/reports/tr11/
    """
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
