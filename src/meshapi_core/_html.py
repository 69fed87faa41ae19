"""Tables for notebooks, of text that may come from a server: escaped, and bounded in size."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

__all__ = ["escaped", "table_html"]

_MOST_ROWS: Final = 100
_LONGEST_TEXT: Final = 200

_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}


def escaped(value: object) -> str:
    """Return a value as the text of an element or of an attribute in quotes; None is empty."""
    text = "" if value is None else str(value)
    if len(text) > _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]}..."
    return "".join(_ESCAPES.get(char, char if char.isprintable() else " ") for char in text)


def table_html(head: Sequence[str], rows: Iterable[Sequence[object]], total: int) -> str:
    """Return rows as a table, the first hundred.

    Args:
        head: the titles of the columns.
        rows: the cells of each row.
        total: how many rows there are, to say how many are not shown.
    """
    shown = [*islice(rows, _MOST_ROWS)]
    titles = "".join(f"<th>{escaped(name)}</th>" for name in head)
    cells = ("".join(f"<td>{escaped(cell)}</td>" for cell in row) for row in shown)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    more = f"<p>{total - len(shown)} more</p>" if total > len(shown) else ""
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>{more}"
