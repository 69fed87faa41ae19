"""One flavour per row, in turn, so that a long table does not run three times by default.

    @by_turns
    @pytest.mark.parametrize("row", ROWS)
    @on_every_flavour
    async def test_...(world, row):

By default each row is tried on one flavour, and the next row on the next one, so each flavour gets
a third of the table. The other tests are `exhaustive`: `pytest -m ''` runs them. This is for tables
of what the core decides. The flavours can differ only in how they carry that out, and a third of
the rows is enough to test it.

`MESHAPI_TESTS_TURN=1` is for running the tests again, on another Python or with other dependencies,
as `.ci/run` does. Then every table takes turns, marked or not, and so do exhaustive tests. The
number says which flavour begins: with another one each time, each row gets to every flavour.
"""

from collections.abc import Iterable
from typing import Any, Optional

import pytest

by_turns = pytest.mark.by_turns

_FLAVOUR = ("world", "flavour")
"""The parameters that say on which flavour a test runs."""


def passed_over(items: Iterable[pytest.Item], turn: Optional[int] = None) -> list[pytest.Item]:
    """Return the tests that leave their row to another flavour.

    Args:
        items: all tests that were collected.
        turn: the flavour that begins if all tables take turns; None if only the marked ones do.
    """
    tables: dict[str, dict[Any, list[pytest.Item]]] = {}
    for item in items:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        if any(name in params for name in _FLAVOUR):
            # Each row has the same objects on each flavour.
            row = tuple((name, id(params[name])) for name in params if name not in _FLAVOUR)
            table = tables.setdefault(item.nodeid.partition("[")[0], {})
            table.setdefault(row, []).append(item)
    return [
        item
        for name, table in tables.items()
        for item in _others(list(table.values()), turn, len(name))
    ]


def _others(rows: list[list[pytest.Item]], turn: Optional[int], shift: int) -> list[pytest.Item]:
    flavours = max(map(len, rows))
    is_long = turn is not None and len(rows) >= flavours
    # By the name, or all tests with few rows would begin with the same flavour.
    shift = 0 if turn is None else turn + shift
    others = []
    for number, row in enumerate(rows):
        # Shifted after each round, or every row of a table of three would have one flavour only.
        own = -(number + number // flavours + shift) % len(row)
        others += [
            item
            for place, item in enumerate(row)
            if place != own and (is_long or _takes_turns(item, turn))
        ]
    return others


def _takes_turns(item: pytest.Item, turn: Optional[int]) -> bool:
    if item.get_closest_marker("by_turns") is not None:
        return True
    return turn is not None and item.get_closest_marker("exhaustive") is not None
