"""Tables on a terminal: by rich if it is installed, else by our own means.

Both look the same as long as the table fits: columns with two spaces between them, titles in bold.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from meshapi.cli.terminal import Terminal, without_controls

_BETWEEN = 2


def show(
    screen: Terminal,
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: AbstractSet[str],
    width: int,
) -> None:
    """Write a table."""
    rows = [[without_controls(" ".join(cell.split())) for cell in row] for row in rows]
    if not rows:
        return
    try:
        from rich.table import Table
    except ModuleNotFoundError:
        _show_plain(screen, titles, rows, right)
        return
    from rich.console import Console
    from rich.text import Text

    table = Table(box=None, padding=(0, _BETWEEN, 0, 0), pad_edge=False, header_style="bold")
    for number, title in enumerate(titles):
        # The first column says which row it is: it is folded rather than cut.
        table.add_column(
            title,
            justify="right" if title in right else "left",
            overflow="ellipsis" if number else "fold",
            no_wrap=number > 0,
        )
    for row in rows:
        # As Text, in which square brackets mean nothing.
        table.add_row(*map(Text, row))
    console = Console(
        file=screen.stream,
        width=width,
        no_color=not screen.coloured,
        force_terminal=screen.coloured,
    )
    console.print(table)


def _show_plain(
    screen: Terminal, titles: Sequence[str], rows: Sequence[Sequence[str]], right: AbstractSet[str]
) -> None:
    widths = [max(map(len, column)) for column in zip(titles, *rows)]
    for row in (titles, *rows):
        cells = [
            cell.rjust(width) if title in right else cell.ljust(width)
            for title, cell, width in zip(titles, row, widths)
        ]
        line = (" " * _BETWEEN).join(cells).rstrip()
        screen.say(screen.bold(line) if row is titles else line)
